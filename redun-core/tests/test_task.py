import inspect
import subprocess
import sys
import typing

import pytest
from golden_tasks import add, addv

from redun import Scheduler, get_task_registry, task
from redun.errors import InvalidValueError
from redun.expression import SchedulerExpression, TaskExpression
from redun.hashing import hash_struct, hash_value_bytes
from redun.task import SchedulerTask, Task, scheduler_task
from redun.values.base import pickle_dumps
from redun.values.registry import get_type_registry

redun_namespace = "test_task"


@task(version="1")
def call(*args, **kwargs):
    return args


def helper():
    return 1


def other_helper():
    return 2


def define(func=None, **settings):
    """Define task ``test_task.defined`` of a function, by default one of two parameters."""

    def two(a, b=2):
        return a, b

    return task(name="defined", **settings)(func or two)


@pytest.mark.parametrize(
    ("made", "golden"),
    [
        (add, "de91738960954e495ce9a4a8c063fe00cc1e110b"),
        (addv, "a3f29e8e5b5a7f72f349d78c6dfb95f110fb9f18"),
        (addv.options(memory=4), "d60e2569836aa1f11ebc6be068bcb94ae72ea35a"),
    ],
)
def test_hash_is_golden(made, golden):
    """Tasks have the addresses that existing stores know."""
    actual = made.hash, made.get_hash(), get_type_registry().get_hash(made)

    assert actual == (golden, golden, golden)


def test_hash_formula():
    """A task is addressed by name, source or version, sorted addresses of what it includes, and added options."""
    encode = get_type_registry().get_hash
    options_hash = hash_value_bytes(pickle_dumps({"memory": 4}))

    actual = define(source="text", hash_includes=[helper, 7]).options(memory=4).hash

    includes = sorted([encode(helper), encode(7)])
    assert actual == hash_struct(["Task", "test_task.defined", "source", "text", *includes, options_hash])


def test_version_replaces_the_source():
    """A task with a version is addressed by it, so its source may change."""
    first = define(lambda x: x, version="1")

    actual = define(lambda x: x + 1, version="1").hash

    assert actual == first.hash
    assert actual != define(lambda x: x, version="2").hash


def test_included_values_count_beside_a_version():
    """What `hash_includes` lists takes part in the address of a task also when it has a version."""
    hashes = [
        define(version="1", hash_includes=includes).hash
        for includes in ([], [helper], [other_helper], [helper, other_helper])
    ]

    actual = len(set(hashes))

    assert actual == 4


def test_order_of_included_values_does_not_matter():
    """The values in `hash_includes` are addressed as a bag."""
    actual = define(version="1", hash_includes=[helper, 1, other_helper]).hash

    assert actual == define(version="1", hash_includes=[other_helper, helper, 1]).hash


def test_base_options_do_not_count():
    """Options of the definition are no part of a task's address."""
    actual = define(version="1", memory=4, cache=False, export_options={"image": "i"}).hash

    assert actual == define(version="1").hash


def test_first_compatible_hash_becomes_the_hash():
    """With `compat`, a task stands in for the earlier definition whose hash comes first, options or not."""
    made = define(compat=["a" * 40, "b" * 40])

    actual = made.hash, made.options(memory=1).hash, made.compat

    assert actual == ("a" * 40, "a" * 40, ["a" * 40, "b" * 40])


@pytest.mark.parametrize("decorate", [task, task(), task(version=None), lambda func: task(func, memory=1)])
def test_decorator_works_bare_and_called(decorate):
    """``@task`` and ``@task()`` both make a registered task with the function's name in the module's namespace."""
    made = decorate(helper)

    actual = type(made), made.fullname, made.func, get_task_registry().get("test_task.helper")

    assert actual == (Task, "test_task.helper", helper, made)


def test_name_and_namespace_can_be_given():
    """A task takes its name and namespace from the definition; without a namespace, the name is the full name."""
    named, bare = task(name="other", namespace="a.b")(helper), task(namespace="")(helper)

    actual = (named.name, named.namespace, named.fullname), (bare.namespace, bare.fullname)

    assert actual == (("other", "a.b", "a.b.other"), ("", "helper"))


