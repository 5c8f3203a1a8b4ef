import json
import os
import shutil
from collections import namedtuple

import pytest

from redun_cli.checkups import TIMEOUT_VARIABLE

INI = ".redun/redun.ini"

EXECUTORS = """
import threading
from concurrent.futures import Future
from dataclasses import dataclass
from redun.executors.base import Executor

@dataclass(frozen=True)
class Options:
    pass

class Base(Executor):
    options_type = Options
    def submit(self, call):
        future = Future()
        future.set_result(call.func(*call.args, **call.kwargs))
        return future

class Silent(Base):
    def submit(self, call):
        return Future()

class Unstartable(Base):
    def start(self):
        threading.Event().wait()

class Refusing(Base):
    def start(self):
        raise ConnectionRefusedError("nobody there")

class Unstoppable(Base):
    def stop(self):
        raise RuntimeError("it goes on and on")

class Failing(Base):
    def submit(self, call):
        future = Future()
        future.set_exception(TimeoutError("the queue is closed"))
        return future
"""
KINDS = ["Base", "Silent", "Unstartable", "Refusing", "Unstoppable", "Failing"]


@pytest.fixture
def examine(call):
    """A function that runs some checks and returns the status and what was found by subject."""

    def run(*names):
        finished = call("doctor", *names, "--format", "json")
        assert finished.err == ""
        return finished.status, {item["subject"]: item for item in json.loads(finished.out)}

    return run


@pytest.fixture
def odd_executors(install, project, monkeypatch):
    """Executors that work, do not answer, or fail in various ways, and little patience with them."""
    providers = "".join(f"    yield Provider({kind.lower()!r}, 'redun_odd.things:{kind}', 'odd')\n" for kind in KINDS)
    install("odd", hooks=f"@hookimpl\ndef redun_executors():\n{providers}", things=EXECUTORS)
    sections = "".join(f"[executors.{kind.lower()}]\ntype = {kind.lower()}\n" for kind in KINDS)
    (project / INI).write_text(f"[backend]\ntype = memory\n{sections}")
    monkeypatch.setenv(TIMEOUT_VARIABLE, "0.05")


def test_everything_in_order(call):
    """Where nothing is wrong, every line is ok, and the exit status is 0."""
    finished = call("doctor", "versions", "plugins", "configuration", "disks")

    assert (finished.status, finished.err) == (0, "")
    *lines, blank, last = finished.out.splitlines()
    assert [line for line in lines if not line.startswith("ok       ")] == []
    assert (blank, last) == ("", "Everything is in order.")


def test_local_executors_take_calls(examine):
    """The executors that need no configuration are tried, threads and processes."""
    status, found = examine("executors")

    assert status == 0
    assert {subject: item["state"] for subject, item in found.items()} == {
        "executor default": "ok",
        "executor process": "ok",
    }


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("silent", "(silent) it did not answer within 0.05 seconds"),
        ("unstartable", "(unstartable) it did not answer within 0.05 seconds"),
        ("refusing", "(refusing) fails: ConnectionRefusedError: nobody there"),
        ("unstoppable", "(unstoppable) fails: RuntimeError: it goes on and on"),
        ("failing", "(failing) fails: TimeoutError: the queue is closed"),
    ],
)
def test_executor_that_does_not_work_is_a_problem(examine, odd_executors, monkeypatch, kind, text):
    """An executor that can't be started, does not answer in time or fails is a problem with a way out."""
    monkeypatch.setattr("redun_cli.checkups.BUILT_IN_EXECUTORS", {})

    status, found = examine("executors")

    assert status == 1
    assert (found[f"executor {kind}"]["state"], found[f"executor {kind}"]["text"]) == ("problem", text)
    assert found[f"executor {kind}"]["advice"]
    assert found["executor base"]["state"] == "ok"


def test_mistake_is_said_once(call, project, examine):
    """A mistake in the configuration is found with its line, and not again by what needs it."""
    (project / INI).write_text("[backend]\ntype = memory\n[executors.default]\ntype = local\nmode = x\n")

    finished = call("doctor", "configuration", "executors")

    assert finished.status == 1
    assert finished.out.count("mode = 'x' is none of") == 1
    assert f"problem  configuration: {project / INI}:5: [executors.default] mode" in finished.out
    assert finished.out.endswith("\n1 problem.\n")


