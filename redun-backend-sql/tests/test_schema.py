import json
import sqlite3
from contextlib import closing

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from redun import Scheduler, task
from redun_backend_sql.extension import is_extension_table
from redun_backend_sql.models import Base

redun_namespace = "test_schema"

# Columns in order: * belongs to the primary key, ? may be null, > refers to; then the type.
TABLES = {
    "alembic_version": ["version_num* VARCHAR(32)"],
    "argument": [
        "arg_hash* VARCHAR(40)",
        "call_hash>call_node.call_hash VARCHAR(40)",
        "value_hash>value.value_hash VARCHAR(40)",
        "arg_position? INTEGER",
        "arg_key? VARCHAR(100)",
    ],
    "argument_result": [
        "arg_hash*>argument.arg_hash VARCHAR(40)",
        "result_call_hash*>call_node.call_hash VARCHAR(40)",
    ],
    "call_edge": [
        "parent_id*>call_node.call_hash VARCHAR(40)",
        "child_id*>call_node.call_hash VARCHAR(40)",
        "call_order* INTEGER",
    ],
    "call_node": [
        "call_hash* VARCHAR(40)",
        "task_name VARCHAR(1024)",
        "task_hash>task.hash VARCHAR(40)",
        "args_hash VARCHAR(40)",
        "value_hash>value.value_hash VARCHAR(40)",
        "timestamp DATETIME",
    ],
    "call_subtree_task": ["call_hash*>call_node.call_hash VARCHAR(40)", "task_hash*>task.hash VARCHAR(40)"],
    "evaluation": [
        "eval_hash* VARCHAR(40)",
        "task_hash>task.hash VARCHAR(40)",
        "args_hash VARCHAR(40)",
        "value_hash>value.value_hash VARCHAR(40)",
    ],
    "execution": ["id* VARCHAR", "args VARCHAR", "job_id>job.id VARCHAR", "updated_time? DATETIME"],
    "file": ["value_hash*>value.value_hash VARCHAR(40)", "path VARCHAR(1024)"],
    "handle": [
        "hash* VARCHAR(40)",
        "fullname VARCHAR(1024)",
        "value_hash>value.value_hash VARCHAR(40)",
        "key VARCHAR(1024)",
        "is_valid BOOLEAN",
    ],
    "handle_edge": ["parent_id*>handle.hash VARCHAR(40)", "child_id*>handle.hash VARCHAR(40)"],
    "job": [
        "id* VARCHAR",
        "start_time DATETIME",
        "end_time? DATETIME",
        "task_hash>task.hash VARCHAR(40)",
        "cached BOOLEAN",
        "call_hash?>call_node.call_hash VARCHAR(40)",
        "parent_id?>job.id VARCHAR",
        "execution_id>execution.id VARCHAR",
    ],
    "redun_version": ["id* VARCHAR", "version INTEGER", "timestamp DATETIME"],
    "subvalue": ["value_hash*>value.value_hash VARCHAR(40)", "parent_value_hash*>value.value_hash VARCHAR(40)"],
    "tag": [
        "tag_hash* VARCHAR(40)",
        "entity_type VARCHAR(9)",
        "entity_id VARCHAR",
        "key VARCHAR",
        "value VARCHAR",
        "is_current BOOLEAN",
    ],
    "tag_edit": ["parent_id*>tag.tag_hash VARCHAR(40)", "child_id*>tag.tag_hash VARCHAR(40)"],
    "task": ["hash* VARCHAR(40)", "name VARCHAR", "namespace VARCHAR", "source VARCHAR"],
    "value": ["value_hash* VARCHAR(40)", "type VARCHAR", "format VARCHAR(100)", "value BLOB"],
}

# Columns that have an index: ! is unique, ~ is for look-ups by prefix, & covers current rows only.
INDEXES = {
    "argument": ["call_hash", "value_hash"],
    "argument_result": ["arg_hash", "result_call_hash"],
    "call_edge": ["child_id", "parent_id"],
    "call_node": ["task_hash", "value_hash", "call_hash~!"],
    "call_subtree_task": ["call_hash", "task_hash"],
    "evaluation": ["task_hash", "value_hash"],
    "execution": ["job_id", "id~!"],
    "file": ["path"],
    "handle": ["fullname", "value_hash"],
    "handle_edge": ["child_id", "parent_id"],
    "job": ["call_hash", "end_time", "execution_id", "parent_id", "start_time", "task_hash", "id~!"],
    "subvalue": ["parent_value_hash", "value_hash"],
    "tag": ["entity_id", "key", "value", "tag_hash&!"],
    "task": ["hash~!", "name~", "namespace~"],
    "value": ["type", "value_hash~!"],
}
SUFFIXES = {"": "", "~": "_vpo", "&": "_current"}

