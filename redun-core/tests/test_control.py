"""Control flow: conditions, recovery from errors."""

import pytest

from redun import catch, cond, task, throw
from redun.control import catch_all, root_task
from redun.errors import SchedulerError

redun_namespace = "test_control"


@task()
def inc(x):
    return x + 1


@task()
def divide(a, b):
    return a / b


@task()
def explain(error):
    return f"{type(error).__name__}: {error}"


@task()
def give(value):
    return value


@task()
def fail_again(error):
    raise RuntimeError("recovery failed") from error


@task()
def describe(values):
    return [type(value).__name__ for value in values]


@task()
def recovering(a, b):
    return catch(divide(a, b), ZeroDivisionError, explain)


@pytest.mark.parametrize(
    ("name", "task_hash"),
    [
        (cond, "13e05ec77fc07ec041d28daa3a86a140db826ab0"),
        (catch, "c35c210e4586212b0fe50441518ab050ce61156a"),
        (catch_all, "5a0bfbdf5469b3240fa9fe8df3bf784c7276d6de"),
        (throw, "bb623d5c3b809f99314a9a562881fdc53c6a089d"),
        (root_task, "d2fb66af6183efcf1b55b176d1e94b48b56f10b8"),
    ],
)
def test_builtin_tasks_keep_their_hashes(name, task_hash):
    """The hashes of built-in tasks are those that existing stores were written with."""
    assert name.hash == task_hash


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        (cond(True, 1, 2), 1),
        (cond(inc(0) == 1, inc(10), inc(20)), 11),
        (cond(False, 1, inc(0), 2, 3), 2),
        (cond(False, 1, give(0), 2, 3), 3),
        (cond(give([]), 1, give("x"), inc(1)), 2),
        (cond(True, [inc(1), {"k": inc(2)}], None), [2, {"k": 3}]),
    ],
)
def test_cond_takes_the_first_true_branch(scheduler, expression, value):
    """`cond` evaluates conditions in order and returns the value that goes with the first that is true."""
    assert scheduler.run(expression) == value


def test_cond_evaluates_only_the_branch_it_takes(scheduler, ran):
    """Branches that are not taken, and conditions after the first true one, are not evaluated."""
    scheduler.run(cond(inc(0) == 1, inc(10), divide(1, 0), divide(2, 0), divide(3, 0)))

    assert ran() == ["root_task", "inc", "inc"]


def test_cond_without_a_value_left_fails(scheduler):
    """When no condition is true and there is no last value, that is an error."""
    with pytest.raises(IndexError, match="no value left"):
        scheduler.run(cond(False, 1))


def test_catch_passes_a_result_through(scheduler):
    """Without an error, `catch` is its expression."""
    assert scheduler.run(catch(divide(1, 2), ZeroDivisionError, explain)) == 0.5


def test_catch_recovers_with_the_first_class_that_matches(scheduler):
    """The first class, or tuple of classes, that the error is an instance of decides on the recovery."""
    expression = catch(divide(1, 0), (KeyError, TypeError), give, ArithmeticError, explain, Exception, fail_again)

    assert scheduler.run(expression) == "ZeroDivisionError: division by zero"


def test_catch_raises_what_matches_nothing(scheduler):
    """An error that no class matches is raised on."""
    with pytest.raises(ZeroDivisionError):
        scheduler.run(catch(divide(1, 0), KeyError, explain))


def test_catch_does_not_catch_the_errors_of_its_recovery(scheduler):
    """An error of the recovery is raised, not recovered from."""
    with pytest.raises(RuntimeError, match="recovery failed"):
        scheduler.run(catch(divide(1, 0), Exception, fail_again))


def test_catch_can_be_nested(scheduler):
    """An outer `catch` recovers from what an inner one raises."""
    inner = catch(divide(1, 0), Exception, fail_again)

    assert scheduler.run(catch(inner, RuntimeError, explain)) == "RuntimeError: recovery failed"


def test_catch_sees_errors_of_arguments_and_operations(scheduler):
    """Errors of lazy operations and of calls in arguments are caught like those of the call itself."""
    expression = [catch(inc(divide(1, 0)), Exception, give), catch(inc(1)["k"], TypeError, give)]

    errors = scheduler.run(expression)

    assert [type(error) for error in errors] == [ZeroDivisionError, TypeError]


