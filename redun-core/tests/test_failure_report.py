"""The report of a failure: what failed, with which arguments, and where, whatever went wrong."""

import logging
import sys
import threading
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from redun import Scheduler, task
from redun.executors.base import Executor
from redun.scheduler import ErrorValue, catch_all
from redun.task import scheduler_task
from redun.traceback import Frame, Part, Traceback
from redun.values.base import Value

redun_namespace = "test_failure_report"


class TwoArguments(Exception):
    """Can be pickled, and not be unpickled."""

    def __init__(self, first, second):
        super().__init__(f"{first} {second}")


class Broken(Exception):
    def __str__(self):
        raise RuntimeError("no")

    __repr__ = __str__


class BrokenExit(BaseException):
    def __repr__(self):
        raise RuntimeError("no")


class Locked(Exception):
    def __init__(self):
        super().__init__("locked")
        self.lock = threading.Lock()


class BrokenValue(Value):
    type_name = "test_failure_report.BrokenValue"

    def __init__(self, name):
        raise ValueError(f"no value {name}")


@task()
def look_up(key):
    return {"known": raise_in_scheduler("x")[key]["deeper"] if key else raise_in_scheduler("")}


@scheduler_task()
def raise_in_scheduler(scheduler, parent_job, expression, name):
    if not name:
        raise ValueError("no name")
    return scheduler.evaluate({"a": 1}, parent_job)


@task()
def descend(n):
    if n == 0:
        raise ValueError("at the bottom")
    return descend(n - 1)


@task()
def raise_it(name, password="x"):
    raise ERRORS[name]()


@task()
def outer(name):
    return raise_it(name, password="hunter2")


@task()
def make_value():
    return BrokenValue("größe")


@task()
def fail_in_thread():
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(raise_unicode).result()


def raise_unicode():
    raise LookupError("工作 größe \N{SNOWMAN}\ud800")


@scheduler_task(namespace=redun_namespace)
def broken_control(scheduler, parent_job, sexpr, name):
    raise ValueError(f"control {name}")


@task()
def use_control():
    return broken_control("flow")


def make_group():
    return ExceptionGroup("several", [ValueError("one"), Broken()])  # noqa: F821


ERRORS = {
    "broken": Broken,
    "exit": BrokenExit,
    "locked": Locked,
    "two": lambda: TwoArguments(1, 2),
    "plain": lambda: ValueError("oh no"),
    "long": lambda: ValueError("x" * 1_000_000),
    "lines": lambda: ValueError("\n".join(["line"] * 10_000)),
    "group": make_group,
}


@pytest.fixture
def report(scheduler, caplog):
    """A function that runs a workflow that fails, and returns the error and the report's lines."""

    def run(expr, error=Exception):
        caplog.clear()
        with pytest.raises(error) as caught:
            scheduler.run(expr)
        lines = [record.getMessage() for record in caplog.records if hasattr(record, "part")]
        assert caplog.messages.count("*** Execution failed. Traceback (most recent task last):") == 1
        return caught.value, lines

    return run


def test_report_ends_with_the_call_and_the_users_line(report):
    """The last lines of the report are the failed call with its arguments, and the user's line."""
    _, lines = report(outer("plain"), ValueError)

    assert lines[-4] == "ValueError: oh no"
    assert lines[-3] == ""
    assert lines[-2].startswith("Failed in Job ")
    assert lines[-2].endswith(": test_failure_report.raise_it(name='plain', password=***)")
    line = raise_it.func.__code__.co_firstlineno + 2
    assert lines[-1] == f"    {__file__}:{line} in raise_it: raise ERRORS[name]()"


def test_secrets_are_not_in_the_log(report, caplog):
    """What is passed as a password is in no line of the log, and not in what is recorded of the failure."""
    error, _ = report(outer("plain"), ValueError)

    assert "hunter2" not in caplog.text
    assert "hunter2" not in "".join(str(frame.locals) for frame in error.redun_traceback.frames)


def test_lines_of_the_report_say_what_they_show(report, caplog):
    """Each line of the report carries what it shows, for terminals."""
    report(outer("plain"), ValueError)

    parts = [record.part for record in caplog.records if hasattr(record, "part")]
    assert parts[0] is Part.JOB
    assert parts[-3:] == [Part.SUMMARY] * 3


@pytest.mark.parametrize("name", sorted(ERRORS))
def test_any_error_is_reported_and_recorded(scheduler, report, name):
    """Errors that can't be shown or stored, that are long, and groups: each is reported shortly and recorded."""
    if name == "group" and sys.version_info < (3, 11):
        pytest.skip("groups came with Python 3.11")

    _, lines = report(outer(name))

    assert lines[-2].endswith(f"test_failure_report.raise_it(name={name!r}, password=***)")
    assert len(lines) < 120
    assert max(map(len, lines)) < 3_000
    assert {call.result.type_name for call in scheduler.backend.calls.values()} == {ErrorValue.type_name}
    report(outer(name))


