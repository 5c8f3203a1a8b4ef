"""What the first failure below a `catch_all` means for the calls beside it: keep going, drain, or stop."""

import asyncio
import threading

import pytest

from redun import Scheduler, catch, task
from redun.config import Config
from redun.errors import CancelledCallError, StoppedCallError
from redun.scheduler import OnError, catch_all
from redun.testing import calls
from redun.testing.gate import Gate

redun_namespace = "catch_all_policy"

POLICIES = ["keep-going", "drain", "stop"]


class Events:
    """Events by name."""

    def __init__(self, **known):
        self._events = known
        self._lock = threading.Lock()

    def get(self, name):
        with self._lock:
            return self._events.setdefault(name, threading.Event())

    def set(self, *names):
        for name in names:
            self.get(name).set()

    def clear(self):
        for event in self._events.values():
            event.clear()

    def wait(self, name):
        assert self.get(name).wait(20), name


events = Events()
ran = []


@pytest.fixture(autouse=True)
def _fresh(rejected, find_logged):
    """Each test has events of its own, lets go in the end of whatever waits, and waits until that is over.

    Event ``rejected`` is set when the scheduler knows of a failure, ``retry`` when it means to try a call again.
    """
    events.__init__(rejected=rejected, retry=find_logged("is tried again"))
    ran.clear()
    yield
    for event in list(events._events.values()):
        event.set()
    for thread in threading.enumerate():
        if thread.name.startswith("redun-"):
            thread.join(20)


@task(version="1", cache=False)
def fail(after=()):
    for name in after:
        events.wait(name)
    ran.append("fail")
    raise ValueError("broken")


@task(version="1", cache=False)
def work(name, until=None):
    """Say that it runs, wait, and return its name."""
    events.set(f"{name} runs")
    if until:
        events.wait(until)
    ran.append(name)
    return name


@task(version="1", cache=False)
def then(x, name):
    ran.append(name)
    return name


@task(version="1", cache=False)
def describe(values):
    events.set("described")
    return [f"{type(value).__name__}: {value}" if isinstance(value, BaseException) else value for value in values]


def use_default(error):
    return "default"


NOT_STARTED = "StoppedCallError: not started, because a call beside it failed: ValueError('broken')"
STOPPED = "StoppedCallError: stopped, because a call beside it failed: ValueError('broken')"
BROKEN = "ValueError: broken"


def run(expression, **options):
    """Return the value of an expression, with a scheduler of its own."""
    with Scheduler() as scheduler:
        return scheduler.run(expression, **options)


def test_others_go_on_by_default():
    """By default, and with ``keep-going``, every call below is made whatever happens to the others."""
    for arguments in ({}, {"on_error": "keep-going"}, {"on_error": OnError.KEEP_GOING}):
        events.clear()
        slow = then(work("slow", "let go"), "after")
        expression = catch_all([fail(["slow runs"]), slow, release_after_failure()], ValueError, describe, **arguments)

        assert run(expression) == [BROKEN, "after", "released"]


@task(version="1", cache=False)
def release_after_failure():
    """Let go of the others when a call has failed."""
    events.wait("rejected")
    events.set("let go")
    return "released"


def test_nothing_starts_after_a_failure_when_drained():
    """With ``drain``, what runs is waited for, its result is given to the recovery, and nothing new starts."""
    expression = catch_all(
        [fail(["slow runs"]), work("slow", "let go"), then(work("other", "let go"), "after")],
        ValueError,
        describe,
        on_error="drain",
    )

    result = run([expression, release_after_failure()])

    assert result == [[BROKEN, "slow", NOT_STARTED], "released"]
    assert sorted(ran) == ["fail", "other", "slow"]


def test_running_calls_are_stopped_at_once():
    """With ``stop``, what runs is stopped and nobody waits for it."""
    expression = catch_all(
        [fail(["slow runs", "other runs"]), work("slow", "never"), then(work("other", "never"), "after")],
        ValueError,
        describe,
        on_error="stop",
    )

    assert run(expression) == [BROKEN, STOPPED, STOPPED]


@pytest.mark.parametrize("on_error", ["drain", "stop"])
def test_calls_elsewhere_go_on(on_error):
    """A failure below one `catch_all` concerns neither its neighbours nor what comes after it."""

    @task(version="1", cache=False, namespace=redun_namespace)
    def branch():
        return catch_all(
            [fail(["elsewhere runs"]), then(work("inside", "described"), "x")], None, describe, on_error="stop"
        )

    result = run([branch(), then(work("elsewhere", "described"), "after"), catch_all([then(1, "other")])])

    assert result == [[BROKEN, STOPPED], "after", ["other"]]


