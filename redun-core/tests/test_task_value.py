import pickle
import subprocess
import sys

import pytest

from redun import Scheduler, get_task_registry, task
from redun.options import CacheScope
from redun.task import SchedulerTask, Task, scheduler_task
from redun.task_value import Task as DefinedTask
from redun.values.base import TaskSubtype
from redun.values.registry import get_type_registry

redun_namespace = "test_task_value"


@task(version="1")
def call(*args, **kwargs):
    return args


@scheduler_task(namespace="test_task_value")
def choose(scheduler, parent_job, sexpr, *args):
    return scheduler.evaluate(args[0], parent_job)


def helper():
    return 1


def other_helper():
    return 2


def define(func=None, **settings):
    """Define task ``test_task_value.defined`` of a function, by default one of two parameters."""

    def two(a, b=2):
        return a, b

    return task(name="defined", **settings)(func or two)


def forget(fullname):
    get_task_registry()._remove(fullname)


def stored(value):
    return pickle.loads(pickle.dumps(value, 3))


def test_options_of_a_copy_win_over_the_definition():
    """`options` returns a task with more options, the latest winning; the original keeps its own."""
    original = define(memory=1, vcpus=2)

    actual = original.options(memory=4, queue="q").options(queue="r")

    assert actual.get_task_options() == {"memory": 4, "vcpus": 2, "queue": "r"}
    assert original.get_task_options() == {"memory": 1, "vcpus": 2}
    assert (actual.get_task_option("queue"), actual.get_task_option("gpus", 0)) == ("r", 0)
    assert (actual.has_task_option("queue"), original.has_task_option("queue")) == (True, False)


def test_only_options_of_the_copy_travel_with_its_calls():
    """A call carries the options added to the task; those of the definition are looked up when it runs."""
    made = define(memory=1).options(queue="q")

    actual = made(1).task_options

    assert actual == {"queue": "q"}


@pytest.mark.parametrize("derive", [lambda made: made.options(memory=4), lambda made: made.export_options(memory=4)])
def test_copy_keeps_the_definition(derive):
    """A task with more options keeps name, version, source, includes and kind."""
    made = define(version="1", hash_includes=[helper], source="text", script=True, compat=(), nout=3)

    actual = derive(made)

    kept = ("func", "fullname", "version", "source", "hash_includes", "script", "compat", "nout", "task_options_base")
    assert type(actual) is Task
    assert {name: getattr(actual, name) for name in kept} == {name: getattr(made, name) for name in kept}


def test_copy_is_not_registered():
    """The registered definition stays what it is when a task gets more options."""
    made = define(version="1")

    made.options(memory=4)

    assert get_task_registry().get("test_task_value.defined") is made


def test_included_values_count_in_a_copy():
    """A task with more options is told apart from one that includes other values."""
    first = define(version="1", hash_includes=[helper]).options(memory=4)

    actual = define(version="1", hash_includes=[other_helper]).options(memory=4).hash

    assert actual != first.hash


def test_exported_options_are_marked_and_kept():
    """Exported options are options whose names travel with the call; further options of either kind add to them."""
    made = define().export_options(memory=4).options(queue="q").export_options(image="i")

    actual = made(1).task_options, made(1).export_options

    assert actual == ({"memory": 4, "queue": "q", "image": "i"}, {"memory", "image"})


def test_definition_can_export_options():
    """Options that a definition exports are its options, and every call exports their names."""
    made = define(export_options={"memory": 4}, vcpus=2)

    actual = made.get_task_options(), made(1).task_options, made(1).export_options

    assert actual == ({"vcpus": 2, "memory": 4}, {}, {"memory"})


