"""Failing well: the user's own error, where it came from, and nothing lost of what was finished."""

import threading
from concurrent.futures import Future
from dataclasses import dataclass

import pytest

from redun import Scheduler, catch, task
from redun.backends.memory import MemoryBackend
from redun.config import Config
from redun.errors import (
    CancelledCallError,
    ExecutorError,
    InvalidValueError,
    SchedulerError,
    TaskExitError,
    UnknownTaskError,
)
from redun.executors.base import Executor
from redun.expression import TaskExpression, ValueExpression
from redun.functools import const
from redun.promise import Promise
from redun.scheduler import ErrorValue, catch_all
from redun.task import scheduler_task

redun_namespace = "test_failures"


class Unpicklable(Exception):
    def __init__(self):
        super().__init__("can't travel")
        self.lock = threading.Lock()


@dataclass
class Picky:
    number: object

    def __post_init__(self):
        if isinstance(self.number, int):
            raise ValueError("a number")


@task()
def fail(message):
    raise ValueError(message)


@task()
def inc(x):
    return x + 1


@task()
def add(a, b):
    return a + b


@task()
def outer(message):
    return add(1, fail(message))


@task()
def exits():
    raise SystemExit(3)


@task()
def interrupts():
    raise KeyboardInterrupt


@task()
def raises_unpicklable():
    raise Unpicklable


@task()
def returns_generator():
    return (number for number in range(3))


@task()
def shared_failure(label):
    return fail("shared")


def statuses(scheduler):
    """Return how the jobs of each task ended, by task name."""
    backend = scheduler.backend
    ended = {}
    for job in backend.jobs.values():
        name = backend.tasks[job.task_hash].subtype.name
        failed = job.call_hash is None or backend.calls[job.call_hash].result.type_name == ErrorValue.type_name
        ended.setdefault(name, []).append("FAILED" if failed else "DONE" if job.end_time else "RUNNING")
    return ended


def test_error_is_the_one_that_was_raised(scheduler):
    """`run` raises the very exception that the task raised."""
    error = ValueError("this one")

    @task(namespace=redun_namespace, version="1")
    def raise_it():
        raise error

    with pytest.raises(ValueError, match="this one") as caught:
        scheduler.run([inc(1), raise_it()])

    assert caught.value is error


def test_error_tells_the_way_through_the_tasks(scheduler, caplog):
    """The traceback lists the tasks from the root down with their arguments, then the user's own lines."""
    with pytest.raises(ValueError, match="oh no") as caught:
        scheduler.run(outer("oh no"))

    lines = list(caught.value.redun_traceback.format())
    assert [line.strip() for line in lines if ", in " in line and "Job" in line] == [
        f'Job {frame.job_id[:8]}: File "{__file__}", line {frame.lineno}, in {frame.name}'
        for frame in caught.value.redun_traceback.frames[:2]
    ]
    assert [frame.name for frame in caught.value.redun_traceback.frames] == [
        "test_failures.outer",
        "test_failures.fail",
        "fail",
    ]
    assert "    def outer(message):" in lines
    assert "    message = 'oh no'" in lines
    assert "    raise ValueError(message)" in lines
    assert lines[-1] == "ValueError: oh no"
    assert "*** Execution failed. Traceback (most recent task last):" in caplog.text
    assert caplog.text.count("*** Reject Job") == 1


def test_traceback_of_a_deep_workflow_is_short(scheduler):
    """The middle of a long chain of jobs is left out of the traceback, and it says how much."""

    @task(namespace=redun_namespace, version="1")
    def descend(n):
        return fail("deep") if n == 0 else descend(n - 1)

    with pytest.raises(ValueError, match="deep") as caught:
        scheduler.run(descend(500))

    frames = caught.value.redun_traceback.frames
    assert len(frames) < 50
    assert any("more jobs" in frame.name for frame in frames)


