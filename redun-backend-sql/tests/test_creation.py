"""The tables of a new SQLite database are made as the migrations make them, without what those need."""

import os
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest

from redun_backend_sql.creation import STATEMENTS, create_tables
from redun_backend_sql.migrate import migrate
from redun_backend_sql.sqlite import SqliteDatabase
from redun_backend_sql.versions import LATEST, NO_SCHEMA, find_migration, parse_version, read_version

WRITE_VARIABLE = "REDUN_WRITE_SCHEMA"

FIRST_RUN = """
import sys
from redun import Scheduler, task
from redun.config import Config

@task(namespace="test_creation", version="1")
def double(number):
    return 2 * number

with Scheduler(Config({"backend": {"db_uri": "sqlite:///" + sys.argv[1]}})) as scheduler:
    assert scheduler.run(double(21)) == 42
print(sorted({name.partition(".")[0] for name in sys.modules} & {"sqlalchemy", "alembic"}))
"""


@pytest.fixture
def open_database(tmp_path):
    """Opens databases of this test by name."""
    opened = []

    def open_one(name):
        opened.append(SqliteDatabase(str(tmp_path / name)))
        return opened[-1]

    yield open_one
    for database in opened:
        database.close()


def list_statements(database):
    """Return what the tables and indexes were made with, in order."""
    rows = database.select("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY rowid")
    return [statement for (statement,) in rows]


def list_contents(database):
    """Return the rows of all tables, apart from ids and times."""
    tables = sorted(database.tables() - {"redun_version"})
    contents = {table: database.select(f"SELECT * FROM {table}") for table in tables}
    return {**contents, "redun_version": database.select("SELECT version FROM redun_version")}


def test_tables_are_those_of_the_migrations(open_database):
    """What is made is letter by letter what the migrations come to; REDUN_WRITE_SCHEMA=1 writes the statements anew."""
    migrated, created = open_database("migrated.db"), open_database("created.db")
    migrate(migrated, LATEST)
    if os.environ.get(WRITE_VARIABLE):
        STATEMENTS.write_text(";\n".join(list_statements(migrated)) + "\n", encoding="utf-8")

    assert create_tables(created)

    assert [statement.strip() for statement in list_statements(created)] == list_statements(migrated)
    assert list_contents(created) == list_contents(migrated)
    assert find_migration(LATEST).revision == created.select("SELECT version_num FROM alembic_version")[0][0]


def test_version_says_when_it_was_made(open_database):
    """The row of the version has an id and a time in UTC in the form of all times."""
    database = open_database("created.db")

    create_tables(database)

    [(version_id, made, now)] = database.select(
        "SELECT id, timestamp, strftime('%Y-%m-%d %H:%M', 'now') FROM redun_version"
    )
    assert len(version_id) == 36
    assert len(made) == len("2026-01-01 00:00:00.000000")
    assert abs(int(made[14:16]) - int(now[14:16])) in (0, 1, 59)


@pytest.mark.parametrize(("version", "is_latest"), [("2.3", False), ("latest", True)])
def test_tables_of_others_are_left_alone(open_database, version, is_latest):
    """Where another process was quicker nothing is made, whatever it made; only the latest version is wanted."""
    database = open_database("test.db")
    migrate(database, parse_version(version))
    before = list_statements(database)

    has_them = create_tables(database)

    assert (has_them, list_statements(database)) == (is_latest, before)


def test_interrupted_creation_leaves_an_empty_database(open_database):
    """If the last statement fails, none of the tables is there."""
    database = open_database("test.db")
    database.connection.set_authorizer(
        lambda action, name, *_: (
            sqlite3.SQLITE_DENY if action == sqlite3.SQLITE_INSERT and name == "alembic_version" else sqlite3.SQLITE_OK
        )
    )

    with pytest.raises(Exception, match="not authorized"):
        create_tables(database)

    database.connection.set_authorizer(lambda *_: sqlite3.SQLITE_OK)
    assert read_version(database) == NO_SCHEMA
    assert database.tables() == set()


def test_first_run_imports_no_sqlalchemy(tmp_path):
    """A first run makes its database without the libraries that migrations need."""
    path = tmp_path / "new.db"

    done = subprocess.run([sys.executable, "-c", FIRST_RUN, str(path)], capture_output=True, text=True, timeout=120)

    assert (done.returncode, done.stdout.strip().splitlines()[-1:]) == (0, ["[]"]), done.stderr
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT count(*) FROM job").fetchone() == (1,)


def test_processes_create_one_database_together(tmp_path):
    """Of several first runs at once one makes the tables, and all of them work."""
    path = tmp_path / "new.db"
    command = [sys.executable, "-c", FIRST_RUN, str(path)]

    running = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(4)]
    results = [process.communicate(timeout=120) for process in running]

    assert [process.returncode for process in running] == [0] * 4, results
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT count(*) FROM execution").fetchone() == (4,)
        assert connection.execute("SELECT count(*) FROM redun_version").fetchone() == (1,)
