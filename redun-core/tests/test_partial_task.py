import pickle

import pytest
from golden_tasks import addv
from nested_types import Perishable

from redun import PartialTask, Scheduler, get_task_registry, task
from redun.control import cond
from redun.functools import map_
from redun.hashing import hash_arguments, hash_struct, hash_value_bytes
from redun.task import SchedulerTask, scheduler_task
from redun.values.base import pickle_dumps
from redun.values.registry import get_type_registry

redun_namespace = "test_partial_task"


@task(version="1", memory=1)
def call(*args, **kwargs):
    return args, kwargs


@task(version="1")
def double(x):
    return 2 * x


@task(version="1", namespace="test_partial_task")
def subtract(a, b):
    return a - b


@scheduler_task(namespace="test_partial_task")
def choose(scheduler, parent_job, sexpr, *args):
    return scheduler.evaluate(args[0], parent_job)


def define(**settings):
    """Define task ``test_partial_task.defined``."""
    return task(name="defined", **settings)(lambda a, b=2: a)


def stored(value):
    return pickle.loads(pickle.dumps(value, 3))


def test_hash_is_golden():
    """Partial tasks have the addresses that existing stores know."""
    made = addv.partial(1)

    actual = made.hash, made.get_hash(), get_type_registry().get_hash(made)

    assert actual == ("a809d03a80fbd8454ba95dc625eeaa8caaf60325",) * 3


def test_hash_formula():
    """A partial task is addressed by its task, added options included, and by its arguments."""
    inner = addv.options(memory=4)

    actual = inner.partial(1, b="x").hash

    args_hash = hash_arguments([hash_value_bytes(pickle_dumps(1))], {"b": hash_value_bytes(pickle_dumps("x"))})
    assert actual == hash_struct(["PartialTask", inner.hash, args_hash])


@pytest.mark.parametrize(
    "other", [call.partial(2), call.partial(a=1), call.partial(), addv.partial(1), call.options(x=1).partial(1)]
)
def test_hash_tells_partial_tasks_apart(other):
    """Another task, other arguments or other options make another address."""
    made = call.partial(1)

    actual = other.hash

    assert actual != made.hash


def test_call_fills_in_the_arguments():
    """Calling a partial task calls its task with both lots of arguments; keywords of the call win."""
    made = call.partial(1, k="old", l="kept")

    actual = made(2, k="new")

    assert (actual.task_name, actual.args, actual.kwargs) == (
        "test_partial_task.call",
        (1, 2),
        {"k": "new", "l": "kept"},
    )


def test_call_leaves_the_partial_task_alone():
    """A partial task can be called again and again."""
    made = call.partial(1, k=1)

    made(2, k=2)

    assert (made.args, made.kwargs) == ((1,), {"k": 1})


def test_call_of_a_partial_task_is_a_call_of_its_task():
    """Calls through a partial task and direct calls are the same expression."""
    expression = call.options(memory=4)(1, 2, k=3)

    actual = call.options(memory=4).partial(1)(2, k=3).get_hash()

    assert actual == expression.get_hash()


def test_partial_of_a_partial_task_adds_up():
    """Filling in more arguments makes a partial task of the same task."""
    made = call.partial(1, k="old", l="kept").partial(2, k="new")

    actual = type(made), made.task, made.args, made.kwargs

    assert actual == (PartialTask, call, (1, 2), {"k": "new", "l": "kept"})


@pytest.mark.parametrize(
    ("derive", "options", "exported"),
    [
        (lambda made: made.options(memory=4, queue="q"), {"memory": 4, "queue": "q"}, set()),
        (lambda made: made.export_options(memory=4), {"memory": 4}, {"memory"}),
        (lambda made: made.options(memory=3).options(memory=4), {"memory": 4}, set()),
    ],
)
def test_options_go_to_the_task(derive, options, exported):
    """Options of a partial task are those of its task, and travel with every call."""
    made = derive(call.partial(1))

    actual = made(2)

    assert (type(made), made.args) == (PartialTask, (1,))
    assert (actual.args, actual.task_options, actual.export_options) == ((1, 2), options, exported)
    assert made.get_task_option("memory") == 4


def test_partial_task_looks_like_its_task():
    """A partial task has the names, function and options of its task, and shows with its arguments."""
    made = call.partial(1, k=2)

    actual = made.fullname, made.func, made.get_task_options(), made.source, made.load_module, made.nout, repr(made)

    assert actual == (
        "test_partial_task.call",
        call.func,
        {"memory": 1},
        call.source,
        __name__,
        None,
        "PartialTask(fullname=test_partial_task.call, args=(1,), kwargs={'k': 2})",
    )


def test_partial_task_is_not_registered():
    """Making a partial task does not touch the registered definition."""
    call.partial(1)

    actual = get_task_registry().get("test_partial_task.call")

    assert actual is call


