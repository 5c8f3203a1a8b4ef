"""Retries and timeouts: failed calls are tried again as their options say, long ones are stopped."""

import threading
import time
from concurrent.futures import Future

import pytest

from redun import Scheduler, catch, task
from redun.config import Config
from redun.errors import ExecutorError, FailureKind, OutOfMemoryError, SchedulerError, TaskTimeoutError
from redun.executors.base import Executor
from redun.executors.local import LocalExecutor
from redun.scheduler.retry import check_retries, find_kind, plan_retry, read_timeout
from redun.scheduler.timers import Timers

redun_namespace = "test_retries"


@pytest.mark.parametrize(
    ("options", "kind", "failures", "delay"),
    [
        ({}, FailureKind.USER, 1, None),
        ({"retries": 0}, FailureKind.USER, 1, None),
        ({"retries": 2}, FailureKind.USER, 2, 0.0),
        ({"retries": 2}, FailureKind.USER, 3, None),
        ({"retries": 2}, FailureKind.CANCELLED, 1, None),
        ({"retries": {"infrastructure": 1}}, FailureKind.USER, 1, None),
        ({"retries": {"infrastructure": 1}}, FailureKind.INFRASTRUCTURE, 1, 0.0),
        ({"retries": {"infrastructure": 1}}, FailureKind.INFRASTRUCTURE, 2, None),
        ({"retries": 9, "retry_delay": 1.5}, FailureKind.USER, 1, 1.5),
        ({"retries": 9, "retry_delay": 1.5}, FailureKind.USER, 4, 12.0),
        ({"retries": 99, "retry_delay": 1}, FailureKind.USER, 90, 3600.0),
    ],
)
def test_delay_follows_from_options_and_failures(options, kind, failures, delay):
    """The options say how often each kind of failure is retried; the delay doubles up to an hour."""
    assert plan_retry(options, kind, failures) == delay


@pytest.mark.parametrize(
    "options",
    [
        {"retries": "3"},
        {"retries": -1},
        {"retries": True},
        {"retries": {"users": 1}},
        {"retries": {"user": "1"}},
        {"retries": 1, "retry_delay": "1"},
        {"retries": 1, "retry_delay": -1},
        {"retry_delay": None},
    ],
)
def test_wrong_options_are_refused(options):
    """A value that makes no sense is refused with a sentence that names the option and the task."""
    with pytest.raises(SchedulerError, match=r"task option retr.* of fetch must be"):
        check_retries(options, "fetch")


@pytest.mark.parametrize("timeout", ["1", 0, -1, True])
def test_wrong_timeout_is_refused(timeout):
    """A timeout that is no positive number is refused with a sentence."""
    with pytest.raises(SchedulerError, match=r"task option timeout=.* of fetch must be"):
        read_timeout({"timeout": timeout}, "fetch")


def test_kind_of_failure_is_what_the_executor_says():
    """Errors of executors say their kind, everything else is the task's own."""
    kinds = [find_kind(error) for error in (ValueError(), MemoryError(), OutOfMemoryError(), ExecutorError())]

    assert kinds == [
        FailureKind.USER,
        FailureKind.USER,
        FailureKind.OUT_OF_MEMORY,
        FailureKind.INFRASTRUCTURE,
    ]


def test_failing_task_is_tried_again():
    """A task that fails twice succeeds at its third try; its job is one."""
    tries = []

    @task(retries=2, version="1")
    def flaky():
        tries.append(1)
        if len(tries) < 3:
            raise ValueError("not yet")
        return "done"

    with Scheduler() as scheduler:
        result = scheduler.run(flaky())
        (job,) = scheduler.backend.jobs.values()

    assert (result, len(tries), job.call_hash is not None) == ("done", 3, True)


def test_last_error_is_raised_when_retries_are_used_up():
    """After the last try the task's own error is the failure."""
    tries = []

    @task(retries=3, version="1")
    def hopeless():
        tries.append(1)
        raise ValueError(f"try {len(tries)}")

    with Scheduler() as scheduler, pytest.raises(ValueError, match="try 4"):
        scheduler.run(hopeless())


def test_retries_wait_and_others_go_on():
    """While one task waits for its retry, others run."""
    order, delay = [], 1.0

    @task(retries=1, retry_delay=delay, version="1")
    def slow_retry():
        order.append("retry")
        if order.count("retry") == 1:
            raise ValueError
        return 1

    @task(version="1")
    def other(x):
        order.append("other")
        return x

    start = time.monotonic()
    with Scheduler() as scheduler:
        scheduler.run([slow_retry(), other(other(1) + 1)])

    assert order == ["retry", "other", "other", "retry"] or order == ["other", "retry", "other", "retry"]
    assert time.monotonic() - start >= delay


def test_retry_gives_up_its_limits_meanwhile():
    """A task that waits for its retry holds no limits."""
    order = []

    @task(retries=1, retry_delay=0.1, limits=["db"], version="1")
    def first():
        order.append("first")
        if order.count("first") == 1:
            raise ValueError
        return 1

    @task(limits=["db"], version="1")
    def second():
        order.append("second")
        return 2

    with Scheduler() as scheduler:
        scheduler.run([first(), second()])

    assert order == ["first", "second", "first"]