def test_malformed_configuration_is_one_problem(call, project):
    """A configuration that can't be read is said once, and what needs none is still looked at."""
    (project / INI).write_text("[backend\n")

    reason = f"File contains no section headers. file: '{project / INI}', line: 1 '[backend\\n'"

    finished = call("doctor")

    assert finished.status == 1
    assert [line for line in finished.out.splitlines() if line.startswith("problem")] == [
        f"problem  configuration: {project / INI} can't be read: {reason}"
    ]
    assert "ok       python: " in finished.out


def test_missing_configuration_is_a_warning(call, project, tmp_path):
    """Without a repository, the doctor says how to get one, makes none, and looks at all else."""
    shutil.rmtree(project / ".redun")

    finished = call("doctor", "configuration", "database", "disks")

    assert finished.status == 0
    assert "warning  configuration: there is none in" in finished.out
    assert "-> `redun init` makes one" in finished.out
    assert list(project.iterdir()) == []


def test_named_configuration_that_is_missing_is_a_problem(call, project):
    """A folder that the user named and that has no configuration is a problem."""
    finished = call("-c", "nowhere", "doctor", "configuration")

    assert finished.status == 1
    assert "problem  configuration: No redun config found at nowhere/redun.ini." in finished.out


def test_distribution_of_another_release_is_a_problem(examine, install):
    """A distribution of redun's own with another version is named with the command that mends it."""
    install("executor-batch", version="0.1.0")

    status, found = examine("versions")

    assert status == 1
    assert found["versions"]["text"].startswith("redun-executor-batch 0.1.0 stands beside redun-core ")
    assert found["versions"]["advice"].startswith("pip install 'redun-executor-batch==")


def test_plugins_that_are_set_aside_are_warnings(call, install):
    """What became of every plugin that is not active is said, and why."""
    install("bad", hooks="raise ImportError('no libfoo')\n")

    finished = call("doctor", "plugins")

    assert finished.status == 0
    assert "warning  plugin bad: redun-bad 1.0 is set aside: its hook module can't be imported" in finished.out
    assert "put bad into [plugins] disable" in finished.out


def test_names_in_conflict_are_a_problem(examine, install):
    """A name that two plugins provide is a problem for whoever needs it."""
    install("twin", offers=[("redun_executors", "local", "redun.executors.local:LocalExecutor")])

    status, found = examine("plugins")

    assert status == 1
    assert found["executor local"]["state"] == "problem"
    assert found["executor local"]["text"].endswith("and redun-twin 1.0")


@pytest.mark.parametrize(("free", "state", "status"), [(3e9, "ok", 0), (1e9, "warning", 0), (1e6, "problem", 1)])
def test_full_disk_is_noticed(examine, monkeypatch, free, state, status):
    """Little room is a warning, next to none a problem."""
    usage = namedtuple("usage", "free")(free)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage)

    done, found = examine("disks")

    assert (done, found["disk of repository"]["state"], found["disk of temporary files"]["state"]) == (
        status,
        state,
        state,
    )


def test_folder_that_can_not_be_written_is_noticed(call, monkeypatch):
    """A repository that can only be read is a warning, and is not to be cleaned up when there is little room."""
    monkeypatch.setattr(os, "access", lambda *_: False)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: namedtuple("usage", "free")(1e6))

    found = call("doctor", "disks").out

    assert "can't be written to, so nothing can be recorded there" in found
    assert "redun gc" not in found


CHECK = """
from redun.checks import Finding, State

def check(workspace):
    yield Finding(State.WARNING, "cluster", "it is slow", "have a coffee")
    raise ZeroDivisionError("oh")
"""


def test_checks_of_third_parties_are_made(examine, install):
    """A plugin's check is run with the others; one that fails is a problem of the plugin's."""
    install("demo", things=CHECK, offers=[("redun_checks", "cluster", "redun_demo.things:check")])

    finished = examine("cluster")

    assert finished == (
        1,
        {
            "cluster": {
                "state": "problem",
                "subject": "cluster",
                "text": "the check fails: ZeroDivisionError: oh",
                "advice": "report it to the authors of redun-demo 1.0",
            }
        },
    )


def test_unknown_check_is_a_sentence(call):
    """A check that there is not is answered with the nearest one, before anything is looked at."""
    finished = call("doctor", "plugin")

    assert finished == (1, "", "redun: there is no check 'plugin'; did you mean 'plugins'?\n")