@pytest.mark.parametrize(
    ("expression", "error", "message"),
    [
        (exits(), TaskExitError, r"SystemExit\(3\)"),
        (interrupts(), TaskExitError, "KeyboardInterrupt"),
        (raises_unpicklable(), Unpicklable, "can't travel"),
        (returns_generator(), InvalidValueError, "generator"),
        (inc("text"), TypeError, "concatenate"),
        (inc(1)["no item"], TypeError, "not subscriptable"),
        (inc(1).no_attribute, AttributeError, "no_attribute"),
        (inc.options(executor="nowhere")(1), SchedulerError, 'Unknown executor "nowhere"'),
    ],
)
def test_everything_that_goes_wrong_in_a_task_is_its_failure(scheduler, expression, error, message):
    """Exits, interrupts and results that can't be stored are failures of the task, which end the run and no more."""
    with pytest.raises(error, match=message):
        scheduler.run([expression])

    assert scheduler.run(inc(1)) == 2


def test_failed_run_is_recorded(scheduler):
    """The jobs that failed are recorded with the error as their result, those above them too."""
    with pytest.raises(ValueError, match="oh no"):
        scheduler.run(outer("oh no"))

    assert statuses(scheduler) == {"outer": ["FAILED"], "fail": ["FAILED"]}
    results = [call.result for call in scheduler.backend.calls.values()]
    assert {result.type_name for result in results} == {"redun.ErrorValue"}


def test_errors_are_not_answered_from_the_cache(scheduler, ran):
    """A call that failed runs again in the next execution."""
    for _ in range(2):
        with pytest.raises(ValueError, match="oh no"):
            scheduler.run(fail("oh no"))

    assert ran() == ["fail"]


def test_equal_calls_share_their_failure(scheduler, ran):
    """Within one execution, a call that failed fails for everybody, and runs once."""

    @task(namespace=redun_namespace, version="1")
    def count(values):
        return [type(value).__name__ for value in values]

    result = scheduler.run(catch_all([shared_failure("a"), shared_failure("b")], ValueError, count))

    assert result == ["ValueError", "ValueError"]
    assert ran().count("fail") == 1  # The other job is recorded as one that was answered.


def test_finished_work_is_kept_when_a_sibling_fails(scheduler, ran, rejected):
    """What was running when something failed is waited for and recorded, so the next run has it."""
    started = threading.Event()

    @task(namespace=redun_namespace, version="1")
    def slow():
        started.set()
        assert rejected.wait(60)
        return "finished"

    @task(namespace=redun_namespace, version="1")
    def fail_when_slow_runs():
        assert started.wait(60)
        raise ValueError("first")

    with pytest.raises(ValueError, match="first"):
        scheduler.run([slow(), fail_when_slow_runs()])
    result = scheduler.run(slow())

    assert result == "finished"
    assert ran() == []


def test_nothing_new_starts_after_a_failure(scheduler, rejected):
    """Once the workflow has failed, calls that were waiting for others are not made any more."""
    begun = threading.Event()

    @task(namespace=redun_namespace, version="1")
    def fail_first():
        assert begun.wait(60)
        raise ValueError("first")

    @task(namespace=redun_namespace, version="1")
    def slow():
        begun.set()
        assert rejected.wait(60)
        return 1

    @task(namespace=redun_namespace, version="1")
    def never():
        return [inc(slow())]

    with pytest.raises(ValueError, match="first"):
        scheduler.run([fail_first(), never()])

    assert "inc" not in statuses(scheduler)
    assert "RUNNING" not in [status for ended in statuses(scheduler).values() for status in ended]


def test_scheduler_works_on_after_a_failure(scheduler):
    """A scheduler can be used again after a run that failed, with nothing of it left over."""
    with pytest.raises(ValueError, match="oh no"):
        scheduler.run([outer("oh no"), *[inc(number) for number in range(100)]])

    assert scheduler.run(add(inc(1), 1)) == 3


def test_error_in_a_scheduler_task_can_be_caught(scheduler):
    """What a scheduler task raises before it returns a promise is an ordinary error of its expression."""

    @scheduler_task(namespace=redun_namespace)
    def broken(scheduler, parent_job, sexpr):
        raise ValueError("broken")

    @task(namespace=redun_namespace, version="1")
    def explain(error):
        return f"recovered from {error}"

    assert scheduler.run(catch(broken(), ValueError, explain)) == "recovered from broken"


