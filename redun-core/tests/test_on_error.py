"""What a failure means for the rest of an execution: drain, keep going, or stop."""

import threading
import time

import pytest

from redun import Scheduler, catch, task
from redun.config import Config
from redun.errors import ConfigError, FailureKind
from redun.scheduler import ErrorValue, OnError
from redun.values.registry import get_type_registry

redun_namespace = "test_on_error"


@pytest.fixture
def ran():
    """The names of tasks that ran, with an event that the slow ones wait for."""
    return []


@pytest.fixture
def tasks(ran, rejected):
    """A task that fails, one that goes on until that is known, and one that depends on nothing."""

    @task(version="1")
    def fail():
        raise ValueError("broken")

    @task(version="1")
    def slow():
        assert rejected.wait(60)
        ran.append("slow")
        return 1

    @task(version="1")
    def after(x):
        ran.append("after")
        return x

    return fail, slow, after


def test_running_work_is_drained(tasks, ran):
    """By default what runs is finished and recorded, and nothing new is started."""
    fail, slow, after = tasks

    with Scheduler() as scheduler:
        with pytest.raises(ValueError, match="broken"):
            scheduler.run([after(slow()), fail()])
        recorded = [call.task_name for call in scheduler.backend.calls.values()]

    assert ran == ["slow"]
    assert "test_on_error.slow" in recorded


def test_everything_independent_runs_when_going_on(tasks, ran):
    """With `keep-going`, everything that does not depend on the failed call runs; the failure is raised at the end."""
    fail, slow, after = tasks

    with Scheduler() as scheduler, pytest.raises(ValueError, match="broken"):
        scheduler.run([after(slow()), fail()], on_error="keep-going")

    assert ran == ["slow", "after"]


def test_parent_of_a_failed_call_knows_all_its_children_when_going_on(tasks):
    """With `keep-going`, a failed parent is recorded with all of its children, finished and failed."""
    fail, slow, after = tasks

    @task(version="1")
    def parent():
        return [fail(), after(slow())]

    with Scheduler() as scheduler:
        with pytest.raises(ValueError, match="broken"):
            scheduler.run(parent(), on_error="keep-going")
        calls = {call.task_name: call for call in scheduler.backend.calls.values()}

    names = {call.call_hash: name for name, call in calls.items()}
    assert sorted(names[child] for child in calls["test_on_error.parent"].children) == [
        "test_on_error.after",
        "test_on_error.fail",
        "test_on_error.slow",
    ]


def test_all_failures_are_reported_when_going_on(caplog):
    """With `keep-going`, every failure is logged; the first one is raised."""

    @task(version="1")
    def fail(number):
        raise ValueError(f"broken {number}")

    with Scheduler() as scheduler, pytest.raises(ValueError, match="broken"):
        scheduler.run([fail(1), fail(2), fail(3)], on_error="keep-going")

    rejects = [
        record.message for record in caplog.records if "Reject" in record.message and "root" not in record.message
    ]
    summary = [record.message for record in caplog.records if "calls failed" in record.message]
    assert len(rejects) == 3
    assert summary == ["3 calls failed:"]


def test_calls_that_fail_alike_are_told_apart_by_their_arguments(caplog):
    """Each failure is summed up on one line, with the beginnings of the arguments and without secrets."""

    @task(version="1")
    def fail(table, sample, password="hush"):
        raise ValueError("broken")

    with Scheduler() as scheduler, pytest.raises(ValueError, match="broken"):
        scheduler.run([fail("x" * 1_000, 1), fail("x" * 1_000, sample="two\n")], on_error="keep-going")

    messages = [record.message for record in caplog.records]
    lines = messages[messages.index("2 calls failed:") + 1 :][:2]
    table = "'" + "x" * 36 + "..."
    assert [line.partition(": ")[2] for line in lines] == [
        f"test_on_error.fail(table={table}, sample=1, password=***): ValueError('broken')",
        f"test_on_error.fail(table={table}, sample='two\\n', password=***): ValueError('broken')",
    ]


def test_running_work_is_stopped(tasks):
    """With `stop`, what runs is cancelled and recorded so; the run ends at once."""
    release = threading.Event()
    started = threading.Event()

    @task(version="1")
    def hang():
        started.set()
        release.wait(60)

    @task(version="1")
    def fail():
        started.wait(60)
        raise ValueError("broken")

    begin = time.monotonic()
    with Scheduler() as scheduler:
        with pytest.raises(ValueError, match="broken"):
            scheduler.run([hang(), fail()], on_error=OnError.STOP)
        took = time.monotonic() - begin
        (call,) = [call for call in scheduler.backend.calls.values() if call.task_name.endswith("hang")]
    release.set()

    error = get_type_registry().decode(call.result.type_name, call.result.format, call.result.data)
    assert isinstance(error, ErrorValue)
    assert error.error.kind is FailureKind.CANCELLED
    assert took < 20


def test_caught_failures_stop_nothing(tasks, ran):
    """A failure that the workflow recovers from is none of the execution, under any policy."""
    fail, slow, after = tasks

    @task(version="1")
    def recover(error):
        return "recovered"

    for policy in OnError:
        ran.clear()
        with Scheduler() as scheduler:
            result = scheduler.run([catch(fail(), ValueError, recover), after(slow())], on_error=policy)
        assert (result, ran) == (["recovered", 1], ["slow", "after"])


