"""Databases of older versions, as other programs may have left them."""

import time
from contextlib import closing

import pytest

from redun import Scheduler, get_context, task
from redun.errors import BackendError
from redun_backend_sql.backend import SqlBackend
from redun_backend_sql.migrate import migrate
from redun_backend_sql.migrations import clocks
from redun_backend_sql.migrations.clocks import ZONE_VARIABLE, find_local_zone, make_converter
from redun_backend_sql.options import SqlOptions
from redun_backend_sql.versions import LATEST, parse_version, read_version

TEXTS = {
    "sqlite": "SELECT {column} FROM {table} ORDER BY 1",
    "postgresql": "SELECT to_char({column}, 'YYYY-MM-DD HH24:MI:SS.US') FROM {table} ORDER BY 1",
}
"""How to read times of any version as text."""

BYTES = {"sqlite": "BLOB", "postgresql": "BYTEA"}
NUMBERS = (
    "WITH RECURSIVE numbers (number) AS (SELECT 1000 UNION ALL SELECT number + 1 FROM numbers WHERE number < 21000) "
)


@pytest.fixture(autouse=True)
def _universal_time(monkeypatch):
    """Times of old versions need not be converted, unless a test is about that."""
    monkeypatch.setenv(ZONE_VARIABLE, "UTC")


@pytest.fixture
def lower(database, insert_records):
    """Fills the database and brings it to an older version; returns its rows before."""

    def lower_database(version):
        migrate(database, LATEST)
        rows = insert_records(database)
        migrate(database, parse_version(version), may_lower=True)
        return rows

    return lower_database


def read_times(database, column, table="job"):
    return [text for (text,) in database.select(TEXTS[database.dialect].format(column=column, table=table))]


def list_columns(database, table):
    with database.make_engine().connect() as connection:
        import sqlalchemy as sa

        return {column["name"]: column["nullable"] for column in sa.inspect(connection).get_columns(table)}


def list_indexes(database, table):
    with database.make_engine().connect() as connection:
        import sqlalchemy as sa

        return {index["name"] for index in sa.inspect(connection).get_indexes(table)}


@pytest.mark.parametrize(
    "statements",
    [
        pytest.param(["ALTER TABLE execution ADD COLUMN updated_time TIMESTAMP"], id="column is there already"),
        pytest.param(["ALTER TABLE job ADD COLUMN execution_id VARCHAR"], id="column is there without values"),
        pytest.param(["CREATE INDEX ix_job_start_time ON job (start_time)"], id="index is there already"),
        pytest.param(["CREATE UNIQUE INDEX ix_job_id_vpo ON job (id)"], id="later index is there already"),
        pytest.param(["DROP INDEX ix_argument_call_hash", "DROP INDEX ix_job_parent_id"], id="indexes are missing"),
        pytest.param(["DROP TABLE call_subtree_task"], id="table is missing"),
        pytest.param(["ALTER TABLE job ADD COLUMN note VARCHAR"], id="column of somebody else"),
        pytest.param(["ALTER TABLE job ADD COLUMN note VARCHAR DEFAULT 'x' NOT NULL"], id="column with a default"),
        pytest.param(["CREATE TABLE tag (tag_hash VARCHAR(40) PRIMARY KEY)"], id="table is there in part"),
        pytest.param(["CREATE TABLE note (id INTEGER)"], id="table of somebody else"),
    ],
)
def test_a_difference_from_the_expected_history_is_no_hindrance(database, lower, read_records, statements):
    """A database that has more or less than its version should have is upgraded, and keeps its rows."""
    expected = lower("2.2")
    for statement in statements:
        database.execute(statement)

    migrate(database, LATEST)
    actual = read_records(database)

    assert read_version(database) == LATEST
    for table in ("evaluation", "call_node", "argument", "handle", "subvalue"):
        assert actual[table] == expected[table]
    assert [row[:7] for row in actual["job"]] == [row[:7] for row in expected["job"]]
    assert database.select("SELECT id, execution_id FROM job ORDER BY id") == [
        (row[0], row[7]) for row in expected["job"]
    ]
    assert {row[:2] for row in actual["call_subtree_task"]} >= {("1" * 40, "d" * 40), ("1" * 40, "f" * 40)}
    assert "updated_time" in list_columns(database, "execution")
    assert {"ix_job_start_time", "ix_job_parent_id", "ix_job_id_vpo"} <= list_indexes(database, "job")
    assert "ix_argument_call_hash" in list_indexes(database, "argument")
    assert set(list_columns(database, "tag")) >= {"entity_id", "value", "is_current"}


