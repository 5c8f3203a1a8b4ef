"""Watching the executions of one scheduler."""

import logging
import threading

import pytest

from redun import Scheduler, task
from redun.config import Config
from redun.errors import PluginError
from redun.scheduler.observers import EXECUTION_HOOKS

NOTHING = {"PENDING": 0, "RUNNING": 0, "FAILED": 0, "CACHED": 0, "DONE": 0}


@task(namespace="observers", version="1")
def double(x):
    return 2 * x


@task(namespace="observers", version="1")
def main(numbers):
    return [double(x) for x in numbers]


@task(namespace="observers", version="1")
def fail():
    raise ValueError("no luck")


class Watcher:
    """Notes what it is told, in words."""

    def __init__(self):
        self.events = []

    def redun_execution_start(self, execution):
        self.events.append(("start", execution.args[1:]))

    def redun_execution_finish(self, error, execution):
        self.events.append(("finish", execution.args[1:], repr(error)))

    def redun_job_start(self, job):
        self.events.append(("job start", job.task.name, job.reason))

    def redun_job_finish(self, job):
        self.events.append(("job finish", job.task.name, job.status.name, job.outcome.value))


@pytest.fixture
def watched():
    """A scheduler with a watcher."""
    scheduler = Scheduler()
    watcher = Watcher()
    scheduler.observers.add(watcher)
    return scheduler, watcher


def test_observer_sees_executions_of_its_scheduler(watched):
    """An observer is told of executions and jobs of the scheduler that it was added to, in order."""
    scheduler, watcher = watched

    scheduler.run(double(21), exec_argv=["redun", "run"])
    Scheduler().run(double(22))

    assert watcher.events == [
        ("start", ["run"]),
        ("job start", "double", "no earlier result is recorded"),
        ("job finish", "double", "DONE", 42),
        ("finish", ["run"], "None"),
    ]


def test_observer_sees_a_failure(watched):
    """An observer is told of the job and of the error that an execution failed with."""
    scheduler, watcher = watched

    with pytest.raises(ValueError, match="no luck"):
        scheduler.run(fail(), exec_argv=["redun"])

    assert watcher.events[-2:] == [
        ("job finish", "fail", "FAILED", None),
        ("finish", [], "ValueError('no luck')"),
    ]


def test_removed_observer_sees_nothing(watched):
    """An observer that was removed is told of no later execution; removing it twice does no harm."""
    scheduler, watcher = watched
    scheduler.observers.remove(watcher)
    scheduler.observers.remove(watcher)

    scheduler.run(double(21))

    assert watcher.events == []


def test_failing_observer_does_not_stop_the_run(caplog):
    """What an observer raises is logged with its name, and everybody else is told all the same."""

    class Broken:
        def redun_job_finish(self, job):
            raise RuntimeError("out of order")

    scheduler, watcher = Scheduler(), Watcher()
    scheduler.observers.add(Broken())
    scheduler.observers.add(watcher)

    with caplog.at_level(logging.ERROR, "redun"):
        result = scheduler.run(double(21))

    assert result == 42
    assert "hook redun_job_finish of observer Broken fails" in caplog.text
    assert ("job finish", "double", "DONE", 42) in watcher.events


def test_job_pays_nothing_without_a_method_for_it():
    """Of a hook that no observer has a method for, nobody is told: there is nothing to call."""

    class Finish:
        def redun_job_finish(self):
            pass

    scheduler = Scheduler()
    hooks = ("redun_job_start", "redun_job_finish")
    before = [scheduler.observers.find(hook) for hook in hooks]
    scheduler.observers.add(Finish())
    after = [scheduler.observers.find(hook) for hook in hooks]

    assert before == [None] * 2
    assert [callable(tell) for tell in after] == [False, True]


@pytest.mark.parametrize(
    ("methods", "message"),
    [
        ({}, "observer Odd has no method for any of redun_execution_start"),
        ({"redun_job_end": lambda self, job: None}, "redun_job_end, which is no hook of an execution; did you mean"),
        ({"redun_configure": lambda self, config: None}, "redun_configure, which is no hook of an execution; there"),
        ({"redun_job_start": lambda self, task: None}, "redun_job_start tells job, and no 'task'"),
    ],
)
def test_misspelt_observer_is_refused(methods, message):
    """An object that would never be told anything is an error that says what is wrong."""
    odd = type("Odd", (), methods)()

    with pytest.raises(PluginError) as raised:
        Scheduler().observers.add(odd)

    assert message in str(raised.value)


def test_parameters_with_defaults_are_the_observers_own():
    """A method may have parameters of its own, if they have defaults."""
    seen = []

    class Counting:
        def redun_job_finish(self, job, count=3):
            seen.append(count)

    scheduler = Scheduler()
    scheduler.observers.add(Counting())
    scheduler.run(double(21))

    assert seen == [3]


def test_every_hook_of_an_execution_can_be_observed():
    """The hooks of an execution are the lifecycle hooks that are called after a scheduler is made."""
    assert EXECUTION_HOOKS == (
        "redun_execution_start",
        "redun_execution_finish",
        "redun_job_start",
        "redun_job_finish",
    )


def test_progress_counts_jobs_while_they_run():
    """How many jobs are in each phase, and which have begun and not ended, can be read by any thread during a run."""
    begun, go_on = threading.Event(), threading.Event()
    seen = {}

    @task(namespace="observers", version="1")
    def hold(x):
        begun.set()
        go_on.wait(20)
        return x

    class Starting:
        def redun_execution_start(self, execution):
            seen["execution"] = execution

    def look():
        begun.wait(20)
        progress = seen["execution"].progress
        seen["counts"] = progress.count_jobs()
        seen["unfinished"] = [job.task.name for job in progress.list_unfinished(5)]
        seen["first"] = progress.list_unfinished(1)[0]
        seen["found"] = progress.find_unfinished(seen["first"].id)
        go_on.set()

    scheduler = Scheduler(Config({"executors.default": {"type": "local", "max_workers": "1"}}))
    scheduler.observers.add(Starting())
    looking = threading.Thread(target=look)
    looking.start()
    scheduler.run(double(hold(1)))
    looking.join()

    progress = seen["execution"].progress
    assert seen["counts"]["observers.double"] == NOTHING | {"PENDING": 1}
    assert seen["counts"]["observers.hold"] == NOTHING | {"RUNNING": 1}
    assert (seen["unfinished"], seen["found"]) == (["root_task", "hold"], seen["first"])
    assert progress.count_jobs()["observers.double"] == NOTHING | {"DONE": 1}
    assert (progress.list_unfinished(5), progress.find_unfinished(seen["first"].id)) == ([], None)


def test_progress_of_a_cached_run_counts_cached_jobs():
    """Jobs that are answered from the cache are counted as such."""
    seen = []

    class Ending:
        def redun_execution_finish(self, execution):
            seen.append(execution.progress.count_jobs()["observers.double"])

    scheduler = Scheduler()
    scheduler.run(main([1, 2, 3]))
    scheduler.observers.add(Ending())
    scheduler.run(main([1, 2, 3]))

    assert seen == [NOTHING | {"CACHED": 3}]