POSTGRES_TYPES = {"BLOB": "bytea", "DATETIME": "timestamp with time zone", "VARCHAR(9)": "tagentitytype"}
"""What PostgreSQL has in place of types of SQLite; tags hold JSON there too."""

POSTGRES_COLUMNS = """
SELECT attname, format_type(atttypid, atttypmod), attnotnull,
    EXISTS (SELECT FROM pg_index WHERE indrelid = attrelid AND indisprimary AND attnum = ANY(indkey)),
    (SELECT format('>%s.%s', confrelid::regclass, target.attname) FROM pg_constraint
        JOIN pg_attribute AS target ON target.attrelid = confrelid AND target.attnum = confkey[1]
        WHERE conrelid = own.attrelid AND contype = 'f' AND conkey = ARRAY[own.attnum])
FROM pg_attribute AS own WHERE attrelid = ?::text::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum
"""
POSTGRES_INDEXES = """
SELECT relname, attname, indisunique, pg_get_expr(indpred, indrelid), opcname, amname FROM pg_index
JOIN pg_class ON pg_class.oid = indexrelid JOIN pg_am ON pg_am.oid = relam
JOIN pg_opclass ON pg_opclass.oid = indclass[0]
JOIN pg_attribute ON attrelid = indrelid AND attnum = ANY(indkey)
WHERE indrelid = ?::text::regclass AND NOT indisprimary
"""

TABLES_WITHOUT_MODEL = {"alembic_version"}


def describe_columns(connection, table):
    targets = {row[3]: f">{row[2]}.{row[4]}" for row in connection.execute(f"PRAGMA foreign_key_list({table})")}
    return [
        f"{name}{'*' if key else '' if required else '?'}{targets.get(name, '')} {kind}"
        for _, name, kind, required, _, key in connection.execute(f"PRAGMA table_info({table})")
    ]


def describe_indexes(connection, table):
    described = []
    for _, name, unique, origin, partial in connection.execute(f"PRAGMA index_list({table})"):
        if origin == "c":
            (column,) = [row[2] for row in connection.execute(f"PRAGMA index_info({name})")]
            mark = "&" if partial else "~" if name.endswith("_vpo") else ""
            assert name == f"ix_{table}_{column}{SUFFIXES[mark]}"
            described.append(f"{column}{mark}{'!' if unique else ''}")
    return sorted(described)


def as_in_postgres(table, column):
    """Return the description of a column of SQLite as PostgreSQL has it."""
    name, kind = column.split(" ")
    if (table, name) == ("tag", "value"):
        return "value jsonb"
    return f"{name} {POSTGRES_TYPES.get(kind, kind.lower().replace('varchar', 'character varying'))}"


def describe_postgres_columns(database, table):
    return [
        f"{name}{'*' if is_key else '' if required else '?'}{target or ''} {kind}"
        for name, kind, required, is_key, target in database.select(POSTGRES_COLUMNS, table)
    ]


def describe_postgres_indexes(database, table):
    described = []
    for name, column, is_unique, condition, operators, method in database.select(POSTGRES_INDEXES, table):
        mark = "&" if condition == "is_current" else "~" if operators == "varchar_pattern_ops" else ""
        assert name == f"ix_{table}_{column}{SUFFIXES[mark]}"
        assert method == ("hash" if name == "ix_tag_value" else "btree")
        described.append(f"{column}{mark}{'!' if is_unique else ''}")
    return sorted(described)


on_sqlite = pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
on_postgresql = pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)


@on_sqlite
def test_tables_and_columns(backend, query):
    """A new database has exactly the tables, columns, types, keys and references of version 3.5."""
    connection = backend.database.connection

    actual = {
        table: describe_columns(connection, table)
        for table in sorted(backend.database.tables())
        if not is_extension_table(table)
    }

    assert actual == TABLES


