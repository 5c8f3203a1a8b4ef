import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path

import pytest

from redun.errors import BackendError
from redun_backend_sql.backend import SqlBackend
from redun_backend_sql.migrate import migrate
from redun_backend_sql.options import SqlOptions
from redun_backend_sql.sqlite import SqliteDatabase
from redun_backend_sql.versions import HEAD, REVISIONS, SchemaVersion, parse_version

KILLED_CREATION = """
import os, signal, sys
from redun_backend_sql.sqlite import SqliteDatabase
from redun_backend_sql.versions import ensure_schema

def kill_at(statement):
    if sys.argv[2] in statement:
        os.kill(os.getpid(), signal.SIGKILL)

database = SqliteDatabase(sys.argv[1])
database.connection.set_trace_callback(kill_at)
ensure_schema(database, automigrate=True)
"""

PAUSED_CREATION = """
import sys
from redun_backend_sql.sqlite import SqliteDatabase
from redun_backend_sql.versions import ensure_schema

def pause_at(statement):
    if sys.argv[2] in statement:
        print("paused", flush=True)
        sys.stdin.readline()

database = SqliteDatabase(sys.argv[1])
database.connection.set_trace_callback(pause_at)
ensure_schema(database, automigrate=True)
print(len(database.tables()), flush=True)
"""


def open_and_close(path, **options):
    backend = SqlBackend(SqlOptions(f"sqlite:///{path}", **options))
    backend.load()
    tables = backend.database.tables()
    backend.close()
    return tables


def execute(path, script):
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(script)


def test_every_version_is_known():
    """Every version that there has been is known by its migration, the newest is the one to work with."""
    assert (len(REVISIONS), REVISIONS[HEAD]) == (11, SchemaVersion(3, 5))
    assert [str(version) for version in REVISIONS.values()] == sorted(map(str, REVISIONS.values()))


def make_newer(path):
    execute(path, "UPDATE alembic_version SET version_num = 'ffffffffffff'")


def make_newer_major(path):
    make_newer(path)
    execute(path, "INSERT INTO redun_version VALUES ('x', 4, '2030-01-01')")


def make_ambiguous(path):
    execute(path, "INSERT INTO alembic_version VALUES ('3b0a6e67cc58')")


def make_incomplete(path):
    execute(path, "DROP TABLE evaluation; DROP TABLE job")


def make_versionless(path):
    execute(path, "DELETE FROM alembic_version")


def make_foreign(path):
    path.unlink()
    execute(path, "CREATE TABLE invoice (id); CREATE TABLE customer (id)")


def make_foreign_with_migrations(path):
    path.unlink()
    execute(path, "CREATE TABLE invoice (id); CREATE TABLE alembic_version (version_num)")


def make_text(path):
    path.write_text("This is no database, but it is long enough to be one.\n" * 20)


def damage(path):
    data = path.read_bytes()
    path.write_bytes(data[:100] + b"\xff" * 4000 + data[4100:])


def make_directory(path):
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (make_newer, r"has a newer version than this redun knows \(3\.\?\), this .* with version 3\.5: upgrade redun"),
        (make_newer_major, r"has a newer version than this redun knows \(4\.\?\), .*: upgrade redun"),
        (make_ambiguous, "has more than one version: it is damaged; restore a copy, or move it away"),
        (make_incomplete, "lacks the tables evaluation, job: it is damaged; restore a copy, or move it away"),
        (make_foreign, r"is no redun database \(it has tables customer, invoice\): choose another path.*db_uri"),
        (make_foreign_with_migrations, r"is no redun database \(it has tables alembic_version, invoice\)"),
        (make_versionless, "has tables but no version: it is damaged; restore a copy, or move it away"),
        (make_text, "is no SQLite database, or it is damaged: restore a copy, or move it away"),
        (damage, "is no SQLite database, or it is damaged"),
        (make_directory, r"can't be (used|opened).*check that the file and its folder exist"),
    ],
)
def test_what_is_no_database_of_this_version_is_left_alone(empty_database, tmp_path, make, message):
    """What redun can't work with is an error in one sentence that names path and way out; nothing is changed."""
    path = tmp_path / "odd.db"
    shutil.copy(empty_database, path)
    make(path)
    before = path.read_bytes() if path.is_file() else None

    with pytest.raises(BackendError, match=message) as caught:
        open_and_close(path)

    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert (path.read_bytes() if path.is_file() else None) == before
    assert [name for name in os.listdir(tmp_path) if not name.startswith("odd.db")] == []


def test_empty_file_becomes_a_database(tmp_path):
    """An empty file, as a first run that was killed may leave it, gets the tables."""
    path = tmp_path / "redun.db"
    path.touch()

    actual = open_and_close(path)

    assert {"value", "job", "alembic_version"} <= actual