@pytest.mark.parametrize("on_error", ["drain", "stop"])
def test_calls_that_wait_for_limits_do_not_start(on_error):
    """A call below that waits for a limit is not started; one elsewhere gets the limit."""
    limited = work.options(limits=["one"])
    below = [fail(["first runs"]), limited("first", "let go"), limited("second"), limited("third")]

    expression = [
        catch_all(below, ValueError, describe, on_error=on_error),
        limited("elsewhere"),
        release_after_failure(),
    ]

    first = "first" if on_error == "drain" else STOPPED
    assert run(expression) == [[BROKEN, first, NOT_STARTED, NOT_STARTED], "elsewhere", "released"]
    assert set(ran) & {"second", "third"} == set()


@pytest.mark.parametrize("on_error", ["drain", "stop"])
def test_calls_are_not_tried_again(on_error):
    """A call below that would be tried again later fails with its own error."""

    @task(version="1", cache=False, namespace=redun_namespace, retries=5, retry_delay=600)
    def flaky():
        ran.append("flaky")
        raise KeyError("flaky")

    expression = catch_all([flaky(), fail(["retry"])], Exception, describe, on_error=on_error)

    assert run(expression) == ["KeyError: 'flaky'", BROKEN]
    assert ran.count("flaky") == 1


@pytest.mark.parametrize("on_error", ["drain", "stop"])
def test_calls_that_wait_for_a_worker(on_error):
    """Calls that an executor holds but has not begun are finished when drained, and never begin when stopped."""
    config = Config({"executors": {"one": {"type": "local", "max_workers": "1"}}})
    queued = work.options(executor="one")
    below = [fail(["first runs"]), queued("first", "let go"), queued("second")]

    with Scheduler(config) as scheduler:
        result = scheduler.run(
            [catch_all(below, ValueError, describe, on_error=on_error), release_after_failure()],
        )

    assert result[0] == [BROKEN, *(["first", "second"] if on_error == "drain" else [STOPPED, STOPPED])]


def test_calls_that_are_needed_elsewhere_go_on():
    """A call below that is wanted elsewhere, too, is neither stopped nor dropped, with all that it needs."""

    @task(version="1", namespace=redun_namespace)
    def shared(name):
        ran.append(f"shared {name}")
        return then(work(name, "let go"), f"{name} after")

    @task(version="1", cache=False, namespace=redun_namespace)
    def outside(x):
        return [shared("a"), shared("b")]

    below = [shared("a"), shared("b"), fail(["a runs", "b runs", "joined"])]

    @task(version="1", cache=False, namespace=redun_namespace)
    def join():
        events.set("joined")

    result = run([catch_all(below, ValueError, describe, on_error="stop"), outside(1), join(), release_after_failure()])

    assert result[:2] == [["a after", "b after", BROKEN], ["a after", "b after"]]
    assert sorted(ran).count("shared a") == 1


def test_calls_that_were_stopped_are_made_again_where_they_are_needed():
    """A call that was stopped below is made when something else asks for it later."""
    expression = catch_all([fail(["slow runs"]), work("slow", "described")], None, describe, on_error="stop")

    result = run(then_again(expression))

    assert result == [[BROKEN, STOPPED], "slow"]


@task(version="1", cache=False)
def then_again(first):
    return [first, work("slow", "described")]


def test_calls_below_that_others_make_are_not_stopped():
    """A call below that something else had begun is waited for, and not stopped."""

    @task(version="1", cache=False, namespace=redun_namespace)
    def below():
        events.wait("slow runs")
        return catch_all([work("slow", "let go"), fail()], None, describe, on_error="stop")

    assert run([work("slow", "let go"), below(), release_after_failure()])[:2] == ["slow", ["slow", BROKEN]]


@pytest.mark.parametrize("on_error", ["drain", "stop"])
def test_errors_that_may_not_be_recovered_from_are_raised(on_error):
    """Without a recovery, or for another class, the failure itself is raised, and never that something was stopped."""
    leaves = [work("slow", "let go"), fail(["slow runs"])]
    releasing = threading.Thread(target=release_after_failure.func)
    releasing.start()

    with pytest.raises(ValueError, match="broken"):
        run(catch_all(leaves, on_error=on_error))
    releasing.join()
    with pytest.raises(ValueError, match="broken"):
        run(catch_all(leaves, KeyError, describe, on_error=on_error))


