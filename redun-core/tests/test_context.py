"""Contexts: values that tasks look up, inherited by the calls below and part of what makes a call the same."""

import json

import pytest

from redun import Scheduler, catch, get_context, task
from redun.backends.memory import MemoryBackend
from redun.config import Config
from redun.context import get_context_value
from redun.errors import ConfigError
from redun.expression import ValueExpression
from redun.values.registry import get_type_registry

redun_namespace = "test_context"


@task(version="1")
def read(path="name", default=None):
    return get_context(path, default)


@task(version="1")
def with_default(value=get_context("name")):
    return value


@task(version="1")
def outer():
    return [with_default(), read(), with_default.update_context(name="inner")(), with_default()]


@pytest.mark.parametrize(
    ("path", "value"), [("a", {"b": 1}), ("a.b", 1), ("a.x", None), ("a.b.c", None), ("x", None), ("", None)]
)
def test_path_leads_to_a_value_or_to_the_default(path, value):
    """A dotted path is followed through mappings; where it leads nowhere, the default counts."""
    context = {"a": {"b": 1}}

    assert get_context_value(context, path) == value
    assert Scheduler().run(get_context(path), context=context) == value
    assert Scheduler().run(get_context("z." + path, "default"), context=context) == "default"


def test_context_of_a_run_reaches_every_call():
    """Bodies, default arguments and options find the values of the run."""
    assert Scheduler().run(outer(), context={"name": "run"}) == ["run", "run", "inner", "run"]


def test_context_of_a_call_is_inherited_below():
    """What a call changes holds for the call and everything below it, and nowhere else."""

    @task(version="1")
    def middle():
        return [read("name"), read("kept"), with_default()]

    @task(version="1")
    def top():
        return [middle.update_context({"name": "changed"})(), middle()]

    result = Scheduler().run(top(), context={"name": "run", "kept": 1})

    assert result == [["changed", 1, "changed"], ["run", 1, "run"]]


def test_values_of_a_context_may_be_expressions():
    """An expression in a context is evaluated when it is looked up, and only then."""

    @task(version="1")
    def fail():
        raise ValueError("never looked up")

    context = {"a": {"b": ValueExpression(2) + 1}, "bad": fail()}

    assert Scheduler().run([get_context("a.b"), get_context("a")], context=context) == [3, {"b": 3}]


def test_options_see_the_context():
    """A task option may be looked up in the context."""
    used = []

    @task(version="1", memory=get_context("memory", 1))
    def work():
        return 1

    class Noting(MemoryBackend):
        """A store, so that the scheduler is an ordinary one."""

    scheduler = Scheduler(backend=Noting())
    executor = scheduler.start_executor("default")
    submit = executor.submit_many
    executor.submit_many = lambda calls: [used.append(call.options.get("memory")) for call in calls] and submit(calls)
    scheduler.run([work(), work.update_context(memory=8)()], context={"memory": 4})

    assert [memory for memory in used if memory is not None] == [4, 8]


def test_calls_in_different_contexts_are_different_calls():
    """Equal calls in one context are made once; in another context they are made again."""
    runs = []

    @task(version="1", cache=False)
    def noted(path):
        runs.append(path)
        return get_context(path)

    @task(version="1")
    def main():
        changed = noted.update_context(name="b")
        return [noted("name"), [noted("name")], changed("name"), [changed("name")]]

    result = Scheduler().run(main(), context={"name": "a"})

    assert (result, len(runs)) == (["a", ["a"], "b", ["b"]], 2)


def test_shallow_results_belong_to_their_context():
    """A final result is reused in the context that it was made in, and in no other."""

    @task(version="1", check_valid="shallow")
    def main():
        return read("name")

    with Scheduler() as scheduler:
        results = [scheduler.run(main(), context=context) for context in ({"name": 1}, {"name": 2}, {}, {"name": 1})]

    assert results == [1, 2, None, 1]


@pytest.mark.parametrize(
    ("contexts", "runs"),
    [
        ([{}, {"a": 1}, {}, {}, {"a": 1}], [1, 1, 0, 0, 0]),
        ([{"a": 1}, {}, {}, {"a": 2}, {}, {"a": 1}], [1, 1, 0, 1, 0, 0]),
        ([{"a": 1}, {"a": 2}, {"a": 1}, {}, {}], [1, 1, 0, 1, 0]),
    ],
)
@pytest.mark.parametrize("fails", [False, True])
def test_calls_without_context_are_reused_whatever_else_they_were_made_in(contexts, runs, fails):
    """A call that comes to the same in a context and without one is made once in each, in whatever order."""
    ran = []

    @task(version="1", cache_scope="BACKEND", check_valid="shallow")
    async def work():
        ran.append(1)
        if fails:
            raise ValueError("always")

    @task(version="1")
    def explain(error):
        return str(error)

    store, actual = MemoryBackend(), []
    for context in contexts:
        ran.clear()
        Scheduler(backend=store).run(catch(work(), ValueError, explain), context=context)
        actual.append(len(ran))

    assert actual == runs


def test_result_of_a_context_is_not_that_without_one():
    """When a call comes to something else in a context, neither result takes the place of the other."""

    @task(version="1", check_valid="shallow")
    def offset():
        return get_context("offset", 0)

    store = MemoryBackend()
    contexts = [{}, {"offset": 7}, {}, {"offset": 7}, {"offset": 0}, {}, {"offset": 7}]

    found = [Scheduler(backend=store).run(offset(), context=context) for context in contexts]

    assert found == [context.get("offset", 0) for context in contexts]


def test_context_is_recorded_with_its_calls():
    """A recorded call says in which context it was made; the context is a value of the store."""
    with Scheduler() as scheduler:
        scheduler.run(read("name"), context={"name": "run"})
        (call,) = [call for call in scheduler.backend.calls.values() if call.task_name == "test_context.read"]
        stored = scheduler.backend.values[call.context.value_hash]

    assert get_type_registry().decode(stored.type_name, stored.format, stored.data) == {"name": "run"}


def test_context_is_configured(tmp_path):
    """A context comes from the configuration or from a file beside it; the run's values are laid over it."""
    (tmp_path / "context.json").write_text(json.dumps({"name": "file", "other": {"a": 1, "b": 2}}))
    inline = Config({"scheduler": {"context": '{"name": "ini"}'}})
    file = Config({"scheduler": {"context_file": "context.json"}}, str(tmp_path))

    assert Scheduler(inline).run(get_context("name")) == "ini"
    assert Scheduler(file).run([get_context("name"), get_context("other.b")], context={"other": {"b": 3}}) == [
        "file",
        3,
    ]


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"context": "{}x"}, "no valid value"),
        ({"context": "[1]"}, "JSON object"),
        ({"context_file": "absent.json"}, "can't be read"),
        ({"context": '{"a": 1}', "context_file": "absent.json"}, "both context and context_file"),
    ],
)
def test_wrong_configuration_is_refused(options, problem, tmp_path):
    """A context that can't be read is refused with a sentence."""
    with pytest.raises(ConfigError, match=problem):
        Scheduler(Config({"scheduler": options}, str(tmp_path)))