def test_repr_shows_name_and_hash():
    """A task shows with its full name and the first 8 characters of its hash."""
    actual = repr(addv)

    assert actual == "Task(fullname=gold.addv, hash=a3f29e8e)"


def test_call_is_lazy_and_unchecked():
    """Calling a task makes an expression of its full name and arguments; whether they fit shows when it runs."""
    expression = addv(1, 2, 3, z=4)

    actual = type(expression), expression.task_name, expression.args, expression.kwargs

    assert actual == (TaskExpression, "gold.addv", (1, 2, 3), {"z": 4})


@pytest.mark.parametrize("make", [lambda: call(self=1), lambda: call.partial(self=1)(), lambda: call.partial()(self=1)])
def test_argument_may_be_named_self(make):
    """The names of a task's parameters are the workflow's alone."""
    assert make().kwargs == {"self": 1}


def test_wrong_arguments_are_a_type_error_when_run():
    """A call whose arguments do not fit the function fails with Python's own TypeError."""
    with pytest.raises(TypeError, match="takes from 1 to 2 positional arguments but 3 were given"):
        Scheduler().run(addv(1, 2, 3))


def test_scheduler_task_gets_its_arguments_unevaluated():
    """A scheduler task has version 1, makes scheduler expressions, and is called with the expressions themselves."""

    @scheduler_task(namespace="test_task")
    def count(scheduler, parent_job, sexpr, *args, **kwargs):
        kinds = [type(value).__name__ for value in (sexpr, *args, *kwargs.values())]
        return scheduler.evaluate(kinds, parent_job)

    actual = Scheduler().run(count(call(1), 2, k=call(3)))

    assert actual == ["SchedulerExpression", "TaskExpression", "int", "TaskExpression"]
    assert (type(count), count.version, count.fullname) == (SchedulerTask, "1", "test_task.count")


def test_options_of_a_scheduler_task_travel_with_the_expression():
    """The expression of a scheduler task has the options given for the call, and exports none."""

    @scheduler_task(name="chosen", namespace="test_task", memory=1)
    def choose(scheduler, parent_job, sexpr):
        return scheduler.evaluate(1, parent_job)

    expression = choose.options(memory=4)()

    assert (type(expression), expression.task_options, expression.export_options) == (
        SchedulerExpression,
        {"memory": 4},
        frozenset(),
    )


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"name": "1st"}, ValueError, "task name '1st' must be letters, digits and underscores"),
        ({"name": "a-b"}, ValueError, "task name 'a-b' must be"),
        ({"name": "a\n"}, ValueError, r"task name 'a\\n' must be"),
        ({"namespace": "1a"}, ValueError, "task namespace '1a' must be names joined by dots"),
        ({"namespace": "a b"}, ValueError, "task namespace 'a b' must be"),
        ({"config_args": ["a", "z", "y"]}, ValueError, "config_args of task '.*' names no parameter: y, z"),
        ({"nout": -1}, TypeError, "nout of '.*' must be a whole number, not -1"),
        ({"nout": "2"}, TypeError, "must be a whole number, not '2'"),
        ({"nout": 1.0}, TypeError, r"must be a whole number, not 1\.0"),
        ({"nout": True}, TypeError, "must be a whole number, not True"),
        ({"cache_scope": "SOME"}, ValueError, "cache_scope='SOME' is none of 'NONE', 'CSE', 'BACKEND'"),
        ({"check_valid": "deep"}, ValueError, "check_valid='deep' is none of 'full', 'shallow'"),
        ({"export_options": {"cache_scope": "SOME"}}, ValueError, "cache_scope='SOME' is none of"),
    ],
)
def test_wrong_definition_is_refused(settings, error, message):
    """A definition with a name, option or included value that can't be used is refused, and nothing is registered."""
    settings = {"name": "refused", "version": "1", **settings}

    with pytest.raises(error, match=message):
        task(**settings)(lambda a, b: a)
    assert get_task_registry().get("test_task.refused") is None