def test_missing_folder_is_named(tmp_path):
    """A database in a folder that does not exist is an error that names the folder, which is not made."""
    with pytest.raises(BackendError, match=r"can't be opened: there is no folder .*nope") as caught:
        open_and_close(tmp_path / "nope" / "redun.db")

    assert "\n" not in str(caught.value)
    assert os.listdir(tmp_path) == []


def test_file_that_may_not_be_written_is_named(empty_database, denying_writes):
    """A database that may only be read is an error in one sentence that names it and says what to check."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copy(empty_database, folder / "redun.db")
        execute(folder / "redun.db", "PRAGMA journal_mode = DELETE")

        with denying_writes(folder), pytest.raises(BackendError, match=r"redun\.db.*may be written") as caught:
            open_and_close(folder / "redun.db")

    assert "\n" not in str(caught.value)


def test_folder_that_may_not_be_written_is_named(denying_writes):
    """A new database in a folder that may only be read is an error in one sentence that says what to check."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)

        with denying_writes(folder), pytest.raises(BackendError, match=r"redun\.db.*may be written") as caught:
            open_and_close(folder / "redun.db")

    assert "\n" not in str(caught.value)


def test_tables_are_made_only_where_that_is_allowed(tmp_path):
    """Without automigrate, a database that has no tables is an error that says so."""
    with pytest.raises(BackendError, match=r"has no tables yet, and .* automigrate is off"):
        open_and_close(tmp_path / "redun.db", automigrate=False)


@pytest.mark.parametrize(
    ("automigrate", "message"),
    [
        (False, r"has version 3\.4, this redun works with version 3\.5, and .* is off: run `redun db upgrade`"),
        (True, r"has version 3\.4, .* it may only be read: let somebody who may write to it run `redun db upgrade`"),
    ],
)
def test_old_database_that_may_not_be_upgraded(denying_writes, automigrate, message):
    """A database of an older version that may not be upgraded is an error that says who can; it is left as it is."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with closing(SqliteDatabase(str(folder / "redun.db"))) as database:
            migrate(database, SchemaVersion(3, 4))
        before = (folder / "redun.db").read_bytes()

        with denying_writes(folder), pytest.raises(BackendError, match=message):
            open_and_close(folder / "redun.db", automigrate=automigrate)

        assert (folder / "redun.db").read_bytes() == before


@pytest.mark.parametrize(
    ("text", "expected"),
    [("3.1", "3.1"), ("3", "3.5"), ("1", "1.0"), ("latest", "3.5"), ("cd2d53191748", "3.0"), ("2.0", "2.0")],
)
def test_ways_to_name_a_version(text, expected):
    """A version is named by its numbers, by its major number for its latest, by its migration, or as the latest."""
    assert str(parse_version(text)) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("3.6", r"there is no version '3\.6' of the schema; did you mean 3\.5\?"),
        ("lastest", "did you mean latest"),
        ("cd2d5319174", "did you mean cd2d53191748"),
        ("", r"there is no version '' of the schema; there are 1\.0, .*, 3\.5 and latest"),
        ("-1.0", "there is no version '-1.0'"),
        ("0", "there is no version '0'"),
        ("base", "there is no version 'base'"),
        ("head", "there is no version 'head'"),
        ("3.?", "there is no version"),
    ],
)
def test_versions_that_there_are_not(text, message):
    """A version that there has not been is an error that names the nearest one, or all."""
    with pytest.raises(BackendError, match=message):
        parse_version(text)


def test_existing_tables_need_no_migration(empty_database, tmp_path):
    """Without automigrate, a database that has its tables is opened."""
    shutil.copy(empty_database, tmp_path / "redun.db")

    actual = open_and_close(tmp_path / "redun.db", automigrate=False)

    assert "value" in actual


@pytest.mark.parametrize(
    "statement",
    ["CREATE TABLE call_node", "INTO alembic_version", "COMMIT"],
)
def test_killed_creation_leaves_nothing_behind(tmp_path, statement):
    """A first run killed at any point of creating the tables leaves a file in which the next one creates them."""
    path = tmp_path / "redun.db"
    killed = subprocess.run([sys.executable, "-c", KILLED_CREATION, path, statement], check=False)

    actual = open_and_close(path)

    assert killed.returncode == -signal.SIGKILL
    assert {"value", "job", "alembic_version"} <= actual


def test_processes_that_create_at_once_wait_for_one_another(tmp_path):
    """When several processes create one database at once, one does it, the others wait, and all can use it."""
    path = tmp_path / "redun.db"
    command = [sys.executable, "-c", PAUSED_CREATION, str(path)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}

    with subprocess.Popen([*command, "CREATE TABLE call_node"], **pipes) as first:
        assert first.stdout.readline() == "paused\n"
        with subprocess.Popen([*command, "BEGIN IMMEDIATE"], **pipes) as second:
            waits = second.stdout.readline()
            second.stdin.write("go on\n")
            second.stdin.flush()
            first.communicate("go on\n")
            output, _ = second.communicate()

    assert (waits, output) == ("paused\n", "18\n")
    assert (first.returncode, second.returncode) == (0, 0)
