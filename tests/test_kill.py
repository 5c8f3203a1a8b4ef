"""A first run may be killed at any moment; the next command works, and nothing is half there.

The moments are those at which something changes outside the process: a file is opened for writing, renamed, linked or
removed, a folder made, a statement of SQL begun. They are counted by hooks of the interpreter and of the database
driver, put into the child process from outside, which kills itself with SIGKILL just before the n-th.
"""

import os
import signal
import sqlite3
import subprocess
import sys

import pytest

_WORKFLOW = """
from redun import File, task

redun_namespace = "kill"

@task()
def write(number: int) -> File:
    file = File(f"out-{number}.txt")
    file.write(str(number))
    return file

@task()
def main() -> list[File]:
    return [write(number) for number in range(3)]
"""

_COUNTER = """
import atexit, os, signal, sqlite3, sys

limit, report = int(os.environ["KILL_AT"]), os.environ["KILL_REPORT"]
count = 0

def pass_moment(*_):
    global count
    count += 1
    if count == limit:
        os.kill(os.getpid(), signal.SIGKILL)

def watch(event, arguments):
    if event == "open" and isinstance(arguments[0], str) and arguments[0].startswith(os.getcwd() + "/."):
        pass_moment()
    elif event in ("os.rename", "os.link", "os.remove", "os.mkdir") and "__pycache__" not in str(arguments[0]):
        pass_moment()

def connect(*arguments, open_database=sqlite3.connect, **settings):
    pass_moment()
    connection = open_database(*arguments, **settings)
    connection.set_trace_callback(pass_moment)
    return connection

sys.addaudithook(watch)
sqlite3.connect = connect
atexit.register(lambda: print(count, file=open(report, "w")))
"""


@pytest.fixture
def run(tmp_path):
    """A function that runs the workflow in a folder, killed before the n-th moment; n = 0 is never."""
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    (hooks / "sitecustomize.py").write_text(_COUNTER)

    def run_workflow(folder, kill_at=0):
        folder.mkdir(exist_ok=True)
        (folder / "workflow.py").write_text(_WORKFLOW)
        report = tmp_path / "count"
        environment = {
            **os.environ,
            "PYTHONPATH": str(hooks),
            "PYTHONDONTWRITEBYTECODE": "1",
            "KILL_AT": str(kill_at),
            "KILL_REPORT": str(report),
        }
        command = [sys.executable, "-m", "redun_cli", "run", "workflow.py", "main"]
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
        return done, int(report.read_text()) if done.returncode == 0 else None

    return run_workflow


def check_store(folder):
    """Assert that the database is whole: its pages, its references, and no execution without its root job."""
    connection = sqlite3.connect(folder / ".redun" / "redun.db")
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    connection.close()


def check_killed_first_run(run, folder, moment):
    """Assert that a run after a first one that was killed at a moment works, and that another is all cached."""
    killed, _ = run(folder, moment)
    assert killed.returncode == -signal.SIGKILL

    again, _ = run(folder)
    assert again.returncode == 0, again.stderr
    assert "out-2.txt" in again.stdout
    check_store(folder)

    replayed, _ = run(folder)
    assert "Run " not in replayed.stderr
    leftovers = [path.name for path in (folder / ".redun").iterdir() if path.name.endswith(".ini") is False]
    assert [name for name in leftovers if not name.startswith("redun.db") and not name.endswith(".tmp")] == []


@pytest.fixture
def moments(run, tmp_path):
    """How many moments a first run has."""
    done, count = run(tmp_path / "whole")
    assert done.returncode == 0, done.stderr
    assert count > 50
    return count


def test_first_run_can_be_killed_at_any_moment(run, moments, tmp_path):
    """After a kill at any of some moments, spread over the whole first run, the next run works."""
    step = max(1, moments // 8)
    for moment in range(1, moments, step):
        check_killed_first_run(run, tmp_path / f"killed-{moment}", moment)


@pytest.mark.slow
def test_first_run_can_be_killed_at_every_moment(run, moments, tmp_path):
    """After a kill at each single moment of a first run, the next run works."""
    for moment in range(1, moments):
        check_killed_first_run(run, tmp_path / f"killed-{moment}", moment)