def test_included_value_that_has_no_address_is_refused():
    """A value in `hash_includes` that can't be pickled is refused when the task is defined."""

    def local():
        return 1

    with pytest.raises(InvalidValueError, match=r"'.*local' is defined inside another function"):
        define(hash_includes=[local])


def test_included_functions_count_by_source_from_the_first_definition(tmp_path):
    """A function in `hash_includes` is addressed by its source also in a process that has imported nothing else."""
    script = tmp_path / "first.py"
    script.write_text(
        "from redun import task\n"
        "def helper(): return 1\n"
        "@task(version='1', hash_includes=[helper])\n"
        "def defined(): return helper()\n"
        "print(defined.hash)\n"
    )
    included = hash_struct(["Value.function", "__main__.helper", "source", "def helper(): return 1\n"])

    printed = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=True).stdout

    assert printed.strip() == hash_struct(["Task", "defined", "version", "1", included])


@pytest.mark.parametrize("change", [{"nout": -1}, {"config_args": ["z"]}, {"cache_scope": "SOME"}])
def test_wrong_option_of_a_call_is_refused(change):
    """Options added to a task are checked like those of its definition."""
    with pytest.raises((TypeError, ValueError), match=next(iter(change))):
        addv.options(**change)


@pytest.mark.parametrize("func", ["name", 5, call])
def test_what_is_no_function_is_refused(func):
    """Decorating anything but a function, or a task once more, raises TypeError that says so."""
    with pytest.raises(TypeError, match=r"task.*function"):
        task(func)


def test_compat_must_be_a_list():
    """`compat` given as one text is refused instead of being read as a list of one-character hashes."""
    with pytest.raises(TypeError, match="compat"):
        define(compat="a" * 40)


def test_scheduler_task_must_be_called():
    """``@scheduler_task`` without parentheses raises TypeError, for it is no bare decorator."""
    with pytest.raises(TypeError, match="scheduler_task"):
        scheduler_task(helper)


@pytest.mark.parametrize(
    ("returns", "settings", "nout"),
    [
        (tuple[int, int], {}, 2),
        ("tuple[int, int, int]", {}, 3),
        (tuple[int, ...], {}, None),
        (int, {}, None),
        (tuple[int, int], {"nout": 5}, 5),
        (int, {"nout": 0}, 0),
        (tuple[int, int], {"nout": None}, 2),
    ],
)
def test_number_of_results_is_given_or_inferred(returns, settings, nout):
    """Option `nout`, else the return annotation, says into how many items a call can be unpacked."""

    def func():
        return None

    func.__annotations__["return"] = returns
    made = define(func, **settings)

    actual = made.nout, made().length

    assert actual == (nout, nout)


def test_result_of_known_length_unpacks():
    """The items of an unpacked call are those of the result."""

    @task(version="1")
    def pair(x) -> typing.Tuple[int, int]:  # noqa: UP006
        return x, x + 1

    first, second = pair(1)

    assert Scheduler().run([second, first]) == [2, 1]


def test_excluded_parameters_are_known_by_name_and_place():
    """`config_args` names parameters that are kept out of the cache key, however they are passed."""
    actual = define(config_args=["b"]).unhashed

    assert actual == {"b", 1}


def test_module_to_load_is_the_functions_or_given():
    """Other processes find a task in its function's module, or in the one that option `load_module` names."""
    actual = call.load_module, call.options(load_module="other").load_module

    assert actual == (__name__, "other")


def test_attributes_describe_the_function():
    """A task offers its function's signature and defaults."""
    actual = list(addv.signature.parameters), [(item.position, item.name, item.value) for item in addv.defaults]

    assert actual == (["a", "b"], [(1, "b", 2)])
    assert isinstance(addv.signature, inspect.Signature)


def test_coroutine_functions_are_told_apart():
    """A task knows whether its function is a coroutine function."""

    async def wait():
        return 1

    made = define(wait, version="1", cache_scope="CSE")

    assert (made.is_async(), call.is_async()) == (True, False)