def test_executor_that_can_not_take_calls_fails_them():
    """An executor whose `submit` raises, or that cancels a call, fails the call."""

    class Full(Executor):
        options_type = dict

        def submit(self, call):
            raise RuntimeError("no room")

    with pytest.raises(RuntimeError, match="no room"):
        Scheduler(executor=Full("default")).run(inc(1))


def test_executor_that_loses_calls_fails_them():
    """An executor that returns fewer futures than it got calls fails all of them."""

    class Losing(Executor):
        options_type = dict

        def submit(self, call):
            raise NotImplementedError

        def submit_many(self, calls):
            return []

    with pytest.raises(ExecutorError, match="0 futures for 1 calls"):
        Scheduler(executor=Losing("default")).run(inc(1))


@pytest.mark.parametrize("given", [None, 7, inc])
def test_executor_that_returns_no_future_fails_the_call(given):
    """What an executor returns in place of a future is not waited for; other calls of the batch fail, too, and end."""

    class Vague(Executor):
        options_type = dict

        def submit(self, call):
            return Future() if call.args == (1,) else given

    @task(namespace=redun_namespace, version="1", executor="vague")
    def work(number):
        return number

    @task(namespace=redun_namespace, version="1")
    def explain(errors):
        return [str(error) for error in errors]

    config = Config({"executors.default": {"type": "local"}})
    with Scheduler(config, executor=Vague("vague")) as scheduler:
        errors = scheduler.run(catch_all([work(1), work(2)], ExecutorError, explain))

    assert errors == [f"executor 'vague' returned {given!r} in place of a future"] * 2


def test_cancelled_call_is_a_failure():
    """A call that the executor cancelled fails with a sentence."""

    class Cancelling(Executor):
        options_type = dict

        def submit(self, call):
            future = Future()
            future.cancel()
            future.set_running_or_notify_cancel()
            return future

    with pytest.raises(CancelledCallError, match="cancelled the call"):
        Scheduler(executor=Cancelling("default")).run(inc(1))


@pytest.mark.parametrize("make", [lambda: threading.Lock(), lambda: (item for item in ())], ids=["lock", "generator"])
def test_result_of_a_scheduler_task_that_can_not_be_stored_can_be_caught(scheduler, make):
    """A call whose reduced result can't be stored, because of what a scheduler task gives, fails as others do."""

    @scheduler_task(namespace=redun_namespace)
    def give(scheduler, parent_job, sexpr):
        return Promise(lambda resolve, reject: resolve(make()))

    @task(namespace=redun_namespace, version="1")
    def parent():
        return give()

    @task(namespace=redun_namespace, version="1")
    def explain(error):
        return type(error).__name__

    assert scheduler.run([catch(parent(), InvalidValueError, explain), inc(1)]) == ["InvalidValueError", 2]


@pytest.mark.parametrize("on_error", ["drain", "keep-going", "stop"])
def test_no_job_is_left_running_after_a_failure(scheduler, rejected, on_error):
    """Whatever a failure means for the rest, every job of the execution has ended when the run has."""
    both_run = threading.Barrier(3)

    @task(namespace=redun_namespace, version="1")
    def slow(number):
        both_run.wait(60)
        assert rejected.wait(60)
        return number

    @task(namespace=redun_namespace, version="1", retries=3, retry_delay=30)
    def hopeless():
        raise ValueError("retried")

    @task(namespace=redun_namespace, version="1")
    def fail_first():
        both_run.wait(60)
        raise ValueError("broken")

    @task(namespace=redun_namespace, version="1")
    def parent():
        waiting = [] if on_error == "keep-going" else [hopeless()]
        return [inc(slow(1)), [slow(2)], *waiting, fail_first()]

    with pytest.raises(ValueError, match="broken"):
        scheduler.run(parent(), on_error=on_error)

    assert {status for ended in statuses(scheduler).values() for status in ended} <= {"DONE", "FAILED"}
    assert scheduler.run(inc(1)) == 2