@pytest.mark.parametrize(
    ("version", "table", "column", "row"),
    [
        (
            "3.2",
            "value",
            "type VARCHAR(9) DEFAULT 'x'",
            {"value_hash": "9" * 40, "type": "a.long.name", "format": "f", "value": b""},
        ),
        (
            "3.0",
            "job",
            "cached BOOLEAN DEFAULT true",
            {
                "id": "job-9",
                "start_time": "2024-07-01 12:00:00.000000",
                "task_hash": "d" * 40,
                "cached": True,
                "execution_id": "run-1",
            },
        ),
    ],
)
def test_upgraded_database_is_written(database, lower, version, table, column, row):
    """A database that was upgraded from a shape with a required column of its own takes rows without it."""
    lower(version)
    database.execute(f"ALTER TABLE {table} RENAME COLUMN {column.split()[0]} TO kind")
    database.execute(f"ALTER TABLE {table} ADD COLUMN {column} NOT NULL")
    before = database.select(f"SELECT count(*) FROM {table}")

    migrate(database, LATEST)
    names, marks = ", ".join(row), ", ".join("?" * len(row))
    database.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", *row.values())

    assert {name for name, is_nullable in list_columns(database, table).items() if not is_nullable} == set(row)
    assert database.select(f"SELECT count(*) FROM {table} WHERE kind IS NOT NULL") == before


def test_index_of_somebody_else_is_kept(database, lower):
    """When a table gets its new form, indexes and values that somebody added to it are kept."""
    lower("3.0")
    database.execute("ALTER TABLE job ADD COLUMN note VARCHAR")
    database.execute("CREATE INDEX my_index ON job (note, cached)")
    database.execute("UPDATE job SET note = id")

    migrate(database, LATEST)

    assert "my_index" in list_indexes(database, "job")
    assert database.select("SELECT count(*) FROM job WHERE note = id") == [(4,)]


def test_jobs_without_their_execution_in_a_later_version(open_uri, postgres_uri, insert_records):
    """Jobs that lack their execution where a reference to it is checked late get it before anything else changes."""
    database = open_uri(postgres_uri)
    migrate(database, LATEST)
    insert_records(database)
    migrate(database, parse_version("3.4"), may_lower=True)
    database.execute("ALTER TABLE job ALTER COLUMN execution_id DROP NOT NULL")
    database.execute("UPDATE job SET execution_id = NULL")

    migrate(database, LATEST)

    assert database.select("SELECT id, execution_id FROM job ORDER BY id") == [
        ("job-1", "run-1"),
        ("job-2", "run-1"),
        ("job-3", "run-1"),
        ("job-4", "run-2"),
    ]


def test_missing_column_that_can_not_be_made_up(database, lower):
    """A table with rows but without an essential column is refused with a sentence, and nothing is changed."""
    lower("3.2")
    database.execute("ALTER TABLE evaluation DROP COLUMN args_hash")

    with pytest.raises(BackendError, match=r"evaluation has rows but no column args_hash, .* restore a copy"):
        migrate(database, LATEST)

    assert read_version(database) == parse_version("3.2")
    assert "updated_time" not in list_columns(database, "execution")


def test_missing_column_that_can_be_made_up(database, lower):
    """A column whose old values are known is added with them."""
    lower("3.0")
    database.execute("ALTER TABLE tag DROP COLUMN is_current")

    migrate(database, LATEST)

    assert set(database.select("SELECT is_current FROM tag")) == {(True,)}
    assert list_columns(database, "tag")["is_current"] is False


def test_calls_learn_the_tasks_below_them(database, lower):
    """Where tasks below calls were not recorded they follow from the call graph, however deep it is."""
    lower("2.0")
    database.execute("DROP TABLE call_subtree_task")
    database.execute(
        NUMBERS + "INSERT INTO call_node SELECT CAST(number AS VARCHAR(40)), 'deep', "
        "CASE number WHEN 3999 THEN ? ELSE ? END, 'a', ?, '2024-01-01 00:00:00' FROM numbers WHERE number < 4000",
        "d" * 40,
        "f" * 40,
        "a" * 40,
    )
    database.execute(
        NUMBERS + "INSERT INTO call_edge SELECT CAST(number AS VARCHAR(40)), CAST(number + 1 AS VARCHAR(40)), 0 "
        "FROM numbers WHERE number < 3999"
    )

    migrate(database, LATEST)

    below = "SELECT task_hash FROM call_subtree_task WHERE call_hash = ? ORDER BY 1"
    assert database.select(below, "1000") == [("d" * 40,), ("f" * 40,)]
    assert database.select(below, "3999") == [("d" * 40,)]


