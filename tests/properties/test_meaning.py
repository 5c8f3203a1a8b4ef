"""What a workflow comes to does not depend on how it is evaluated: not on the schedule, the store or repetition."""

import tempfile
from pathlib import Path
from threading import Event

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redun import Scheduler, catch, task

from . import library
from .graphs import World, recipes
from .reference import evaluate
from .running import STORES, count_runs, open_store, outcome, read_root_hashes

redun_namespace = "meaning"


def check_meaning(recipe):
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder))
        world.settle()

        actual = outcome(Scheduler().run, world.build(recipe))

        assert actual == outcome(evaluate, world.build(recipe))


def check_replay(recipe, mode, store):
    with tempfile.TemporaryDirectory() as folder, open_store(folder, store) as scheduler:
        world = World(Path(folder), mode)
        world.settle()
        first = outcome(scheduler.run, world.build(recipe))

        again = count_runs(scheduler.run, world.build(recipe))

        assert again == (first, 0)


def check_hashes(recipe, workers):
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder))
        world.settle()
        found = []
        for store in STORES:
            for count in (1, workers):
                (Path(folder) / f"{store}-{count}").mkdir()
                with open_store(Path(folder) / f"{store}-{count}", store, count) as scheduler:
                    scheduler.run(world.build(recipe))
                    found.append(read_root_hashes(scheduler))

        assert found == found[:1] * len(found)


def test_run_means_what_plain_python_means(tried):
    """A run comes to the value that plain Python comes to, or ends with an error of the same class."""
    tried(400)(given(recipes())(check_meaning))()


@pytest.mark.parametrize(("store", "examples"), [("memory", 200), ("sqlite", 30)])
def test_replay_runs_nothing(tried, store, examples):
    """A workflow that is run again when nothing has changed comes to the same, and no task runs."""
    modes = st.sampled_from(["full", "shallow"])

    tried(examples)(given(recipes(without=["fail"]), modes, st.just(store))(check_replay))()


def test_hashes_do_not_depend_on_workers_and_store(tried):
    """The addresses of the root call and of its result are the same with one worker or many, in memory or in a file."""
    tried(25)(given(recipes(without=["fail"]), st.integers(2, 30))(check_hashes))()


@task(version="1")
def greet():
    return "the same text"


@task(version="1")
def repeat():
    return "the same text"


@task(version="1")
def join(texts):
    library.runs["join"] += 1
    return "".join(texts)


def test_replay_of_equal_texts_runs_nothing(scheduler):
    """An argument is the same value whether its equal parts are one object, as when new, or several, as when read."""
    expression = join([greet(), repeat()])
    scheduler.run(expression)

    _, ran = count_runs(scheduler.run, expression)

    assert ran == 0


@task(version="1")
def recovering(x):
    return catch(library.fail(x), library.Boom, library.recover)


def test_hashes_do_not_depend_on_the_execution_that_failed():
    """A workflow that recovers from an error has the same address in every execution."""
    found = []
    for _ in range(2):
        with Scheduler() as scheduler:
            scheduler.run(recovering(1))
            found.append(read_root_hashes(scheduler))

    assert found[0] == found[1]


@pytest.fixture
def late():
    """A task that waits until it is let go, and the event that does so."""
    go = Event()

    @task(namespace=redun_namespace, version="1", name="late")
    def wait(x):
        assert go.wait(10)
        return x

    yield wait, go
    go.set()


def test_children_do_not_depend_on_the_schedule(late):
    """A call that is under way when its parent has recovered from another's error is the parent's child either way."""
    wait, go = late

    @task(namespace=redun_namespace, version="1")
    def let_go(error):
        go.set()
        return -1

    @task(namespace=redun_namespace, version="1")
    def parent():
        return catch([wait(1), library.fail(1)], library.Boom, let_go)

    @task(namespace=redun_namespace, version="1")
    def root():
        return [parent()]

    children = []
    for workers in (2, 1):
        go.clear() if workers == 2 else go.set()
        with open_store(None, "memory", workers) as scheduler:
            scheduler.run(root())
            calls = {call.task_name: call for call in scheduler.backend.calls.values()}
            children.append(len(calls["meaning.parent"].children))

    assert children[0] == children[1]


def test_call_that_needs_itself_says_so(scheduler):
    """A call that returns itself can't come to a value; the error names it."""

    @task(namespace=redun_namespace, version="1")
    def endless(x):
        return endless(x)

    with pytest.raises(Exception, match="endless"):
        scheduler.run(endless(1))