def test_jobs_that_share_a_failure_count_as_failed(scheduler, caplog):
    """A job that joined a call which failed has failed too, and is counted so."""

    @task(namespace=redun_namespace, version="1")
    def count(values):
        return len(values)

    scheduler.run(catch_all([shared_failure("a"), shared_failure("b")], ValueError, count))

    (row,) = [line for line in caplog.text.splitlines() if "| test_failures.fail " in line]
    assert row.split()[-6:] == ["0", "0", "2", "0", "0", "2"]


def test_refused_substitution_can_be_caught(scheduler):
    """A dataclass that refuses a reduced value fails the call that it is an argument or result of, and no more."""

    @task(namespace=redun_namespace, version="1")
    def give():
        return Picky(inc(1))

    @task(namespace=redun_namespace, version="1")
    def take(picky):
        return picky

    @task(namespace=redun_namespace, version="1")
    def explain(error):
        return str(error)

    caught = [catch(give(), ValueError, explain), catch(take(Picky(inc(1))), ValueError, explain)]

    assert scheduler.run([*caught, inc(1)]) == ["a number", "a number", 2]


def test_executor_that_gives_one_future_for_two_calls_fails_them():
    """An executor must return a future of its own for each call."""

    class Sharing(Executor):
        options_type = dict

        def submit(self, call):
            raise AssertionError("never asked")

        def submit_many(self, calls):
            return [Future()] * len(calls)

    @task(namespace=redun_namespace, version="1", executor="one")
    def work(number):
        return number

    config = Config({"executors.default": {"type": "local"}})
    with Scheduler(config, executor=Sharing("one")) as scheduler, pytest.raises(ExecutorError, match="1 futures for 2"):
        scheduler.run([work(1), work(2)])


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"timeout": "x"}, "task option timeout='x' of test_failures.inc must be a positive number of seconds"),
        ({"timeout": float("nan")}, "task option timeout=nan of test_failures.inc must be a positive number"),
        ({"retries": -1}, "task option retries=-1 of test_failures.inc must be a number, or numbers by kind"),
        ({"retry_delay": "1"}, "task option retry_delay='1' of test_failures.inc must be a number of seconds"),
        ({"limits": 3}, "task option limits=3 of test_failures.inc must be a list of names, or a mapping of names"),
        ({"limits": [["x"]]}, "task option limits=[['x']] of test_failures.inc must be a list of names, or a mapping"),
        ({"executor": ["x"]}, "task option executor=['x'] of test_failures.inc must be the name of an executor"),
        ({"executor": 7}, "task option executor=7 of test_failures.inc must be the name of an executor"),
        ({"cache_scope": "some"}, "task option cache_scope='some' of test_failures.inc is none of 'NONE', 'CSE'"),
        ({"cache_scope": 5}, "task option cache_scope=5 of test_failures.inc is none of 'NONE', 'CSE', 'BACKEND'"),
        ({"cache_scope": {}}, "task option cache_scope={} of test_failures.inc is none of 'NONE', 'CSE', 'BACKEND'"),
        ({"check_valid": True}, "task option check_valid=True of test_failures.inc is none of 'full', 'shallow'"),
        ({"allowed_cache_results": 5}, "task option allowed_cache_results=5 of test_failures.inc is none of 'CSE'"),
        ({"prov": "no"}, "task option prov='no' of test_failures.inc must be True or False"),
        ({"tags": 5}, "task option tags=5 must be a list of pairs of a key and a JSON value"),
    ],
)
def test_wrong_option_of_a_call_is_its_failure(scheduler, options, sentence):
    """An option that an expression gives and that makes no sense fails its call, with a sentence that `catch` sees."""

    @task(namespace=redun_namespace, version="1")
    def explain(error):
        return str(error)

    given = {name: const(value, 0) for name, value in options.items()}

    found = scheduler.run([catch(inc.options(**given)(1), Exception, explain), inc(2)])

    assert (found[0][: len(sentence)], found[1]) == (sentence, 3)


