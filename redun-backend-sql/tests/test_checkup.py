import sqlite3
import subprocess
import sys

import pytest

from redun import Scheduler, task
from redun.checks import State
from redun.config import Config
from redun.workspace import Workspace
from redun_backend_sql.checkup import check_database
from redun_backend_sql.journal.segment import SUFFIX

KILLED = """
import os, sys
from redun.backends.base import Batch
from redun.values.registry import get_type_registry
from redun_backend_sql.backend import SqlBackend
from redun_backend_sql.options import SqlOptions

backend = SqlBackend(SqlOptions(config_dir=sys.argv[1]))
backend.load()
value = get_type_registry().encode("waiting")
backend.journal(Batch(values={value.value_hash: value}))
os._exit(9)
"""


@task(namespace="checkup", version="1")
def identity(value):
    return value


@pytest.fixture
def folder(tmp_path):
    """A configuration folder with a database of one execution."""
    configured = tmp_path / ".redun"
    configured.mkdir()
    (configured / "redun.ini").write_text("[backend]\ndb_uri = sqlite:///redun.db\n")
    with Scheduler(Config.read(configured)) as scheduler:
        scheduler.run(identity(1))
    return configured


def examine(folder):
    return {finding.subject: finding for finding in check_database(Workspace(str(folder)))}


def test_database_in_order(folder):
    """A database that works is shown with its version and its size."""
    found = examine(folder)

    assert found["database"].state is State.OK
    assert f"{folder / 'redun.db'}, version 3.5, " in found["database"].text
    assert found["journals"].state is State.OK


def test_missing_database_is_not_made(folder):
    """A database that is not there yet is no problem, and is not made."""
    (folder / "redun.db").unlink()

    found = examine(folder)

    assert "is not there yet: the first run makes it" in found["database"].text
    assert not (folder / "redun.db").exists()


@pytest.mark.parametrize(
    ("break_it", "words"),
    [
        (lambda path: path.write_bytes(b"no database" * 1000), "it is no SQLite database, or it is damaged"),
        (lambda path: (path.unlink(), path.mkdir()), "can't be"),
    ],
)
def test_damaged_database_is_a_problem(folder, break_it, words):
    """What is no database is a problem with the way out."""
    break_it(folder / "redun.db")

    found = examine(folder)["database"]

    assert found.state is State.PROBLEM
    assert words in found.text
    assert found.advice


def test_database_of_another_version_is_a_problem(folder):
    """A database that is older than this redun needs is not upgraded, and the command that does it is said."""
    path = folder / "redun.db"
    with sqlite3.connect(path) as connection:
        connection.execute("DELETE FROM redun_version")
        connection.execute("DELETE FROM alembic_version")
        connection.execute("INSERT INTO alembic_version VALUES ('f68b3aaee9cc')")
    connection.close()
    before = path.read_bytes()

    found = examine(folder)["database"]

    assert found.state is State.PROBLEM
    assert path.read_bytes() == before


def test_server_that_is_away_is_not_waited_for(folder):
    """A server that does not answer is a problem at once."""
    (folder / "redun.ini").write_text("[backend]\ndb_uri = postgresql://nobody@127.0.0.1:1/none\n")

    found = examine(folder)["database"]

    assert found.state is State.PROBLEM
    assert "postgresql://nobody@127.0.0.1:1/none" in found.text


def test_journals_that_wait_are_a_warning(folder, tmp_path):
    """Records of a killed run that are in its journal only are counted, and stay there."""
    script = tmp_path / "killed.py"
    script.write_text(KILLED)
    done = subprocess.run([sys.executable, script, folder], capture_output=True, text=True)
    journals = list(folder.glob(f"*{SUFFIX}"))

    found = next(check for check in check_database(Workspace(str(folder))) if check.subject == "journals")

    assert done.returncode == 9, done.stderr
    assert (found.state, found.text) == (State.WARNING, "1 record(s) of runs that were killed wait to be recorded")
    assert len(journals) == 1
    assert list(folder.glob(f"*{SUFFIX}")) == journals