def test_cache_is_short_for_a_scope():
    """Option `cache` becomes `cache_scope` in a definition, in a copy and in what is exported."""
    made = define(cache=False)

    actual = [
        made.get_task_options(),
        made.options(cache=True)(1).task_options,
        made.export_options(cache=True)(1).task_options,
    ]

    assert actual == [
        {"cache_scope": CacheScope.CSE},
        {"cache_scope": CacheScope.BACKEND},
        {"cache_scope": CacheScope.BACKEND},
    ]


def test_exporting_cache_exports_both_names():
    """Exporting option `cache` exports its name and that of the scope it stands for; both count in the address."""
    actual = define().export_options(cache=False)(1).export_options

    assert actual == {"cache", "cache_scope"}


def test_state_is_that_of_existing_stores():
    """The pickled state of a task is its identity and what was added to it; the definition is not stored."""
    made = call.export_options(memory=4)

    actual = made.__getstate__()

    assert actual == {
        "name": "call",
        "namespace": "test_task_value",
        "version": "1",
        "hash": made.hash,
        "compat": [],
        "script": False,
        "task_options": {"memory": 4},
        "export_options": {"memory"},
    }


@pytest.mark.parametrize("class_name", [b"Task", b"SchedulerTask", b"PartialTask"])
def test_pickles_find_the_classes_in_redun_task(class_name):
    """Stored pickles name the classes of tasks in module `redun.task`."""
    found = pickle.loads(b"\x80\x03credun.task\n%s\n." % class_name)

    assert pickle.dumps(found, 3) == b"\x80\x03credun.task\n%s\nq\x00." % class_name
    assert issubclass(found, DefinedTask)


@pytest.mark.parametrize("original", [call, call.options(memory=4), call.export_options(memory=4), choose])
def test_task_is_stored_by_reference(original):
    """A task that is stored and read is the registered one, with the options that had been added."""
    actual = stored(original)

    assert (type(actual), actual.func, actual.hash) == (type(original), original.func, original.hash)
    assert (actual.task_options_override, actual.exported) == (original.task_options_override, original.exported)
    assert (actual.is_valid(), repr(actual(1)), actual(1).get_hash()) == (
        True,
        repr(original(1)),
        original(1).get_hash(),
    )


def test_state_of_an_older_version_is_read():
    """A stored state without the newer keys is read as a task without options."""
    state = {"name": "call", "namespace": "test_task_value", "version": "1", "hash": call.hash}
    made = Task.__new__(Task)

    made.__setstate__(state)

    assert (made.func, made.is_valid(), made.get_task_options()) == (call.func, True, {})


def test_stored_task_follows_the_registered_definition():
    """A task that is read back has the function, options and included values of the current definition."""
    original = define(version="1", memory=1, hash_includes=[helper])
    data = pickle.dumps(original)
    current = define(lambda a: "new", version="1", memory=2, hash_includes=[helper])

    actual = pickle.loads(data)

    assert (actual.func, actual.get_task_options(), actual.hash_includes) == (current.func, {"memory": 2}, [helper])


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"source": "one"}, {"source": "two"}),
        ({"version": "1", "hash_includes": [helper]}, {"version": "1", "hash_includes": [other_helper]}),
        ({"version": "1", "hash_includes": [helper]}, {"version": "1"}),
        pytest.param(
            {"version": "1"},
            {"version": "2"},
        ),
        pytest.param(
            {"version": "1"},
            {"source": "one"},
        ),
        pytest.param(
            {"compat": ["a" * 40]},
            {"compat": ["b" * 40]},
        ),
    ],
)
@pytest.mark.parametrize("derive", [lambda made: made, lambda made: made.options(memory=4)])
def test_stored_task_expires_with_its_definition(before, after, derive):
    """A stored task is valid while the definition of its name has the same hash, and no longer."""
    data = pickle.dumps(derive(define(**before)))
    valid_before = pickle.loads(data).is_valid()
    define(**after)

    actual = valid_before, pickle.loads(data).is_valid()

    assert actual == (True, False)


