"""Values that are larger than the store takes: failures like any other."""

import pytest

from redun import Scheduler, apply_tags, catch, task
from redun.backends.memory import MemoryBackend
from redun.errors import InvalidValueError
from redun.values.base import Value

redun_namespace = "test_sizes"

LIMIT = 10_000


@task(version="1")
def make(size):
    return "x" * size


@task(version="1")
def join(a, *, b=""):
    return len(a) + len(b)


@task(version="1")
def make_pair(size):
    return [make(size), make(size + 1)]


@task(version="1")
def explain(error):
    return str(error)


@task(version="1")
def fail(size):
    raise ValueError("x" * size)


class Box(Value):
    """Holds a value that is large when it is stored by itself."""

    type_name = "test_sizes.Box"

    def __init__(self, inner=None):
        self.inner = inner

    def __getstate__(self):
        return {}

    def __setstate__(self, state):
        self.inner = None

    def iter_subvalues(self):
        return [] if self.inner is None else [self.inner]


class Content(Value):
    """A large value."""

    type_name = "test_sizes.Content"

    def __getstate__(self):
        return {"text": "x" * LIMIT}

    def __setstate__(self, state):
        return


@task(version="1")
def make_box():
    return Box(Content())


@pytest.fixture
def scheduler():
    """A scheduler whose store takes values of some size."""
    backend = MemoryBackend()
    backend.max_value_size = LIMIT
    return Scheduler(backend=backend)


def list_sizes(scheduler):
    return [len(value.data) for value in scheduler.backend.values.values()]


def test_result_that_is_too_large_fails_its_call(scheduler):
    """A larger result is an error that names the task, the size, the limit and the option, and is not recorded."""
    with pytest.raises(InvalidValueError) as caught:
        scheduler.run(make(2 * LIMIT))

    assert str(caught.value) == (
        "the result of task test_sizes.make has 20,010 bytes, and [backend] max_value_size allows 10,000: write it to "
        "a file and pass the File on in its place, or raise the limit"
    )
    assert max(list_sizes(scheduler)) <= LIMIT
    assert scheduler.backend.evaluations == {}


def test_result_of_the_allowed_size_is_a_result(scheduler):
    """A value that just fits is recorded."""
    assert scheduler.run(make(LIMIT - 10)) == "x" * (LIMIT - 10)
    assert max(list_sizes(scheduler)) == LIMIT


def test_too_large_result_can_be_recovered_from(scheduler):
    """``catch`` sees a result that is too large, and the run goes on."""
    assert scheduler.run(catch(make(2 * LIMIT), InvalidValueError, explain)).startswith("the result of task")


def test_reduced_result_is_measured_too(scheduler):
    """A result that becomes too large when the expressions in it are reduced fails its call."""
    reason = scheduler.run(catch(make_pair(LIMIT // 2 + 100), InvalidValueError, explain))

    assert reason.startswith("the result of task test_sizes.make_pair has 10,2")


def test_result_of_the_workflow_is_named_so(scheduler):
    """A nested value of the program that becomes too large is called the result of the workflow."""
    with pytest.raises(InvalidValueError, match="the result of the workflow has"):
        scheduler.run([make(LIMIT // 2 + 100), make(LIMIT // 2 + 101)])


@pytest.mark.parametrize("place", [0, "b"])
def test_argument_that_is_too_large_fails_its_call(scheduler, place):
    """Results that fit each by itself but not together in an argument fail the call, and that is not recorded."""
    pair = [make(LIMIT // 2 + 100), make(LIMIT // 2 + 101)]
    call = join(pair) if place == 0 else join([], b=pair)

    reason = scheduler.run(catch(call, InvalidValueError, explain))

    assert reason.startswith(f"argument {place!r} of task test_sizes.join has 10,2")
    assert "test_sizes.join" not in {call.task_name for call in scheduler.backend.calls.values()}
    assert max(list_sizes(scheduler)) <= LIMIT


def test_expression_that_is_too_large_fails_the_workflow(scheduler):
    """A constant of the program that is too large fails the run, for it is part of the expression to evaluate."""
    with pytest.raises(InvalidValueError, match="the expression of the workflow has"):
        scheduler.run([join("x" * LIMIT)])

    assert scheduler.backend.calls == {}


def test_value_inside_another_is_measured_too(scheduler):
    """What is stored on its own because it is inside another value has to fit as well."""
    assert scheduler.run(catch(make_box(), InvalidValueError, explain)).startswith("the result of task")


def test_error_that_is_too_large_is_described(scheduler):
    """An error that is too large to be recorded fails the call as it is, and its description is recorded."""
    with pytest.raises(ValueError, match="x" * LIMIT):
        scheduler.run(fail(LIMIT))

    (call,) = scheduler.backend.calls.values()
    assert call.result.type_name == "redun.ErrorValue"
    assert len(call.result.data) < LIMIT


def test_tagged_value_is_measured_too(scheduler):
    """A value that is recorded because it is tagged has to fit."""
    tagged = apply_tags([make(LIMIT // 2 + 100), make(LIMIT // 2 + 101)], tags=[("a", 1)])

    with pytest.raises(InvalidValueError, match="a value to be recorded has"):
        scheduler.run(join(tagged))


def test_store_without_a_limit_takes_everything():
    """A store that names no limit gets values of any size."""
    assert len(Scheduler().run(make(3_000_000))) == 3_000_000