@on_sqlite
def test_indexes(backend):
    """A new database has exactly the indexes of version 3.5."""
    connection = backend.database.connection

    actual = {table: describe_indexes(connection, table) for table in TABLES}

    assert {table: indexes for table, indexes in actual.items() if indexes} == {
        table: sorted(indexes) for table, indexes in INDEXES.items()
    }


@on_sqlite
def test_reference_to_the_execution_is_checked_late(query):
    """A job and its execution refer to each other, so one of the references is checked when a transaction ends."""
    [(statement,)] = query("SELECT sql FROM sqlite_master WHERE name = 'job'")

    [actual] = [line for line in statement.split("\n") if "DEFERRABLE" in line]

    assert "(execution_id) REFERENCES execution (id) DEFERRABLE INITIALLY DEFERRED" in actual


def is_about_deferral(difference):
    """Whether tables differ in that only PostgreSQL checks late which root job an execution has."""
    kind, changed = difference[:2]
    return kind in ("add_fk", "remove_fk") and changed.column_keys == ["job_id"]


@pytest.mark.filterwarnings("ignore:Cannot correctly sort tables")  # A job and its execution refer to each other.
def test_models_agree_with_the_tables(backend):
    """The classes for queries describe the same columns, types, references and indexes as the migrated tables."""
    engine = backend.database.make_engine()
    options = {
        "compare_type": True,
        "include_name": lambda name, kind, parents: (
            not (kind == "table" and (name in TABLES_WITHOUT_MODEL or is_extension_table(name)))
            and not (kind == "index" and name.endswith("_vpo"))
        ),
    }

    with engine.connect() as connection:
        differences = compare_metadata(MigrationContext.configure(connection, opts=options), Base.metadata)

    assert [difference for difference in differences if not is_about_deferral(difference)] == []
    assert set(Base.metadata.tables) == set(TABLES) - TABLES_WITHOUT_MODEL


def test_versions_are_recorded(query):
    """A new database names its migration and its major version, so that other programs recognise it."""
    actual = query("SELECT version_num FROM alembic_version"), query("SELECT version FROM redun_version")

    assert actual == ([("0bee3d6dba76",)], [(3,)])


def test_loading_again_changes_nothing(backend, dump):
    """A database that has its tables is opened as it is, as often as one likes."""
    before = dump()

    backend.load()
    backend.close()
    backend.load()

    assert dump() == before


@on_postgresql
def test_tables_and_columns_in_postgres(backend):
    """A new database in PostgreSQL has the same tables, with its own types for bytes, times and JSON."""
    expected = {table: [as_in_postgres(table, column) for column in columns] for table, columns in TABLES.items()}

    tables = sorted(table for table in backend.database.tables() if not is_extension_table(table))
    actual = {table: describe_postgres_columns(backend.database, table) for table in tables}

    assert actual == expected


@on_postgresql
def test_indexes_in_postgres(backend):
    """A new database in PostgreSQL has the same indexes; some are for prefixes, and values of tags are hashed."""
    actual = {table: describe_postgres_indexes(backend.database, table) for table in TABLES}

    assert {table: indexes for table, indexes in actual.items() if indexes} == {
        table: sorted(indexes) for table, indexes in INDEXES.items()
    }


@on_postgresql
def test_long_tags_fit_into_postgres(backend, query):
    """A tag may hold more than PostgreSQL's usual indexes take, and is found by its value."""
    text = json.dumps("".join(map(str, range(10_000))))

    backend.database.execute("INSERT INTO tag VALUES (?, 'Job', 'j', 'k', ?, true)", "0" * 40, text)

    assert query("SELECT tag_hash FROM tag WHERE value = ?", text) == [("0" * 40,)]


@task
def double(x):
    return 2 * x


@on_sqlite
def test_database_created_elsewhere_is_used(backend, tmp_path):
    """A database with the same schema that another program made is opened, and its cache is hit."""
    with Scheduler(backend=backend) as scheduler:
        scheduler.run(double(4))
        statements = "\n".join(backend.database.connection.iterdump())
    with closing(sqlite3.connect(tmp_path / "copy.db")) as copy:
        copy.executescript(statements)

    with Scheduler({"backend": {"db_uri": f"sqlite:///{tmp_path}/copy.db"}}) as scheduler:
        result = scheduler.run(double(4))
        cached = scheduler.backend.database.connection.execute("SELECT cached FROM job ORDER BY cached").fetchall()

    assert (result, cached) == (8, [(0,), (1,)])
