import re
from itertools import pairwise

import pytest
import sqlalchemy as sa

from redun.hashing import hash_struct
from redun_backend_sql.losses import find_losses
from redun_backend_sql.migrate import Move, migrate
from redun_backend_sql.migrations.clocks import ZONE_VARIABLE
from redun_backend_sql.migrations.fill import OF_EXECUTIONS, SUBTREES, following_indexes
from redun_backend_sql.versions import (
    HEAD,
    LATEST,
    MIGRATIONS,
    NO_SCHEMA,
    REVISIONS,
    SchemaVersion,
    find_migration,
    parse_version,
    read_version,
)

VERSIONS = [migration.version for migration in MIGRATIONS]
STEPS = list(pairwise(VERSIONS))
TABLES_SINCE = {"subvalue": SchemaVersion(2, 0), "argument_result": SchemaVersion(2, 0)} | dict.fromkeys(
    ("tag", "tag_edit"), SchemaVersion(3, 0)
)

OTHERS = {
    "sqlite": "SELECT name, sql FROM sqlite_master WHERE type <> 'table' AND sql IS NOT NULL",
    "postgresql": (
        "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' "
        "UNION ALL SELECT tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal "
        "UNION ALL SELECT enumsortorder::text, enumlabel FROM pg_enum"
    ),
}
"""How to list the indexes, and what else there is beside tables."""

SHAPES = {}
"""What new databases have, by version and kind."""


@pytest.fixture(autouse=True)
def _local_times(monkeypatch):
    """Times of old versions are those of a place that has summer time."""
    monkeypatch.setenv(ZONE_VARIABLE, "Europe/Berlin")


def describe_shape(database):
    """Return everything about the tables of a database that programs rely on."""
    with database.make_engine().connect() as connection:
        inspector = sa.inspect(connection)
        shape = {
            table: {
                "columns": [
                    (column["name"], column["type"].compile(connection.dialect), column["nullable"])
                    for column in inspector.get_columns(table)
                ],
                "key": inspector.get_pk_constraint(table)["constrained_columns"],
                "references": sorted(
                    (
                        *key["constrained_columns"],
                        key["referred_table"],
                        *key["referred_columns"],
                        key["options"].get("initially", ""),
                    )
                    for key in inspector.get_foreign_keys(table)
                ),
            }
            for table in inspector.get_table_names()
        }
    return shape | {"others": sorted(database.select(OTHERS[database.dialect]))}


@pytest.fixture
def describe_new(make_uri, open_uri):
    """Describes a new database of a version."""

    def describe(version, dialect):
        if (version, dialect) not in SHAPES:
            database = open_uri(make_uri())
            migrate(database, version)
            SHAPES[version, dialect] = describe_shape(database)
        return SHAPES[version, dialect]

    return describe


@pytest.mark.parametrize("version", VERSIONS, ids=str)
def test_new_database_of_any_version(database, version):
    """An empty database gets the tables of any version at once, and names it."""
    actual = migrate(database, version)

    assert actual == Move(NO_SCHEMA, version)
    assert read_version(database) == version
    assert database.select("SELECT version_num FROM alembic_version") == [(find_migration(version).revision,)]
    assert database.select("SELECT version FROM redun_version") == [(version.major,)]


def test_every_step_up_leads_to_the_shape_of_its_version(database, describe_new):
    """A database that is upgraded step by step is at each version as one that was made at it."""
    migrate(database, VERSIONS[0])

    for below, version in STEPS:
        assert migrate(database, version) == Move(below, version)
        assert describe_shape(database) == describe_new(version, database.dialect)
        assert read_version(database) == version


def test_every_step_down_leads_to_the_shape_of_its_version(database, insert_records, describe_new):
    """A database that is downgraded step by step is at each version as one that was made at it."""
    migrate(database, LATEST)
    insert_records(database)

    for version, above in reversed(STEPS):
        assert migrate(database, version, may_lower=True) == Move(above, version)
        assert describe_shape(database) == describe_new(version, database.dialect)
        assert database.select("SELECT version FROM redun_version") == [(version.major,)]


@pytest.mark.parametrize("version", VERSIONS, ids=str)
def test_rows_outlive_the_way_down_and_up(database, insert_records, read_records, version):
    """All rows that a version has a place for are the same after going down to it and up again."""
    migrate(database, LATEST)
    expected = insert_records(database)
    for table, since in TABLES_SINCE.items():
        if version < since:
            expected[table] = []
    tasks = [("f" * 40, "redun.Task")] if version < LATEST else []
    if version < SchemaVersion(3, 0):
        # Without its tags, a call that was made in a context must not be taken for one made without.
        lost = hash_struct(["Task", "redun.lost_context", "version", "1"])
        expected["task"].append((lost, "lost_context", "redun", ""))
        expected["call_subtree_task"].append(("2" * 40, lost))
        tasks.append((lost, "redun.Task"))
    if version < SchemaVersion(3, 3):
        expected["execution"] = sorted([(*row[:3], None) for row in expected["execution"]], key=repr)

    migrate(database, version, may_lower=True)
    migrate(database, LATEST)
    actual = read_records(database)

    made = [row for row in actual["value"] if row not in expected["value"]]
    assert {**actual, "value": expected["value"]} == {table: sorted(rows, key=repr) for table, rows in expected.items()}
    assert sorted(row[:2] for row in made) == sorted(tasks)


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("3.4", []),
        ("3.3", []),
        ("3.2", ["1 times when an execution was last seen alive"]),
        (
            "2.3",
            [
                "3 tags",
                "1 edits of tags",
                "1 notes of the context of a call, whose final result won't be reused",
                "1 times when an execution was last seen alive",
            ],
        ),
        (
            "1",
            [
                "1 notes of values inside other values",
                "1 notes of where arguments came from",
                "3 tags",
                "1 edits of tags",
                "1 notes of the context of a call, whose final result won't be reused",
                "1 times when an execution was last seen alive",
            ],
        ),
    ],
)
def test_what_a_version_has_no_place_for_is_told(database, insert_records, version, expected):
    """What going down would lose can be told before, with numbers."""
    migrate(database, LATEST)
    insert_records(database)

    actual = find_losses(database, LATEST, parse_version(version))

    assert list(map(str, actual)) == expected


