"""Following what changes while a screen shows it."""

import subprocess
import sys

import pytest

RUN = """
import sqlite3, sys, time
from redun import Scheduler, task
from redun.config import Config

@task(namespace="live", version="1", source="def step(x): ...")
def step(x):
    if x:
        database = sqlite3.connect(sys.argv[1])
        while not list(database.execute("SELECT 1 FROM execution WHERE args LIKE '%live.py%'")):
            time.sleep(0.01)
        database.close()
        print("running", flush=True)
        sys.stdin.readline()
    return x

@task(namespace="live", version="1", source="def main(): ...")
def main():
    return [step(0), step(1)]

config = Config({"backend": {"db_uri": f"sqlite:///{sys.argv[1]}"}})
with Scheduler(config) as scheduler:
    scheduler.run(main(), exec_argv=["redun", "run", "live.py"])
"""
REFRESH_SECONDS = 0.05


@pytest.fixture
def running(path):
    """A process with a workflow that is recorded, and waits for a line on its standard input."""
    arguments = [sys.executable, "-c", RUN, str(path)]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "running\n"
        yield process
        process.kill()


def test_running_workflow_is_followed_to_its_end(visit, running):
    """The list and an execution on the screen change by themselves while another process runs and ends it."""

    async def script(session):
        await session.until(lambda: "run live.py" in session.text)
        listed = session.text
        await session.press("home", "enter")
        await session.until(lambda: "live.step(1)" in session.text or "live.step(...)" in session.text)
        shown = session.text
        running.stdin.write("\n")
        running.stdin.flush()
        await session.until(lambda: "RUNNING" not in session.lines[2] and "took" in session.text)
        return listed, shown, session.text

    listed, shown, ended = visit("executions", script, size=(100, 30), refresh_seconds=REFRESH_SECONDS)

    assert "RUNNING" in next(line for line in listed.splitlines() if "run live.py" in line)
    assert "Status     RUNNING" in shown
    assert "Status     DONE" in ended


def test_killed_workflow_is_seen_to_be_lost(visit, running):
    """An execution whose process is killed while it is on the screen is shown as lost, though nobody has written so."""

    async def script(session):
        await session.until(lambda: "Status     RUNNING" in session.text)
        running.kill()
        running.wait()
        await session.until(lambda: "Status     LOST" in session.text)
        return session.text

    text = visit("executions/-", script, size=(100, 30), refresh_seconds=REFRESH_SECONDS)

    assert "jobs had ended when its process was gone" in text


def test_cursor_stays_on_its_record(visit, recorder):
    """When executions are added above, the cursor stays on the one that it was on."""

    async def script(session):
        await session.press("down")
        before = next(line for line in session.lines if line.startswith(">"))
        recorder.execution(4, '["redun", "run", "new.py"]', 11)
        recorder.job(11, 4, "x", 20_000, 20_001)
        await session.until(lambda: "new.py" in session.text)
        return before, next(line for line in session.lines if line.startswith(">"))

    before, after = visit("executions", script, refresh_seconds=REFRESH_SECONDS)

    assert before == after


def test_time_of_a_running_job_goes_on(visit):
    """How long something has been running is shown anew as time passes."""
    times = iter(range(1_777_900_000, 1_777_999_999))

    async def script(session):
        first = session.lines[4]
        await session.until(lambda: session.lines[4] != first)
        return first, session.lines[4]

    first, later = visit("jobs/10bb", script, clock=lambda: next(times), refresh_seconds=REFRESH_SECONDS)

    start = "  Started    2026-05-04 12:30:01, took 0:36:"
    assert first.startswith(start)
    assert later.startswith(start)
