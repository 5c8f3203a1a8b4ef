"""``redun run --format json``: the events of a run, for programs."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from redun_cli.events import __doc__ as documentation

PROGRAM = Path(sys.executable).with_name("redun")

FLOW = """
import os, subprocess, sys
from redun import task
from redun.task import Task

redun_namespace = "events"
print("printed by the script")

@task(version="1")
def double(x):
    print("printed by a task")
    subprocess.run(["echo", "printed by a program"])
    return 2 * x

@task(version="1")
def main(x: int = 1):
    return [double(x), double(x + 1)]

@task(version="1")
def fail(token):
    raise ValueError("no luck with password='hunter2'")

@task(version="1")
def fail_main():
    return fail("secret")

@task(version="1")
def many(n: int):
    return [double.options(prov=True)(i) for i in range(n)]

@task(version="1")
def formatted(format: str = "none"):
    return format

@task(version="1")
def large():
    return "x" * 100_000
"""


@pytest.fixture
def stored(project, tmp_path_factory):
    """Results are kept in a database."""
    folder = tmp_path_factory.mktemp("repository")
    subprocess.run([PROGRAM, "init"], cwd=folder, check=True, capture_output=True)
    shutil.rmtree(project / ".redun")
    shutil.copytree(folder / ".redun", project / ".redun")


@pytest.fixture
def run(project):
    """A function that runs a task and returns its exit status, the events, and the error stream."""
    (project / "flow.py").write_text(FLOW)

    def run_once(*arguments):
        command = [PROGRAM, "run", "--format", "json", "flow.py", *arguments]
        finished = subprocess.run(command, cwd=project, capture_output=True, text=True)
        return finished.returncode, [json.loads(line) for line in finished.stdout.splitlines()], finished.stderr

    return run_once


def test_events_tell_what_happens(run):
    """There is a line for the start and the end of the execution and of each job, with what identifies it."""
    status, events, _ = run("main", "--x", "3", "--user", "ann")
    first, *jobs, last = events
    root = jobs[0]["job"]

    assert status == 0
    assert [(event["event"], event.get("task")) for event in jobs] == [
        ("job_start", "events.main"),
        ("job_start", "events.double"),
        ("job_start", "events.double"),
        ("job_finish", "events.double"),
        ("job_finish", "events.double"),
        ("job_finish", "events.main"),
    ]
    assert len({event["execution"] for event in events}) == 1
    assert first.keys() == {"event", "time", "execution", "args", "version", "tags", "dryrun"}
    assert (first["args"][-4:], first["tags"]["user"], first["dryrun"]) == (
        ["--x", "3", "--user", "ann"],
        ["ann"],
        False,
    )
    assert [event["parent"] for event in jobs] == [None, root, root, root, root, None]
    assert {event["reason"] for event in jobs} == {"no earlier result is recorded"}
    assert [event["status"] for event in jobs[3:]] == ["DONE"] * 3
    assert [event["time"] for event in events] == sorted(event["time"] for event in events)
    assert last["status"] == "DONE"
    assert (last["result"], last["error"]) == ("[6, 8]", None)
    assert last["jobs"]["events.double"] == {"PENDING": 0, "RUNNING": 0, "FAILED": 0, "CACHED": 0, "DONE": 2}
    assert 0 <= jobs[-1]["duration"] <= last["duration"]


def test_every_event_has_its_keys(run):
    """Events have the keys that are documented, and hashes are those that are recorded."""
    _, events, _ = run("main")
    start, finish = events[1], events[-2]
    about = {"event", "time", "execution", "job", "parent", "task", "task_hash", "eval_hash", "reason"}

    assert start.keys() == about | {"args_hash"}
    assert finish.keys() == about | {"call_hash", "status", "duration", "error"}
    assert {len(event[key]) for event in (start, finish) for key in event if key.endswith("_hash")} == {40}
    assert [key for event in events for key in event if f"``{key}``" not in documentation] == []


def test_cached_jobs_have_no_reason(run, stored):
    """A job that is answered from the cache says so, and has no reason to run."""
    run("main")
    _, events, _ = run("main")

    finished = [event for event in events if event["event"] == "job_finish"]
    assert [(event["status"], event["reason"]) for event in finished] == [("CACHED", None)] * 3


def test_failure_is_an_event(run):
    """A failure is told with the kind of error and its message, secrets masked; the exit status is 1."""
    status, events, errors = run("fail_main")
    ends = [(event["event"], event["status"], event["error"]["type"]) for event in events if event.get("error")]

    assert status == 1
    assert ends == [
        ("job_finish", "FAILED", "ValueError"),
        ("job_finish", "FAILED", "ValueError"),
        ("execution_finish", "FAILED", "ValueError"),
    ]
    assert events[-1]["result"] is None
    assert "no luck with" in events[-1]["error"]["message"]
    assert "hunter2" not in json.dumps(events)
    assert "*** Execution failed." in errors


def test_dry_run_says_what_would_run(run):
    """A dry run ends with the number of calls that would run, and status 1."""
    status, events, _ = run("main", "--dryrun")

    assert status == 1
    assert [event["event"] for event in events] == ["execution_start", "execution_finish"]
    assert events[0]["dryrun"] is True
    assert (events[-1]["status"], events[-1]["would_run"], events[-1]["error"]) == ("DRYRUN", {"events.main": 1}, None)


def test_whatever_is_printed_goes_to_the_error_stream(run):
    """Scripts, tasks and programs that print do not disturb the events."""
    _, events, errors = run("main")

    assert len(events) == 8
    assert errors.count("printed by the script") == 1
    assert errors.count("printed by a task") == errors.count("printed by a program") == 2
    assert "[redun] | JOB STATUS" in errors


def test_results_are_cut(run):
    """The text of a result has a bounded length."""
    _, events, _ = run("large")

    assert len(events[-1]["result"]) == 1_000


def test_option_of_the_task_is_the_tasks(run, project):
    """After the name of a task that has such a parameter, the option is the task's, and the output as usual."""
    command = [PROGRAM, "run", "flow.py", "formatted", "--format", "json"]
    finished = subprocess.run(command, cwd=project, capture_output=True, text=True)

    assert finished.stdout.splitlines()[-1] == "'json'"