def test_recovery_around_does_not_see_what_was_stopped():
    """A `catch` inside recovers from failures, not from being stopped with the calls beside it."""
    inner = catch(work("slow", "never"), Exception, use_default)
    nested = catch_all([work("deep", "never")], Exception, describe)
    leaves = [inner, nested, fail(["slow runs", "deep runs"])]

    assert run(catch_all(leaves, ValueError, describe, on_error="stop")) == [STOPPED, STOPPED, BROKEN]


def test_failures_that_are_recovered_from_inside_stop_nothing():
    """A failure below that something below recovers from is none."""
    inner = catch(fail(), ValueError, use_default)

    assert run(catch_all([inner, then(work("a"), "after")], None, describe, on_error="stop")) == ["default", "after"]


def test_policies_lie_inside_one_another():
    """An inner `catch_all` is closed with the outer one; its own failure does not concern the outer one."""

    @task(version="1", cache=False, namespace=redun_namespace)
    def inner(name, leaves):
        return leaves

    @task(version="1", cache=False, namespace=redun_namespace)
    def recovering():
        return catch_all([fail(), work("inside", "never")], None, describe, on_error="stop")

    @task(version="1", cache=False, namespace=redun_namespace)
    def closed():
        return catch_all([then(work("slow", "never"), "after"), work("b")], None, describe, on_error="drain")

    @task(version="1", cache=False, namespace=redun_namespace)
    def fail_late(first):
        events.wait("slow runs")
        raise ValueError("broken")

    result = run(catch_all([fail_late(recovering()), closed()], None, describe, on_error="stop"))

    assert result == [BROKEN, STOPPED]


@pytest.mark.parametrize("policy", OnError)
@pytest.mark.parametrize("on_error", POLICIES)
def test_policy_of_the_run_is_another_one(policy, on_error):
    """Whatever the policy of the run, that of a `catch_all` holds below it."""
    leaves = [fail(["slow runs"]), work("slow", "let go"), then(work("other", "let go"), "after")]

    result = run([catch_all(leaves, ValueError, describe, on_error=on_error), release_after_failure()], on_error=policy)

    expected = {"keep-going": ["slow", "after"], "drain": ["slow", NOT_STARTED], "stop": [STOPPED, STOPPED]}
    assert result[0] == [BROKEN, *expected[on_error]]


@pytest.mark.parametrize("on_error", ["drain", "stop"])
def test_coroutines_below(on_error):
    """A coroutine below is stopped, or goes on until it awaits something that may not start any more."""
    cancelled = threading.Event()

    @task(version="1", namespace=redun_namespace)
    async def wait():
        events.set("coroutine runs")
        try:
            while not events.get("let go").is_set():
                await asyncio.sleep(0.01)
        except asyncio.CancelledError:
            cancelled.set()
            raise
        return await work("awaited")

    leaves = [wait(), fail(["coroutine runs"])]

    result = run([catch_all(leaves, ValueError, describe, on_error=on_error), release_after_failure()])

    assert result[0] == [NOT_STARTED if on_error == "drain" else STOPPED, BROKEN]
    assert cancelled.is_set() == (on_error == "stop")
    assert "awaited" not in ran


@task(version="1", cache=False)
def fail_with(text):
    raise ValueError(text)


def test_processes_below_are_ended():
    """With ``stop``, the process of a call below ends."""
    gate = Gate("127.0.0.1", 30)
    visit = calls.visit.options(executor="process")

    @task(version="1", cache=False, namespace=redun_namespace)
    def fail_when_visited():
        visitors.extend(gate.admit(1))
        raise ValueError("broken")

    visitors = []
    result = run(catch_all([visit(*gate.address, 30), fail_when_visited()], None, describe, on_error="stop"))

    visitors[0].wait_until_gone()
    gate.close()
    assert result == [STOPPED, BROKEN]


def test_stopped_calls_are_made_again_in_the_next_run():
    """What was stopped or not started is made when the workflow is run again; what is finished is not."""
    work_cached = work.options(cache=True)
    leaves = [work_cached("quick"), fail(["quick runs", "slow runs"]), then(work_cached("slow", "go"), "after")]
    expression = catch_all(leaves, ValueError, describe, on_error="stop")

    with Scheduler() as scheduler:
        first = scheduler.run(expression)
        ran.clear()
        events.set("go")
        second = scheduler.run(catch_all([leaves[0], leaves[2]], ValueError, describe, on_error="stop"))

    assert (first[1:], second, "quick" in ran) == ([BROKEN, STOPPED], ["quick", "after"], False)