def test_wrong_retries_fail_the_task():
    """A wrong option fails the task that has it with a sentence, before it runs and without anything else."""
    ran = []

    @task(retries="often", version="1")
    def wrong():
        ran.append(1)

    @task(version="1")
    def explain(error):
        return str(error)

    with Scheduler() as scheduler:
        assert "task option retries='often'" in scheduler.run(catch(wrong(), SchedulerError, explain))
    assert ran == []


def test_executor_that_retries_itself_is_left_alone():
    """The scheduler does not retry what the executor does."""
    tries = []

    class Retrying(LocalExecutor):
        def supports(self, feature):
            return feature == "retries"

    @task(retries=5, version="1")
    def fail():
        tries.append(1)
        raise ValueError("own")

    with Scheduler(executor=Retrying("default")) as scheduler, pytest.raises(ValueError, match="own"):
        scheduler.run(fail())

    assert len(tries) == 1


def test_task_that_takes_too_long_is_stopped():
    """A task that runs longer than its timeout fails with a sentence; the run does not wait for it."""
    release = threading.Event()

    @task(timeout=0.1, version="1")
    def hang():
        release.wait(60)

    @task(version="1")
    def explain(error):
        return str(error)

    start = time.monotonic()
    with Scheduler() as scheduler:
        text = scheduler.run(catch(hang(), TaskTimeoutError, explain))
        took = time.monotonic() - start
    release.set()

    assert text == "task test_retries.hang took longer than its timeout of 0.1 seconds"
    assert took < 20


def test_waiting_for_a_worker_is_no_running_time():
    """The time of a call begins when it starts to run, not when it is handed over."""

    timeout = 1.0

    @task(version="1", executor="one")
    def hold(number):
        time.sleep(timeout + 0.2)
        return number

    @task(timeout=timeout, version="1", executor="one")
    def short(number):
        return number

    config = Config({"executors": {"one": {"type": "local", "max_workers": "1"}}})
    with Scheduler(config) as scheduler:
        result = scheduler.run([hold(0), short(1), short(2)])

    assert result == [0, 1, 2]


def test_timeouts_are_retried():
    """A timeout is a failure like others: a retry may succeed."""
    release = threading.Event()
    tries = []

    @task(timeout=1, retries={"timeout": 1}, version="1")
    def slow_once():
        tries.append(1)
        if len(tries) == 1:
            release.wait(60)
        return len(tries)

    with Scheduler() as scheduler:
        result = scheduler.run(slow_once())
    release.set()

    assert result == 2


def test_timers_run_in_the_order_of_their_times():
    """What is due runs, earliest first; what was added first of equal times runs first."""
    timers, ran = Timers(), []
    for when, name in ((3, "c"), (1, "a"), (2, "b1"), (2, "b2"), (9, "late")):
        timers.add(when, lambda name=name: ran.append(name))

    timers.run_due(3)

    assert (ran, timers.next_time, bool(timers)) == (["a", "b1", "b2", "c"], 9, True)


class Losing(Executor):
    """Loses the first calls, as a cluster may."""

    options_type = dict

    def __init__(self, name, losses):
        super().__init__(name)
        self.losses = losses

    def submit(self, call):
        future = Future()
        future.set_running_or_notify_cancel()
        if self.losses:
            self.losses -= 1
            future.set_exception(ExecutorError("the machine is gone"))
        else:
            future.set_result(call.func(*call.args, **call.kwargs))
        return future


def test_lost_calls_are_retried_by_kind():
    """A call that its executor loses is tried again, where only that kind of failure is."""

    @task(retries={"infrastructure": 2}, version="1")
    def work():
        return "done"

    assert Scheduler(executor=Losing("default", 2)).run(work()) == "done"
    with pytest.raises(ExecutorError, match="gone"):
        Scheduler(executor=Losing("default", 3)).run(work())


def test_executor_that_fails_to_cancel_is_reported(caplog):
    """An executor whose `cancel` raises is reported; the call that took too long fails all the same."""
    release = threading.Event()

    class Stubborn(Executor):
        options_type = dict

        def submit(self, call):
            future = Future()
            future.set_running_or_notify_cancel()
            return future

        def cancel(self, future):
            raise RuntimeError("can't")

    @task(timeout=0.1, version="1")
    def hang():
        release.wait(60)

    with pytest.raises(TaskTimeoutError, match="took longer"):
        Scheduler(executor=Stubborn("default")).run(hang())

    assert "executor default failed to cancel a call" in caplog.text


def test_retried_job_began_once():
    """A job that is tried again is one job, which began when it was tried first."""

    @task(retries=1, retry_delay=0.2, version="1")
    def retried():
        if not tries:
            tries.append(time.time())
            raise ValueError("own")
        return 1

    tries = []
    with Scheduler() as scheduler:
        scheduler.run(retried())
        (job,) = scheduler.backend.jobs.values()

    assert job.start_time <= tries[0]
    assert job.end_time - job.start_time >= 0.2


def test_run_does_not_wait_for_the_rest_of_a_timeout():
    """A run ends when its calls have, and not when their timeouts are over."""

    @task(timeout=60, version="1")
    def quick():
        return time.sleep(0.3)  # Long enough for the timeout to begin.

    start = time.monotonic()
    Scheduler().run(quick())

    assert time.monotonic() - start < 30