def test_option_of_both(run):
    """Before the task, the option asks for events; after it, it is the task's; whatever else is given."""
    _, events, _ = run("formatted", "--format", "csv", "--progress", "none")

    assert events[-1]["result"] == "'csv'"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--format", "xml"], "Invalid value for '--format': 'xml' is not one of 'text', 'json'."),
        (
            ["--progress", "fast"],
            "Invalid value for '--progress': 'fast' is not one of 'auto', 'live', 'plain', 'none'.",
        ),
        (["--on-error", "x"], "Invalid value for '--on-error': 'x' is not one of 'drain', 'keep-going', 'stop'."),
    ],
)
def test_wrong_choice_is_refused(call, project, options, message):
    """What there is not to choose from is refused with status 2."""
    (project / "flow.py").write_text(FLOW)

    finished = call("run", "flow.py", "main", *options)

    assert (finished.status, message in finished.err) == (2, True)


def test_reader_that_leaves_does_not_stop_the_run(project):
    """When whoever reads the events has gone, the execution goes on to its end, and that is said once."""
    (project / "flow.py").write_text(FLOW)
    reader, writer = os.pipe()
    os.close(reader)

    command = [PROGRAM, "run", "flow.py", "many", "--n", "50", "--format", "json"]
    finished = subprocess.run(command, cwd=project, stdout=writer, stderr=subprocess.PIPE, text=True)
    os.close(writer)

    assert finished.returncode == 0
    assert finished.stderr.count("Nobody reads the events any more") == 1
    assert "Traceback" not in finished.stderr
    assert "BrokenPipe" not in finished.stderr
    assert re.search(r"\| events.double .* 50 +50$", finished.stderr, re.MULTILINE)


@pytest.mark.parametrize("closed", [">&-", "2>&-"])
def test_streams_must_be_open(project, closed):
    """Without a stream for events, or for what is printed, nothing runs."""
    (project / "flow.py").write_text(FLOW)
    command = f"{PROGRAM} run flow.py main --format json {closed}"
    finished = subprocess.run(["sh", "-c", command], cwd=project, capture_output=True, text=True)

    assert finished.returncode == 1
    assert "printed by" not in finished.stdout + finished.stderr
    if closed == ">&-":
        assert finished.stderr.startswith("redun: --format json needs standard output for events")


def test_wrong_usage_has_no_events(run):
    """A task that does not exist is a sentence on the error stream; there was no execution."""
    status, events, errors = run("gone")

    assert (status, events) == (1, [])
    assert errors.splitlines()[-1].startswith("redun: Unknown task 'gone'")