def test_stored_task_without_definition_is_a_stub():
    """A stored task that is not registered is read as an invalid one whose call says so when it runs."""
    data = pickle.dumps(define(version="1").options(memory=4))
    forget("test_task_value.defined")

    actual = pickle.loads(data)

    assert (actual.fullname, actual.is_valid(), actual.source) == ("test_task_value.defined", False, "")
    with pytest.raises(ValueError, match=r"^Task test_task_value\.defined is undefined\.$"):
        actual.func(1, k=2)


def test_task_passes_as_argument_and_result():
    """A task is a value: it can be passed to a task, returned by it, and called there."""

    @task(version="1")
    def apply(func, x):
        return [func, func(x)]

    actual = Scheduler().run(apply(call.options(memory=4), 1))

    assert actual[0].fullname == "test_task_value.call"
    assert actual[1] == (1,)


def test_task_is_stored_with_its_type_and_source():
    """The store knows a task by its type, and indexes name, namespace and source."""
    made = define(source="text")

    encoded = get_type_registry().encode(made)

    assert (encoded.type_name, encoded.subtype) == ("redun.Task", TaskSubtype("defined", "test_task_value", "text"))
    assert (Task.type_name, SchedulerTask.type_name) == ("redun.Task", "redun.SchedulerTask")


def test_address_of_tasks_in_a_container_is_the_same_in_every_process():
    """A container of a task that exports several options has one address, whatever Python's hash seed."""
    program = """
from redun.functools import identity
from redun.values.registry import get_type_registry
print(get_type_registry().get_hash([identity.export_options(a=1, b=2, c=3)]))
"""
    command = [sys.executable, "-c", program]

    printed = {
        subprocess.run(command, env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True).stdout
        for seed in ("1", "2", "3", "4")
    }

    assert len(printed) == 1


def test_context_of_calls_is_laid_over_that_of_earlier_updates():
    """`update_context` adds a nested mapping and named values to what earlier updates of the copy said."""
    first = define().update_context({"db": {"host": "a", "port": 1}}, user="me")

    actual = first.update_context({"db": {"host": "b"}}, user="you").get_task_option("_context_override")

    assert actual == {"db": {"host": "b", "port": 1}, "user": "you"}
    assert first.get_task_option("_context_override") == {"db": {"host": "a", "port": 1}, "user": "me"}


def test_context_of_a_definition_is_kept_by_updates():
    """An update of the context of calls is laid over what the copied task has, and leaves the task as it is."""
    base = define()

    actual = base.update_context(a=1)(1).task_options

    assert actual == {"_context_override": {"a": 1}}
    assert not base.has_task_option("_context_override")


def test_added_options_keep_what_is_included_and_exported():
    """`options` and `export_options` keep included values, exported names and the hash that comes of them."""
    made = define(version="1", hash_includes=[helper]).export_options(memory=4)

    copies = made.options(image="i"), made.export_options(image="i"), made.update_context(a=1)

    assert [copy.hash_includes for copy in copies] == [[helper]] * 3
    assert [sorted(copy(1).export_options) for copy in copies] == [["memory"], ["image", "memory"], ["memory"]]
    assert made.options().hash == made.hash


@pytest.mark.parametrize("value", [True, False])
def test_provenance_option_is_exported(value):
    """Option `prov` holds for every job below, whether the definition or the call sets it."""
    defined, called = define(prov=value), define().options(prov=value)

    actual = defined(1).export_options, called(1).export_options, define()(1).export_options

    assert actual == ({"prov"}, {"prov"}, frozenset())


def test_options_of_definition_and_call_can_be_asked_for():
    """The options of a call win over those of the definition, one by one and together."""
    made = define(memory=1, image="i").options(memory=2)

    actual = made.get_task_option("memory"), made.get_task_option("gpus", 0), made.get_task_options()

    assert actual == (2, 0, {"memory": 2, "image": "i"})
    assert (made.has_task_option("image"), made.has_task_option("gpus")) == (True, False)