@pytest.mark.parametrize("name", ["cache_scope", "tags", "limits", "executor"])
def test_call_with_a_wrong_option_is_reported_and_recorded(scheduler, name, caplog):
    """What is reported names the call whose option is wrong, and its job is recorded as failed."""
    with pytest.raises((ValueError, SchedulerError), match=r"test_failures\.inc"):
        scheduler.run(inc.options(**{name: const(5, 0)})(1))

    assert "Failed in Job" in caplog.text
    assert ": test_failures.inc(x=1)" in caplog.text.rpartition("Failed in Job")[2]
    assert statuses(scheduler)["inc"] == ["FAILED"]


def test_wrong_option_that_is_exported_fails_the_call_that_exports_it(scheduler):
    """An exported option that makes no sense fails the first call that it holds for."""
    exporting = outer.export_options(limits=const(5, 0))

    with pytest.raises(SchedulerError, match=r"limits=5 of test_failures\.outer must be"):
        scheduler.run(exporting("never"))

    assert statuses(scheduler)["outer"] == ["FAILED"]


def test_many_limited_calls_that_can_not_be_started_fail_one_by_one(scheduler):
    """However many calls wait for a limit, each fails by itself when its executor is unknown."""

    @task(namespace=redun_namespace, version="1", limits=["x"], executor="nowhere")
    def lost(number):
        return number

    @task(namespace=redun_namespace, version="1")
    def count(values):
        return sum(isinstance(value, SchedulerError) for value in values)

    assert scheduler.run(catch_all([lost(number) for number in range(3_000)], SchedulerError, count)) == 3_000


def test_cache_options_may_be_expressions_of_texts(scheduler):
    """An option that an expression gives as a text means what the text means in a definition."""
    shallow = inc.options(check_valid=ValueExpression("shallow"), cache_scope=ValueExpression("BACKEND"))

    assert [scheduler.run([shallow(1)]) for _ in range(2)] == [[2], [2]]


@pytest.mark.parametrize("result", [5, None, inc(1)])
def test_scheduler_task_that_returns_no_promise_fails(scheduler, result):
    """What a scheduler task returns in place of a promise, an expression for example, is no result but an error."""

    @scheduler_task(namespace=redun_namespace)
    def forgetful(scheduler, parent_job, expression):
        return result

    with pytest.raises(
        SchedulerError, match=r"test_failures\.forgetful returned .*, which is no promise; return sched"
    ):
        scheduler.run(forgetful())


def test_unknown_task_says_what_to_do(scheduler):
    """A call of a task that nobody has defined says that its module is missing."""
    lost = TaskExpression("test_failures.of_nobody", (), {})

    with pytest.raises(UnknownTaskError, match=r"'test_failures\.of_nobody' does not exist; the module that"):
        scheduler.run([lost])


def test_run_inside_of_a_run_says_what_it_needs(scheduler):
    """A scheduler that is asked for a run meanwhile, by one of its own tasks for example, says what that takes."""

    @task(namespace=redun_namespace, version="1")
    def ask_again():
        return scheduler.run(inc(1))

    with pytest.raises(SchedulerError, match="this scheduler runs an execution already; use another Scheduler"):
        scheduler.run(ask_again())


def test_threads_that_run_at_once_get_one_run():
    """Of two threads that ask a scheduler for a run while it opens its store, one gets it and one is told so."""
    opening, opened, started = threading.Event(), threading.Event(), threading.Event()

    class Slow(MemoryBackend):
        def load(self, migrate=None):
            opening.set()
            assert opened.wait(20)

    @task(namespace=redun_namespace, version="1", cache=False)
    def wait():
        assert started.wait(20)
        return "done"

    def run():
        try:
            results.append(scheduler.run(wait()))
        except SchedulerError as error:
            results.append(str(error))
            started.set()

    scheduler, results = Scheduler(backend=Slow()), []
    threads = [threading.Thread(target=run) for _ in range(2)]

    for thread in threads:
        thread.start()
        assert opening.wait(20)
    opened.set()
    for thread in threads:
        thread.join(20)

    assert results == [
        "this scheduler runs an execution already; use another Scheduler for a second one meanwhile",
        "done",
    ]