def test_deep_chain_of_failing_calls_is_reported(report):
    """The failure of a call a thousand levels down is reported with the first and the last of the tasks."""
    error, lines = report(descend(1_000), ValueError)

    assert len(error.redun_traceback.frames) < 50
    assert "    n = 1000" in lines
    assert "    n = 0" in lines
    assert lines[-2].endswith("descend(n=0)")


def test_error_in_a_scheduler_task_is_that_of_the_job_above(report):
    """An error in a scheduler task is reported with the job that called it, and the line in the scheduler task."""
    _, lines = report(use_control(), ValueError)

    assert lines[-3].endswith("test_failure_report.use_control()")
    assert lines[-2] == "    in expression test_failure_report.broken_control('flow')"
    assert " in broken_control: raise ValueError" in lines[-1]


def test_error_in_the_making_of_a_value_is_the_users(report):
    """An error in the constructor of a value is reported there."""
    _, lines = report(make_value(), ValueError)

    assert " in __init__: raise ValueError" in lines[-1]
    assert "    name = 'größe'" in lines


def test_error_in_another_thread_is_reported(report):
    """An error from a thread that the task started is reported with the line in it, in any language."""
    _, lines = report(fail_in_thread(), LookupError)

    assert any(line.startswith("LookupError: 工作 größe ☃\\ud800") for line in lines)
    assert " in raise_unicode: raise LookupError" in lines[-1]


def test_error_of_an_executor_is_shown_as_it_was_there(caplog):
    """An error that comes from elsewhere is shown with the frames and the output there."""

    class Remote(Executor):
        options_type = dict

        def submit(self, call):
            error = OSError("disk")
            error.redun_traceback = Traceback(error, [Frame("/there/flow.py", 7, "work", {"a": "1"}, line="x()")])
            error.redun_logs = ["almost done\n", "boom"]
            future = Future()
            future.set_exception(error)
            return future

    with pytest.raises(OSError, match="disk") as caught:
        Scheduler(executor=Remote("default")).run(descend(5))

    lines = [record.getMessage() for record in caplog.records if hasattr(record, "part")]
    assert lines[3:12] == [
        '  File "/there/flow.py", line 7, in work',
        "    x()",
        "    a = 1",
        "OSError: disk",
        "",
        "Latest logs:",
        "almost done",
        "boom",
        "",
    ]
    assert lines[-1] == "    /there/flow.py:7 in work: x()"
    assert caught.value.redun_traceback.logs == ["almost done\n", "boom"]


def test_latest_failure_is_kept_until_the_next_run(scheduler):
    """The scheduler tells how its latest run failed: the call with its arguments; and nothing if it did not."""
    with pytest.raises(ValueError, match="oh no"):
        scheduler.run(outer("plain"))

    failure = scheduler.failure
    assert (failure.task, failure.args, failure.kwargs) == (raise_it, ("plain",), {"password": "hunter2"})
    scheduler.run([])
    assert scheduler.failure is None


def test_errors_that_are_caught_are_not_reported(scheduler, caplog):
    """Errors that the workflow recovers from are no failure of it."""

    @task(namespace=redun_namespace, version="1")
    def count(values):
        return len(values)

    assert scheduler.run(catch_all([raise_it("plain"), raise_it("broken")], Exception, count)) == 2
    assert scheduler.failure is None
    assert not any(hasattr(record, "part") for record in caplog.records)


def test_plain_handlers_need_no_parts(scheduler, capsys):
    """The report reads the same through any handler of the logging module."""
    handler = logging.StreamHandler(sys.stderr)
    scheduler.logger.addHandler(handler)
    try:
        with pytest.raises(ValueError, match="oh no"):
            scheduler.run(outer("plain"))
    finally:
        scheduler.logger.removeHandler(handler)

    assert "\nValueError: oh no\n\nFailed in Job " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("key", "expression"),
    [("b", "test_failure_report.raise_in_scheduler('x')['b']"), ("", "test_failure_report.raise_in_scheduler('')")],
)
def test_expression_that_fails_by_itself_is_named(scheduler, key, expression, caplog):
    """Where a lazy operation or a scheduler task fails, and no call, the report says which expression it is."""
    with pytest.raises((KeyError, ValueError), match=r"b|no name"):
        scheduler.run(look_up(key))

    lines = [record.message for record in caplog.records]
    (failed,) = [number for number, line in enumerate(lines) if line.startswith("Failed in Job")]
    assert lines[failed].endswith(f": test_failure_report.look_up(key={key!r})")
    assert lines[failed + 1] == f"    in expression {expression}"