def test_tasks_become_values(database, insert_records):
    """From 3.0 on every task is a value too, which reads as the task that it names."""
    from redun.values.preview import preview
    from redun.values.registry import get_type_registry

    migrate(database, LATEST)
    insert_records(database)
    database.execute("DELETE FROM value WHERE value_hash = ?", "d" * 40)
    migrate(database, parse_version("2.3"), may_lower=True)

    migrate(database, LATEST)
    rows = database.select("SELECT value_hash, type, format, value FROM value WHERE type = 'redun.Task' ORDER BY 1")
    tasks = [get_type_registry().decode(*row[1:]) for row in rows]

    assert [(task.fullname, task.hash) for task in tasks][1:] == [("test.main", "d" * 40), ("step", "f" * 40)]
    assert [preview(*row[1:]).split(",")[0] for row in rows][1:] == ["Task(name='main'", "Task(name='step'"]


def test_many_tasks_become_values(database):
    """Tasks become values a part at a time, and none is left out."""
    migrate(database, parse_version("2.3"))
    numbers = "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 2500) "
    database.execute(numbers + "INSERT INTO task SELECT CAST(n AS VARCHAR(40)), 't', 'n', '' FROM numbers")

    migrate(database, LATEST)

    assert database.select("SELECT count(*) FROM task JOIN value ON hash = value_hash") == [(2500,)]


def test_jobs_find_their_execution(database, insert_records):
    """From 3.1 on a job names its execution; jobs of no execution are kept, each tree of them as one of its own."""
    migrate(database, LATEST)
    insert_records(database)
    migrate(database, parse_version("3.0"), may_lower=True)
    start, task = "2024-07-01 10:00:00.000000", "d" * 40
    for row in [("lost-1", None), ("lost-2", "lost-1"), ("lost-3", "lost-2")]:
        database.execute("INSERT INTO job VALUES (?, ?, NULL, ?, ?, NULL, ?)", row[0], start, task, False, row[1])

    migrate(database, LATEST)

    assert dict(database.select("SELECT id, execution_id FROM job")) == {
        "job-1": "run-1",
        "job-2": "run-1",
        "job-3": "run-1",
        "job-4": "run-2",
        "lost-1": "lost-1",
        "lost-2": "lost-1",
        "lost-3": "lost-1",
    }
    assert database.select("SELECT args, job_id FROM execution WHERE id = 'lost-1'") == [("[]", "lost-1")]


@pytest.mark.parametrize(
    ("statement", "index"), [(OF_EXECUTIONS, "ix_job_parent_id"), (SUBTREES, "ix_call_edge_child_id")]
)
def test_deep_graphs_are_followed_by_indexes(database, statement, index):
    """Each level of a graph costs as much as it has rows, not as much as the table has: the plan says so."""
    explain = {"sqlite": "EXPLAIN QUERY PLAN", "postgresql": "EXPLAIN"}[database.dialect]
    migrate(database, LATEST)

    with database.migrating() as connection, following_indexes(connection):
        plan = "\n".join(str(row[-1]) for row in connection.exec_driver_sql(f"{explain} {statement}"))

    assert f"{index} " in plan
    assert not re.search(r"SCAN (job|call_edge)\b|Seq Scan on (job|call_edge)\b|Hash Join|Merge Join", plan)


def test_moving_to_the_same_version_does_nothing(database, insert_records, read_records):
    """A database that has the version already is left as it is; so is a newer one, unless going down is allowed."""
    migrate(database, LATEST)
    before = insert_records(database)

    assert migrate(database, LATEST) == Move(LATEST, LATEST)
    assert migrate(database, parse_version("3.1")) == Move(LATEST, LATEST)
    assert read_records(database) == before


def test_migrations_are_those_that_are_listed():
    """The scripts are one chain, of the migrations that are listed with their summaries."""
    from importlib.resources import files

    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(files("redun_backend_sql") / "migrations"))
    scripts = list(ScriptDirectory.from_config(config).walk_revisions())[::-1]

    assert [script.revision for script in scripts] == list(REVISIONS)
    assert [script.down_revision for script in scripts] == [None, *list(REVISIONS)[:-1]]
    assert scripts[-1].revision == HEAD
    assert [script.doc for script in scripts] == [f"{migration.summary}." for migration in MIGRATIONS]