def test_catch_needs_pairs(scheduler):
    """A class without a recovery is an error that says what is missing."""
    with pytest.raises(SchedulerError, match="pairs of an error class and a recovery"):
        scheduler.run(catch(inc(1), ValueError))


@pytest.mark.parametrize(
    ("recovery", "sentence"),
    [
        (("ValueError", explain), r"catch\(\) recovers from classes of errors, not from 'ValueError'"),
        ((ZeroDivisionError, 5), r"catch\(\) recovers with a task or a function, not with 5"),
        (
            (KeyError, 5, (OSError, "x"), explain),
            r"recovers from classes of errors, not from \(<class 'OSError'>, 'x'\)",
        ),
    ],
)
def test_catch_says_what_it_can_not_recover_with(scheduler, recovery, sentence):
    """What is no class of errors, or can't be called, is named when there is an error, which is the cause."""
    with pytest.raises(TypeError, match=sentence) as caught:
        scheduler.run(catch(divide(1, 0), *recovery))

    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    assert scheduler.run(catch(divide(1, 1), *recovery)) == 1


@pytest.mark.parametrize(
    ("recovery", "sentence"),
    [
        (("ValueError", describe), r"catch_all\(\) recovers from classes of errors, not from 'ValueError'"),
        ((ZeroDivisionError, 5), r"catch_all\(\) recovers with a task or a function, not with 5"),
    ],
)
def test_catch_all_says_what_it_can_not_recover_with(scheduler, recovery, sentence):
    """The same holds for catch_all."""
    with pytest.raises(TypeError, match=sentence):
        scheduler.run(catch_all([divide(1, 0)], *recovery))


def test_recovered_failure_is_not_tried_again(scheduler, ran):
    """What `catch` came to is cached: the failing call does not run again while nothing changes."""
    first = scheduler.run(recovering(1, 0))
    second = scheduler.run(recovering(1, 0))

    assert first == second == "ZeroDivisionError: division by zero"
    assert ran() == []


def test_uncached_catch_tries_again(scheduler, ran):
    """In a job without cache, `catch` evaluates its expression again."""
    uncached = recovering.options(cache_scope="NONE")

    scheduler.run(uncached(1, 0))
    scheduler.run(uncached(1, 0))

    assert "divide" in ran()


def test_dataflow_is_recorded_through_a_recovery(scheduler):
    """The recovery's argument came from the call that failed."""
    scheduler.run(recovering(1, 0))

    calls = {call.task_name.rpartition(".")[2]: call for call in scheduler.backend.calls.values()}
    assert calls["explain"].upstream == {0: [calls["divide"].call_hash]}


def test_catch_all_waits_for_everything(scheduler, ran):
    """`catch_all` evaluates every expression to its end, then recovers with the errors in their places."""
    result = scheduler.run(catch_all([divide(1, 0), inc(1), divide(2, 0)], ZeroDivisionError, describe))

    assert result == ["ZeroDivisionError", "int", "ZeroDivisionError"]
    assert sorted(ran()) == ["describe", "divide", "divide", "inc", "root_task"]


def test_catch_all_without_errors_is_the_evaluated_value(scheduler):
    """Without errors, `catch_all` is its value with every expression reduced."""
    assert scheduler.run(catch_all({"a": [inc(1)], "b": 3}, Exception, describe)) == {"a": [2], "b": 3}


@pytest.mark.parametrize("arguments", [(), (KeyError, describe)])
def test_catch_all_raises_the_first_error_that_it_may_not_recover_from(scheduler, arguments):
    """Without a recovery, or for an error of another class, the first such error is raised."""
    with pytest.raises(ZeroDivisionError):
        scheduler.run(catch_all([inc(1), divide(1, 0)], *arguments))


def test_throw_raises_lazily(scheduler):
    """`throw` fails when it is evaluated, so it can stand in a branch that is not taken."""
    assert scheduler.run(cond(True, 1, throw(ValueError("no")))) == 1
    with pytest.raises(ValueError, match="no"):
        scheduler.run(cond(False, 1, throw(ValueError("no"))))