def test_every_job_has_ended():
    """Jobs below that were stopped have ended in the record; those that never started leave none."""
    limited = work.options(limits=["one"])
    leaves = [fail(["slow runs"]), then(limited("slow", "never"), "after"), limited("other")]

    with Scheduler() as scheduler:
        scheduler.run(catch_all(leaves, None, describe, on_error="stop"))
        jobs = scheduler.backend.jobs.values()
        names = {task.value_hash: task.subtype.name for task in scheduler.backend.tasks.values()}

    assert all(job.end_time is not None for job in jobs)
    assert sorted(names[job.task_hash] for job in jobs) == ["describe", "fail", "root_task", "work"]


def test_running_calls_inside_a_failed_expression_are_waited_for():
    """With ``drain``, the recovery begins when no call below runs any more, needed for a result or not."""

    @task(version="1", cache=False, namespace=redun_namespace)
    def take_both(x, y):
        return x

    @task(version="1", cache=False, namespace=redun_namespace)
    def note(values):
        return list(ran)

    expression = catch_all([take_both(work("slow", "let go"), fail(["slow runs"]))], None, note, on_error="drain")

    assert run([expression, release_after_failure()])[0] == ["fail", "slow"]


def test_ready_calls_do_not_start(monkeypatch):
    """Calls below that are ready, and only wait for others to make room, do not start."""
    monkeypatch.setattr("redun.scheduler.loop.MAX_RUNNING", 2)
    leaves = [work("slow", "let go"), fail(["slow runs"]), work("a"), work("b")]

    expression = catch_all(leaves, None, describe, on_error="drain")
    releasing = threading.Thread(target=release_after_failure.func)
    releasing.start()
    result = run(expression)
    releasing.join()

    assert result == ["slow", BROKEN, NOT_STARTED, NOT_STARTED]
    assert sorted(ran) == ["fail", "slow"]


def test_defaults_in_another_context_do_not_start():
    """Default arguments of a call with a context of its own belong to the calls below, too."""

    @task(version="1", cache=False, namespace=redun_namespace)
    def with_default(x=work("default")):
        return x

    @task(version="1", cache=False, namespace=redun_namespace)
    def call_late():
        events.set("late runs")
        events.wait("let go")
        return with_default.update_context({"key": 1})()

    leaves = [call_late(), fail(["late runs"])]

    result = run([catch_all(leaves, None, describe, on_error="drain"), release_after_failure()])

    assert (result[0], "default" in ran) == ([NOT_STARTED, BROKEN], False)


def test_call_that_fails_for_what_was_dropped_is_made_again_for_others():
    """A call below that lacks what was dropped is made again for who joined it, when it was too late to keep that."""
    limited = work.options(limits=["one"])

    @task(version="1", namespace=redun_namespace)
    async def need():
        ran.append("need")
        events.set("need runs")
        if events.get("dropped").is_set():
            events.set("let go")
        try:
            return await limited("needed")
        except StoppedCallError:
            events.set("dropped")
            while not events.get("joined runs").is_set():
                await asyncio.sleep(0.01)
            raise

    @task(version="1", cache=False, namespace=redun_namespace)
    def need_late():
        events.wait("dropped")
        return [need(), work("joined")]

    @task(version="1", cache=False, namespace=redun_namespace)
    def branch():
        events.wait("holder runs")
        return catch_all([need(), fail_late()], None, describe, on_error="drain")

    @task(version="1", cache=False, namespace=redun_namespace)
    def fail_late():
        events.wait("need runs")
        threading.Event().wait(0.2)
        raise ValueError("broken")

    result = run([limited("holder", "let go"), branch(), need_late()])

    assert result == ["holder", [NOT_STARTED, BROKEN], ["needed", "joined"]]
    assert ran.count("need") == 2


def test_wrong_policy_is_refused():
    """A policy that does not exist fails the call with the choices."""
    with pytest.raises(ValueError, match="on_error='panic' must be one of drain, keep-going, stop"):
        run(catch_all([work("a")], on_error="panic"))
    with pytest.raises(ValueError, match="on_error='panic' must be one of drain, keep-going, stop"):
        run(work("a"), on_error="panic")


def test_address_of_calls_without_a_policy_is_as_it_was():
    """A `catch_all` that does not name its policy has the address that existing stores have."""
    assert catch_all([1, 2]).get_hash() == "2c3c2839c978bb27d627b044a956d02e09521df2"


def test_being_stopped_is_a_cancellation():
    """The error of calls that were stopped is a kind of cancellation, which is never tried again."""
    assert issubclass(StoppedCallError, CancelledCallError)
