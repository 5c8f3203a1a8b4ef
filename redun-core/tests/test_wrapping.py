import subprocess
import sys
from collections.abc import Callable
from typing import get_args

import pytest

from redun import get_task_registry, task
from redun.hashing import hash_struct
from redun.task import Func, SchedulerTask, Task, scheduler_task, wraps_task
from redun.values.registry import get_type_registry

redun_namespace = "test_wrapping"


def doubled():
    @wraps_task()
    def _doubled(inner_task):
        def do_doubling(*args, **kwargs):
            return 2 * inner_task.func(*args, **kwargs)

        return do_doubling

    return _doubled


def multiplied(factor):
    @wraps_task(wrapper_hash_includes=[factor])
    def _multiplied(inner_task):
        def do_multiply(*args, **kwargs):
            return factor * inner_task.func(*args, **kwargs)

        return do_multiply

    return _multiplied


def renamed(**settings):
    """Return a decorator that is made with settings and passes calls on as expressions."""

    @wraps_task(version="1", **settings)
    def _outer(inner_task):
        return lambda *args, **kwargs: inner_task(*args, **kwargs)

    return _outer


@doubled()
def value(x: int):
    return 1 + x


@doubled()
@doubled()
def twice(x: int):
    return 1 + x


@renamed()
@doubled()
def mixed(x: int):
    return 1 + x


def define(decorate, **settings):
    """Define task ``test_wrapping.defined`` and wrap it."""

    def plain(a, b=2):
        return a + b

    return decorate(task(name="defined", **{"version": "1", **settings})(plain))


def test_annotations_of_older_decorators_are_accepted():
    """`Task[Func]` names the type of a function alone, as decorators for redun 0.46 are annotated."""
    callback = Callable[[Func], Task[Func]]

    assert get_args(Task[Func]) == (..., Func)
    assert get_args(callback)[1] == Task[Func]
    assert get_args(Task[[int], str])[1] is str
    assert get_args(SchedulerTask[int])[1] is int


def test_wrapped_function_becomes_a_task(scheduler):
    """A wrapper of a function makes a task of the function's name that runs the wrapper."""
    actual = type(value), value.fullname, scheduler.run(value(3))

    assert actual == (Task, "test_wrapping.value", 8)


def test_wrapped_task_moves_into_the_wrappers_namespace():
    """The task inside is found below the namespace of the wrapper, which has its former name."""
    registry = get_task_registry()

    found = registry.get("test_wrapping.value"), registry.get("test_wrapping._doubled.value")

    assert found == (value, value.wrapped_task)
    assert value.wrapped_task.fullname == "test_wrapping._doubled.value"


def test_task_without_namespace_moves_into_one_of_the_wrappers_name():
    """The namespace of a wrapped task that had none is the wrapper's name alone."""
    made = define(doubled(), namespace="")

    actual = made.fullname, made.wrapped_task.fullname

    assert actual == ("defined", "_doubled.defined")


def test_wrapped_task_keeps_its_own_name(scheduler):
    """A task that was named explicitly keeps its name when it is wrapped."""
    made = define(doubled())

    actual = made.fullname, scheduler.run(made(1, b=5))

    assert actual == ("test_wrapping.defined", 12)


def test_wrapping_repeatedly_moves_everything_inside(scheduler):
    """Each wrapper is run, and what it wraps is moved one namespace further down."""
    first = twice.wrapped_task

    names = first.fullname, first.wrapped_task.fullname, mixed.inner_task.fullname

    assert scheduler.run(twice(3)) == 16
    assert names == (
        "test_wrapping._doubled.twice",
        "test_wrapping._doubled._doubled.twice",
        "test_wrapping._doubled._outer.mixed",
    )
    assert [get_task_registry().get(name) for name in names] == [first, first.wrapped_task, mixed.inner_task]


def test_tasks_know_what_they_wrap():
    """`wrapped_task` is the next task inside, `inner_task` the innermost; a plain task wraps none."""
    innermost = twice.wrapped_task.wrapped_task

    assert twice.inner_task is innermost
    assert (innermost.wrapped_task, innermost.inner_task) == (None, innermost)


def test_wrapper_may_return_a_call_of_the_wrapped_task(scheduler, ran):
    """A wrapper can call the task inside lazily; it is a job of its own."""
    actual = scheduler.run(mixed(3)), ran()

    assert actual == (8, ["mixed", "mixed"])


def test_hash_formula_of_a_wrapper():
    """A wrapper is addressed by its own source, by what it includes, and by the task inside."""
    made = define(multiplied(3))

    includes = sorted([get_type_registry().get_hash(3), made.wrapped_task.hash])
    assert made.source.strip().startswith("def do_multiply(")
    assert made.hash == hash_struct(["Task", "test_wrapping.defined", "source", made.source, *includes])


def test_arguments_of_a_wrapper_change_its_hash():
    """What `wrapper_hash_includes` lists counts; its older name means the same."""
    hashes = [define(multiplied(factor)).hash for factor in (2, 3)]
    older, newer = (
        define(renamed(**{name: [3]})).hash for name in ("wrapper_extra_hash_data", "wrapper_hash_includes")
    )

    assert hashes[0] != hashes[1]
    assert older == newer != define(renamed()).hash


