"""Migrations that are killed, overlap, or meet somebody who is at work."""

import signal
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest

from redun.errors import BackendError
from redun_backend_sql.extension import is_extension_table
from redun_backend_sql.migrate import Move, migrate
from redun_backend_sql.migrations.clocks import ZONE_VARIABLE
from redun_backend_sql.versions import LATEST, parse_version, read_version

KILLED_EVERYWHERE = """
import os, signal, sys
from itertools import count
import alembic.command
from sqlalchemy import Engine, event
from redun_backend_sql.location import find_location
from redun_backend_sql.migrate import migrate
from redun_backend_sql.retry import NEVER
from redun_backend_sql.versions import parse_version, read_version

uri, target, step = sys.argv[1], parse_version(sys.argv[2]), int(sys.argv[3])

def open_database():
    return find_location(uri).open(NEVER)

def migrate_and_die(boundary):
    left = boundary

    def pass_boundary(statement):
        nonlocal left
        if statement.split()[0] not in ("SELECT", "PRAGMA"):
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            left -= 1

    event.listen(Engine, "before_cursor_execute", lambda conn, cursor, statement, *rest: pass_boundary(statement))
    event.listen(Engine, "commit", lambda conn: pass_boundary("COMMIT"))
    migrate(open_database(), target, may_lower=True)

migrate(find_location("sqlite://").open(NEVER), target)
for boundary in count(0, step):
    child = os.fork()
    if child == 0:
        migrate_and_die(boundary)
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    print(os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status), read_version(open_database()))
    if not os.WIFSIGNALED(status):
        break
"""

PAUSED_UPGRADE = """
import sys
from sqlalchemy import Engine, event
from redun_backend_sql.backend import SqlBackend
from redun_backend_sql.options import SqlOptions
from redun_backend_sql.versions import read_version

steps = []

def see(conn, cursor, statement, *rest):
    if statement.startswith(sys.argv[2]):
        print("paused", flush=True)
        sys.stdin.readline()
    if statement.split()[0] in ("ALTER", "CREATE", "DROP"):
        steps.append(statement)

event.listen(Engine, "before_cursor_execute", see)
backend = SqlBackend(SqlOptions(sys.argv[1], automigrate=True))
backend.load()
print(read_version(backend.database), bool(steps), flush=True)
"""

WAITS = {"sqlite": "BEGIN IMMEDIATE", "postgresql": "SELECT pg_advisory_xact_lock"}
"""The statement that waits for another migration."""


@pytest.fixture(autouse=True)
def _local_times(monkeypatch):
    """Times of old versions are those of a place that has summer time."""
    monkeypatch.setenv(ZONE_VARIABLE, "Europe/Berlin")


def kill_everywhere(uri, target, step):
    """Kill migrations before every so many statements; return how each ended, and the version that it left."""
    command = [sys.executable, "-c", KILLED_EVERYWHERE, uri, target, str(step)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()


@pytest.mark.parametrize("step", [6, pytest.param(1, marks=pytest.mark.slow)])
@pytest.mark.parametrize(("initial", "target"), [("2.3", "3.5"), ("3.5", "2.3")])
def test_killed_migration_has_not_happened(
    database, database_uri, insert_records, read_records, open_uri, make_uri, initial, target, step
):
    """A migration killed before any of its statements leaves the old version, and the next one goes all the way."""
    other = open_uri(make_uri())
    for each in (database, other):
        migrate(each, LATEST)
        insert_records(each)
        migrate(each, parse_version(initial), may_lower=True)
    before = read_records(database)
    migrate(other, parse_version(target), may_lower=True)
    database.close()

    output = kill_everywhere(database_uri, target, step)

    assert len(output) > 30 / step
    assert set(output[:-1]) == {f"{signal.SIGKILL.value} {initial}"}
    assert output[-1] == f"0 {target}"
    assert read_records(open_uri(database_uri)) == read_records(other) != before


@pytest.mark.parametrize("step", [9, pytest.param(1, marks=pytest.mark.slow)])
def test_killed_creation_has_not_happened(database, database_uri, open_uri, step):
    """Making the tables, killed before any of its statements, leaves an empty database."""
    database.close()

    output = kill_everywhere(database_uri, "3.5", step)

    assert len(output) > 50 / step
    assert set(output[:-1]) == {f"{signal.SIGKILL.value} -1.0"}
    assert read_version(open_uri(database_uri)) == LATEST


def test_upgrades_at_once_wait_for_one_another(database, database_uri, insert_records):
    """Of processes that open an old database at once one upgrades it; the others wait, and find nothing to do."""
    migrate(database, LATEST)
    insert_records(database)
    migrate(database, parse_version("3.2"), may_lower=True)
    command = [sys.executable, "-c", PAUSED_UPGRADE, database_uri]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}

    with subprocess.Popen([*command, "ALTER TABLE"], **pipes) as first:
        assert first.stdout.readline() == "paused\n"
        with subprocess.Popen([*command, WAITS[database.dialect]], **pipes) as second:
            assert second.stdout.readline() == "paused\n"
            second.stdin.write("go on\n")
            second.stdin.flush()
            first_output, _ = first.communicate("go on\n" * 50)
            second_output, second_errors = second.communicate()

    assert first_output.splitlines()[-1] == "3.5 True"
    assert (second_output, second_errors) == ("3.5 False\n", "")
    assert (first.returncode, second.returncode) == (0, 0)


def test_migration_that_fails_changes_nothing(database, insert_records, read_records):
    """An upgrade that meets rows it can't handle leaves rows, version and tables beside the schema as they were."""
    migrate(database, LATEST)
    insert_records(database)
    migrate(database, parse_version("3.3"), may_lower=True)
    database.execute("CREATE TABLE redun_ext_note (id INTEGER)")
    database.execute("CREATE TABLE ix_tag_tag_hash_current (id INTEGER)")
    before = read_records(database)

    with pytest.raises(BackendError, match="ix_tag_tag_hash_current"):
        migrate(database, LATEST)

    assert (read_version(database), read_records(database)) == (parse_version("3.3"), before)
    assert any(map(is_extension_table, database.tables()))


def test_locked_sqlite_database(open_uri, tmp_path):
    """A database that another process keeps locked is an error in one sentence, and nothing is changed."""
    database = open_uri(f"sqlite:///{tmp_path}/redun.db")
    migrate(database, parse_version("3.4"))
    database.connection.execute("PRAGMA busy_timeout = 0")

    with closing(sqlite3.connect(tmp_path / "redun.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(BackendError, match=r"redun\.db can't be used: database is locked; another process kept it"):
            migrate(database, LATEST)

    assert migrate(database, LATEST) == Move(parse_version("3.4"), LATEST)


def test_postgres_table_in_use(postgres_uri, open_uri, monkeypatch):
    """A table that a program does not let go of is an error in one sentence, and nothing is changed."""
    import psycopg

    from redun_backend_sql import postgres

    monkeypatch.setattr(postgres, "LOCK_SECONDS", 0.05)
    database = open_uri(postgres_uri)
    migrate(database, parse_version("3.3"))

    with closing(psycopg.connect(postgres_uri)) as other:
        other.execute("SELECT * FROM job")
        with pytest.raises(BackendError, match="another program is using the tables: try again when it is done"):
            migrate(database, LATEST)

    assert migrate(database, LATEST) == Move(parse_version("3.3"), LATEST)