def test_partial_of_a_scheduler_task_makes_scheduler_expressions():
    """A scheduler task can be partial too."""
    actual = Scheduler().run(choose.partial(double(1))(double(2)))

    assert actual == 2


def test_filled_in_expressions_are_evaluated_with_the_call():
    """Arguments filled in may be expressions; the task gets their values."""
    actual = Scheduler().run(call.partial(double(1), k=[double(2)])(double(3)))

    assert actual == ((2, 6), {"k": [4]})


def test_partial_task_passes_as_argument():
    """A partial task is a value that other tasks can call."""
    actual = Scheduler().run(map_(subtract.partial(b=10), [11, 12]))

    assert actual == [1, 2]


def test_state_is_that_of_existing_stores():
    """The pickled state is that of the task, the task's state once more, and the arguments."""
    made = addv.options(memory=4).partial(1, b=2)

    actual = made.__getstate__()

    inner = {
        "name": "addv",
        "namespace": "gold",
        "version": "1",
        "compat": [],
        "script": False,
        "task_options": {"memory": 4},
        "export_options": set(),
    }
    assert actual == {
        **inner,
        "hash": made.hash,
        "task": {**inner, "hash": made.task.hash},
        "args": (1,),
        "kwargs": {"b": 2},
    }


@pytest.mark.parametrize(
    "original",
    [
        call.partial(1, k=2),
        call.options(memory=4).partial([1]),
        call.export_options(memory=4).partial(),
        call.partial(call.partial(1), double(3)),
    ],
)
def test_partial_task_survives_storing(original):
    """A partial task that is stored and read is valid and makes the same calls."""
    actual = stored(original)

    assert (type(actual), repr(actual), actual.hash, actual.is_valid()) == (
        PartialTask,
        repr(original),
        original.hash,
        True,
    )
    assert actual(9).get_hash() == original(9).get_hash()


def test_partial_scheduler_task_survives_storing():
    """A partial scheduler task that is stored and read still makes scheduler expressions."""
    original = choose.partial(1)

    actual = stored(original)

    assert type(actual.task) is SchedulerTask
    assert actual(2).get_hash() == original(2).get_hash()


def test_partial_scheduler_task_works_as_result_from_the_cache():
    """A partial scheduler task that a task returned is run by the scheduler also when it comes from the cache."""

    @task(version="1")
    def pick():
        return cond.partial(False, "then")

    @task(version="1")
    def use(chosen, otherwise):
        return chosen(otherwise)

    scheduler = Scheduler()

    actual = [scheduler.run(use(pick(), otherwise)) for otherwise in ("first", "second")]

    assert actual == ["first", "second"]


def test_partial_task_is_stored_under_its_type_name():
    """The store knows partial tasks by a type of their own, and does not index them as tasks."""
    encoded = get_type_registry().encode(call.partial(1))

    actual = encoded.type_name, encoded.subtype

    assert actual == ("redun.PartialTask", None)


@pytest.mark.parametrize(
    ("made", "valid"),
    [
        (call.partial(1, k=[2]), True),
        (call.partial(Perishable(True)), True),
        (call.partial(Perishable(False)), False),
        (call.partial(k={"a": [Perishable(False)]}), False),
        (call.partial(double(Perishable(False))), False),
        (call.partial(call.partial(Perishable(False))), False),
        (call.partial(call.partial(Perishable(True))), True),
    ],
)
def test_validity_is_that_of_task_and_arguments(made, valid):
    """A partial task is valid if its task and every value in its arguments, at any depth, still hold."""
    actual = made.is_valid(), get_type_registry().is_valid_nested({"k": [made]}), call(made).is_valid()

    assert actual == (valid, valid, valid)


def test_stored_partial_task_expires_with_its_task():
    """A stored partial task is invalid once the definition of its task has changed or is gone."""
    data = pickle.dumps(define(source="one").partial(1))
    valid = pickle.loads(data).is_valid()

    define(source="two")
    valid_after_change = pickle.loads(data).is_valid()
    get_task_registry()._remove("test_partial_task.defined")
    valid_when_gone = pickle.loads(data).is_valid()

    assert (valid, valid_after_change, valid_when_gone) == (True, False, False)


def test_stored_partial_task_without_definition_is_a_stub():
    """The task of a stored partial task that is not registered is the stub that says so when it runs."""
    data = pickle.dumps(define(version="1").partial(1))
    get_task_registry()._remove("test_partial_task.defined")

    actual = pickle.loads(data)

    with pytest.raises(ValueError, match=r"Task test_partial_task\.defined is undefined\."):
        actual.func()


def test_argument_that_has_no_address_is_refused():
    """Filling in an argument that can't be stored raises an error at once."""

    def local():
        return 1

    with pytest.raises(ValueError, match=r"'.*local' is defined inside another function"):
        call.partial(local)