@pytest.mark.parametrize("decorate", [doubled(), renamed(), lambda inner: doubled()(renamed()(inner))])
def test_change_of_the_innermost_task_changes_every_hash(decorate):
    """A wrapper expires with what it wraps, however deep that is."""
    before = define(decorate)
    before_hash = before.hash

    after = define(decorate, version="2")

    assert after.hash != before_hash
    assert not before.is_valid()


def test_signature_is_that_of_the_innermost_function(scheduler):
    """A wrapper is called as the function inside is, and that one's defaults are part of the call."""
    made = define(lambda inner: doubled()(multiplied(5)(inner)))

    actual = list(made.signature.parameters), [default.name for default in made.defaults], scheduler.run(made(a=1))

    assert actual == (["a", "b"], ["b"], 30)


def test_signature_may_be_the_wrappers():
    """With `use_wrapper_signature`, the signature is that of the function which runs."""
    made = define(renamed(use_wrapper_signature=True))

    actual = list(made.signature.parameters)

    assert actual == ["args", "kwargs"]


def test_parameters_of_the_innermost_function_can_be_kept_out_of_the_key():
    """Option `config_args` of a wrapper names parameters of the function inside."""
    actual = define(renamed(config_args=["b"])).unhashed

    assert actual == {"b", 1}


def test_options_of_the_wrapped_task_stay_with_it():
    """A wrapper has its own options; those of the task inside hold for that one only."""
    made = define(renamed(memory=4), executor="batch", limits=["db"])

    actual = [(each.get_task_option("memory"), each.get_task_option("executor")) for each in (made, made.wrapped_task)]

    assert actual == [(4, None), (None, "batch")]
    assert not made.has_task_option("limits")


def test_module_to_load_is_that_of_the_wrapped_task():
    """Other processes find a wrapper where the task inside is defined, not where the wrapper is written."""
    made = define(renamed(), load_module="elsewhere")

    actual = made.load_module, define(renamed(load_module="given"), load_module="elsewhere").load_module

    assert actual == ("elsewhere", "given")


def test_copies_of_a_wrapper_are_wrappers(scheduler):
    """A wrapper with options added, or read from a pickle, wraps the same task."""
    read = get_type_registry().deserialize("redun.Task", get_type_registry().serialize(value.options(memory=1)))

    actual = read.wrapped_task, list(read.signature.parameters), scheduler.run(value.options(memory=1)(3))

    assert actual == (value.wrapped_task, ["x"], 8)


def test_wrapper_name_may_be_given():
    """The namespace of the task inside is named by `wrapper_name`, if that is given."""
    made = define(renamed(wrapper_name="shell"))

    actual = made.wrapped_task.fullname

    assert actual == "test_wrapping.shell.defined"


def test_task_with_options_added_can_be_wrapped(scheduler):
    """Wrapping a copy of a task hides the task of that name, so there is one task inside."""
    made = define(lambda inner: doubled()(inner.options(memory=4)))

    found = get_task_registry().get("test_wrapping._doubled.defined")

    assert found is made.wrapped_task
    assert found.get_task_option("memory") == 4
    assert scheduler.run(made(1)) == 6


@scheduler_task(namespace="test_wrapping")
def control(scheduler, parent_job, sexpr):
    return scheduler.evaluate(1, parent_job)


@pytest.mark.parametrize("inner", [control, value.partial(1)])
def test_only_plain_tasks_can_be_wrapped(inner):
    """Scheduler tasks and partial tasks have no function of their own to run, and are refused."""
    with pytest.raises(TypeError, match=r"can't be wrapped; only tasks made by @task can"):
        doubled()(inner)


def test_wraps_task_must_be_called():
    """``@wraps_task`` without parentheses raises TypeError, for it is no bare decorator."""
    with pytest.raises(TypeError, match="wraps_task is used with parentheses"):
        wraps_task(lambda inner_task: inner_task.func)


def test_wrapper_is_not_given_what_wrapping_decides():
    """The name of a wrapper is that of the task inside; giving another raises TypeError."""
    with pytest.raises(TypeError, match="multiple values for keyword argument 'name'"):
        define(renamed(name="other"))


def test_decorator_is_documented_as_its_function():
    """The decorator has the name of the function that it was made of."""
    assert doubled().__name__ == "_doubled"


def test_other_process_finds_wrapped_tasks_by_name(tmp_path):
    """Importing the module of a wrapped task defines the same names and hashes in another process."""
    tmp_path.joinpath("flow.py").write_text(
        "from redun.task import task, wraps_task\n"
        "def logged():\n"
        "    @wraps_task(version='1')\n"
        "    def _logged(inner_task):\n"
        "        return lambda *args: inner_task(*args)\n"
        "    return _logged\n"
        "@logged()\n"
        "@task(namespace='flow', version='1')\n"
        "def load(path):\n"
        "    return path\n"
    )
    write = "import pickle, flow; print(pickle.dumps([flow.load, flow.load.wrapped_task]).hex())"
    read = "import pickle, sys, flow; print([made.is_valid() for made in pickle.loads(bytes.fromhex(sys.argv[1]))])"

    def run(code, *arguments):
        command = [sys.executable, "-c", code, *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path).stdout.strip()

    assert run(read, run(write)) == "[True, True]"