@task(check_valid="shallow")
def find_place():
    return get_context("place", "nowhere")


@pytest.mark.parametrize("version", ["3.0", "2.3"])
def test_results_of_a_context_stay_there(uri, open_uri, version):
    """A final result that was made in a context is not reused without it, also when the tags that tell were lost."""
    with Scheduler({"backend": {"db_uri": uri}}) as scheduler:
        scheduler.run(find_place(), context={"place": "here"})
    database = open_uri(uri)

    migrate(database, parse_version(version), may_lower=True)
    migrate(database, LATEST)
    with Scheduler({"backend": {"db_uri": uri, "automigrate": "true"}}) as scheduler:
        actual = [scheduler.run(find_place()), scheduler.run(find_place(), context={"place": "here"})]

    assert actual == ["nowhere", "here"]


@pytest.mark.parametrize(
    ("zone", "local", "utc"),
    [
        ("Europe/Berlin", "2024-07-01 12:00:00.000500", "2024-07-01 10:00:00.000500"),
        ("Europe/Berlin", "2024-01-01 00:30:00.000000", "2023-12-31 23:30:00.000000"),
        ("America/New_York", "2024-12-31 23:59:59.999999", "2025-01-01 04:59:59.999999"),
        ("Asia/Kolkata", "2024-07-01 12:00:00.000000", "2024-07-01 06:30:00.000000"),
        ("Europe/Berlin", "2024-10-27 02:30:00.000000", "2024-10-27 01:30:00.000000"),
        ("Etc/UTC", "2024-07-01 12:00:00.000000", "2024-07-01 12:00:00.000000"),
    ],
)
def test_local_times_become_utc(database, lower, monkeypatch, zone, local, utc):
    """At 3.4 the times of jobs and executions, local before, are turned into UTC, to the microsecond, and back."""
    lower("3.3")
    calls = read_times(database, "timestamp", "call_node")
    database.execute("UPDATE job SET start_time = ?, end_time = NULL", local)
    database.execute("UPDATE execution SET updated_time = ?", local)
    monkeypatch.setenv(ZONE_VARIABLE, zone)

    migrate(database, LATEST)

    assert set(database.select("SELECT start_time, end_time FROM job")) == {(utc, None)}
    assert set(database.select("SELECT updated_time FROM execution")) == {(utc,)}
    assert read_times(database, "timestamp", "call_node") == calls
    migrate(database, parse_version("3.3"), may_lower=True)
    assert set(read_times(database, "start_time")) == {local}


@pytest.mark.parametrize("zone", ["Mars/Olympus", "../etc/passwd", "CEST+9:00"])
def test_unknown_zone_changes_nothing(database, lower, monkeypatch, zone):
    """A variable that names no zone is an error that says what it should be; the database is as it was."""
    lower("3.3")
    before = read_times(database, "start_time")
    monkeypatch.setenv(ZONE_VARIABLE, zone)

    with pytest.raises(BackendError, match=r"REDUN_LOCALTIMEZONE = '.*' is no time zone: give a name such as"):
        migrate(database, LATEST)

    assert (read_version(database), read_times(database, "start_time")) == (parse_version("3.3"), before)


def test_zone_does_not_matter_without_jobs(database, monkeypatch):
    """A database without jobs is upgraded whatever the zone is."""
    monkeypatch.setenv(ZONE_VARIABLE, "Mars/Olympus")
    migrate(database, parse_version("3.3"))

    migrate(database, LATEST)

    assert read_version(database) == LATEST