def test_policy_is_configured(tasks, ran):
    """The configuration says what is done without an argument; a wrong policy is refused with the choices."""
    fail, slow, after = tasks

    config = Config({"scheduler": {"on_error": "keep-going"}})
    with Scheduler(config) as scheduler, pytest.raises(ValueError, match="broken"):
        scheduler.run([after(slow()), fail()])

    assert ran == ["slow", "after"]
    with pytest.raises(ConfigError, match="drain, keep-going, stop"):
        Scheduler(Config({"scheduler": {"on_error": "panic"}}))


def test_scheduler_can_be_used_again_after_a_failure(tasks):
    """After a failed run, with work still running, the next run of the same scheduler is right."""
    fail, slow, after = tasks

    with Scheduler() as scheduler:
        for policy in OnError:
            with pytest.raises(ValueError, match="broken"):
                scheduler.run([fail(), slow()], on_error=policy)
            assert scheduler.run([after(1), after(2)]) == [1, 2]


def test_first_failure_is_raised_when_going_on(rejected):
    """With `keep-going`, the failure that is raised at the end is the one that came first."""

    @task(version="1")
    def fail_late():
        assert rejected.wait(60)
        raise ValueError("late")

    @task(version="1")
    def fail_soon():
        raise ValueError("soon")

    with Scheduler() as scheduler, pytest.raises(ValueError, match="soon"):
        scheduler.run([fail_soon(), fail_late()], on_error="keep-going")


def test_nothing_is_tried_again_once_the_execution_has_failed(find_logged, rejected):
    """A retry that is due while running work is drained does not start."""
    will_retry, tries, delay = find_logged("and is tried again"), [], 1.0

    @task(version="1", retries=5, retry_delay=delay)
    def retried():
        tries.append(1)
        raise ValueError("own error")

    @task(version="1")
    def fail():
        assert will_retry.wait(60)
        raise KeyError("broken")

    @task(version="1")
    def slow():
        assert rejected.wait(60)
        time.sleep(delay + 0.2)  # Until the retry has been due.

    with Scheduler() as scheduler, pytest.raises(KeyError, match="broken"):
        scheduler.run([retried(), slow(), fail()])

    assert len(tries) == 1


def test_call_that_fails_while_drained_keeps_its_own_error(rejected):
    """A call with retries left that fails after the execution has failed is recorded with what it raised."""

    @task(version="1", retries=5)
    def late():
        assert rejected.wait(60)
        raise ValueError("own error")

    @task(version="1")
    def fail():
        raise KeyError("broken")

    with Scheduler() as scheduler:
        with pytest.raises(KeyError, match="broken"):
            scheduler.run([late(), fail()])
        (call,) = [call for call in scheduler.backend.calls.values() if call.task_name == "test_on_error.late"]

    recorded = get_type_registry().decode(call.result.type_name, call.result.format, call.result.data)
    assert isinstance(recorded.error, ValueError)


def test_calls_that_wait_for_a_worker_never_start_when_stopped():
    """With `stop`, calls that wait for a worker are given up before the one that runs."""
    started, begun, release = [], threading.Event(), threading.Event()

    @task(version="1", executor="one")
    def wait(number):
        started.append(number)
        begun.set()
        release.wait(60)

    @task(version="1")
    def fail():
        assert begun.wait(60)
        raise ValueError("broken")

    config = Config({"executors": {"one": {"type": "local", "max_workers": "1"}}})
    with Scheduler(config) as scheduler, pytest.raises(ValueError, match="broken"):
        scheduler.run([*[wait(number) for number in range(20)], fail()], on_error="stop")
    worker = next(thread for thread in threading.enumerate() if thread.name.startswith("redun-one"))
    release.set()
    worker.join(60)

    assert (len(started), worker.is_alive()) == (1, False)


def test_calls_that_wait_for_a_limit_never_start_once_the_execution_has_failed(rejected):
    """A call that is drained gives its units back, and none that waited for them starts."""
    started, begun = [], threading.Event()

    @task(version="1", limits=["db"])
    def use(number):
        started.append(number)
        begun.set()
        assert rejected.wait(60)

    @task(version="1")
    def fail():
        assert begun.wait(60)
        raise ValueError("broken")

    with Scheduler() as scheduler, pytest.raises(ValueError, match="broken"):
        scheduler.run([use(1), use(2), use(3), fail()])

    assert len(started) == 1


def test_call_that_was_stopped_is_made_again():
    """A call that ended for another one's failure says nothing about itself: under `catch`, too, it is made again."""
    started, release = threading.Event(), threading.Event()

    def define(version):
        @task(namespace=redun_namespace, version=version)
        def caught():
            if version == "1":
                raise ValueError("broken")
            started.set()
            release.wait(10)
            return "mended"

        return caught

    @task(version="1")
    def recover(error):
        return "recovered"

    @task(version="1")
    def fail():
        started.wait(10)
        raise KeyError("another")

    with Scheduler() as scheduler:
        recovered = scheduler.run(catch(define("1")(), ValueError, recover))
        mended = define("2")
        with pytest.raises(KeyError, match="another"):
            scheduler.run([catch(mended(), ValueError, recover), fail()], on_error="stop")
        release.set()
        result = scheduler.run(catch(mended(), ValueError, recover))

    assert (recovered, result) == ("recovered", "mended")
