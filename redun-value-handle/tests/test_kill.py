"""Processes that are killed between what a step wrote outside and its record: the next run knows, and runs it again."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import warehouse

WORKFLOW = """
import os, signal, sys
from redun import Scheduler, task
from warehouse import Warehouse

uri, store, version, is_killed = sys.argv[1:]

@task(namespace="kill", version=version)
def load(handle):
    handle.load("load", version)
    if is_killed == "in load":
        os.kill(os.getpid(), signal.SIGKILL)
    return handle

@task(namespace="kill", version="1")
def after(handle):
    handle.load("after", "1")
    if is_killed == "in after":
        os.kill(os.getpid(), signal.SIGKILL)
    return handle

@task(namespace="kill", version="1")
def main(uri):
    return after(load(Warehouse("conn", uri)))

with Scheduler({"backend": {"db_uri": store}}) as scheduler:
    scheduler.run(main(uri))
"""

on_sqlite = pytest.mark.parametrize("world", [("sql", "sqlite")], ids="-".join, indirect=True)


@pytest.fixture
def run(outside, tmp_path):
    """Runs the workflow in a process of its own, with a version of its first step; returns what the process said."""
    path = tmp_path / "workflow.py"
    path.write_text(WORKFLOW)
    environment = {**os.environ, "PYTHONPATH": str(Path(warehouse.__file__).parent)}

    def run_workflow(version, is_killed=""):
        command = [sys.executable, str(path), outside, f"sqlite:///{tmp_path}/redun.db", version, is_killed]
        done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120)
        assert done.returncode == (-signal.SIGKILL if is_killed else 0), done.stderr
        return done.stderr

    return run_workflow


@on_sqlite
def test_step_killed_after_its_write_runs_again(run, rows):
    """A step that wrote and was killed before that was recorded runs again, and the log says why."""
    run("1", "in load")
    assert rows() == {"load": ("1", 1)}

    said = run("1")

    assert "an earlier call, which may have changed a handle, did not come to its end; kill.load runs again" in said
    assert rows() == {"load": ("1", 2), "after": ("1", 1)}


@pytest.mark.parametrize("world", [("sql", "sqlite"), ("sql", "postgresql")], ids="-".join, indirect=True)
def test_change_that_was_killed_is_not_taken_for_undone(run, rows):
    """A changed step writes and is killed; the step as it was before has to run again, and all that comes after it."""
    run("1")
    run("2", "in load")
    assert rows()["load"] == ("2", 2)

    run("1")

    assert rows() == {"load": ("1", 3), "after": ("1", 2)}


@on_sqlite
def test_finished_step_of_a_killed_run_does_not_run_again(run, rows):
    """What came to its end before the kill is not done again, nor is it when it is the only thing that was changed."""
    run("1")
    run("2", "in after")

    run("2")

    assert rows() == {"load": ("2", 2), "after": ("1", 3)}