@pytest.mark.parametrize(
    ("variables", "link", "file", "expected"),
    [
        ({ZONE_VARIABLE: "Asia/Tokyo", "TZ": "Europe/Paris"}, "Europe/Berlin", "", "Asia/Tokyo"),
        ({"TZ": ":Europe/Paris"}, "Europe/Berlin", "", "Europe/Paris"),
        ({}, "Europe/Berlin", "Asia/Tokyo", "Europe/Berlin"),
        ({}, "", "Asia/Tokyo\n", "Asia/Tokyo"),
        ({}, "", "", "UTC"),
        ({"TZ": "nowhere+3"}, "", "", None),
    ],
)
def test_zone_of_this_machine(monkeypatch, tmp_path, variables, link, file, expected):
    """The zone is that of the variable, or else of the machine as far as it has a name there."""
    monkeypatch.delenv(ZONE_VARIABLE, raising=False)
    monkeypatch.setenv("TZ", "UTC")
    for name, value in {"TZ": "", **variables}.items():
        monkeypatch.setenv(name, value)
    places = tmp_path / "usr" / "zoneinfo"
    (places / "Europe").mkdir(parents=True)
    (places / "Europe" / "Berlin").touch()
    (tmp_path / "link").symlink_to(places / (link or "missing"))
    (tmp_path / "timezone").write_text(file)
    monkeypatch.setattr(clocks, "ZONE_LINK", tmp_path / "link")
    monkeypatch.setattr(clocks, "ZONE_FILE", tmp_path / "timezone")
    time.tzset()

    try:
        if expected is None:
            with pytest.raises(BackendError, match="time zone of this machine has no name: set REDUN_LOCALTIMEZONE"):
                find_local_zone()
        else:
            assert find_local_zone() == expected
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, None),
        ("2024-07-01 12:00:00", "2024-07-01 10:00:00.000000"),
        ("2024-07-01 12:00:00+00:00", "2024-07-01 12:00:00.000000"),
        ("2024-03-31 02:30:00", "2024-03-31 01:30:00.000000"),
        ("soon", "soon"),
        (12, 12),
        ("0001-01-01 00:00:00", "0001-01-01 00:00:00"),
    ],
)
def test_odd_times(text, expected):
    """A time with a zone keeps its point in time; what is no time stays as it is."""
    from zoneinfo import ZoneInfo

    assert make_converter(ZoneInfo("Europe/Berlin"), to_utc=True)(text) == expected


@pytest.mark.parametrize("version", ["1.0", "3.4"])
def test_opening_an_old_database_upgrades_it(database, database_uri, lower, caplog, version):
    """A store that may is opened on an old database by upgrading it, which is logged in one line."""
    lower(version)
    database.close()

    with closing(SqlBackend(SqlOptions(database_uri, automigrate=True))) as backend:
        backend.load()

        assert read_version(backend.database) == LATEST
        assert backend.has_extension
    assert caplog.messages == [f"Upgrading db from version {version} to 3.5..."]


def test_upgrade_without_being_asked(database, database_uri, lower):
    """Unless the configuration says otherwise, SQLite's databases are upgraded when they are opened, and no others."""
    lower("3.4")
    backend = SqlBackend(SqlOptions(database_uri))

    with closing(backend):
        if database.dialect == "sqlite":
            backend.load()
        else:
            with pytest.raises(BackendError, match=r"has version 3\.4, .* automigrate is off: run `redun db upgrade`"):
                backend.load()

    assert read_version(database) == (LATEST if database.dialect == "sqlite" else parse_version("3.4"))


def test_latest_database_is_opened_as_it_is(database, database_uri, insert_records, read_records, caplog):
    """A database of the latest version is opened without a migration, whoever made it."""
    migrate(database, LATEST)
    records = insert_records(database)
    version = database.select("SELECT * FROM redun_version")

    with closing(SqlBackend(SqlOptions(database_uri))) as backend:
        backend.load()

    assert (read_records(database), caplog.messages) == (records, [])
    assert database.select("SELECT * FROM redun_version") == version


def test_memory_does_not_grow_with_the_database(database, monkeypatch):
    """A migration copies rows inside the database: its own memory is bounded."""
    import tracemalloc

    monkeypatch.setenv(ZONE_VARIABLE, "Europe/Berlin")
    migrate(database, parse_version("1.0"))
    key, text = "CAST(number AS VARCHAR(40))", "x" * 1000
    for statement in (
        f"task SELECT {key}, 't', 'n', '{text}' FROM numbers",
        f"value SELECT {key}, 'builtins.str', 'f', CAST('{text}' AS {BYTES[database.dialect]}) FROM numbers",
        f"job SELECT {key}, '2024-07-01 12:00:00', '2024-07-01 12:00:01', {key}, false, NULL, NULL FROM numbers",
        f"execution SELECT {key}, '[]', {key} FROM numbers",
    ):
        database.execute(f"{NUMBERS} INSERT INTO {statement}")
    migrate(database, parse_version("2.0"))  # What is imported for it is not to be counted.

    tracemalloc.start()
    migrate(database, LATEST)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert database.select("SELECT count(*) FROM job WHERE execution_id = id") == [(20_001,)]
    assert peak < 12_000_000
