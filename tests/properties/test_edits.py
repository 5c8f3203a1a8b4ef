"""Running with a cache gives the result that running without one gives, whatever was edited in between.

One limit is part of the design: with ``check_valid="shallow"`` a call is answered by its final result without looking
at the calls below it, so that a file which only these see may change unnoticed. Workflows that are checked in that way
get their files as arguments.
"""

import tempfile
from pathlib import Path

import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st

from redun import Scheduler, catch, task
from redun.scheduler import calls

from . import library
from .graphs import FILES, INPUTS, MODES, NUMBER, STEP, TYPES, World, recipes
from .running import open_store, outcome

redun_namespace = "edits"

FAILING = library.VARIANTS - 1


def edits():
    """Draw what changes between one run and the next: some of what a world holds."""
    change = st.one_of(
        st.tuples(st.just("variants"), STEP, st.integers(0, FAILING - 1)),
        st.tuples(st.just("inputs"), st.integers(0, INPUTS - 1), NUMBER),
        st.tuples(st.just("contents"), st.integers(0, FILES - 1), NUMBER),
        st.tuples(st.just("outputs"), st.just(0), st.just(0)),
    )
    return st.lists(st.lists(change, min_size=1, max_size=3), min_size=1, max_size=4)


def is_right(recipe, changes, mode, store):
    """Whether every run with one store comes to what a run without a cache in another store comes to."""
    with tempfile.TemporaryDirectory() as folder, open_store(folder, store) as scheduler:
        world = World(Path(folder), mode)
        for edited in [[], *changes]:
            for change in edited:
                world.edit(change)
            world.settle()
            cached = outcome(scheduler.run, world.build(recipe))
            if cached != outcome(Scheduler().run, world.build(recipe), cache=False):
                return False
    return True


def check_edits(recipe, changes, mode, store):
    assert is_right(recipe, changes, mode, store)


def get_excluded(mode):
    return ["open"] if mode in ("shallow", "mixed") else []


@pytest.mark.parametrize(("store", "examples"), [("memory", 60), ("sqlite", 6)])
@pytest.mark.parametrize("mode", [*MODES, "mixed"])
def test_cache_gives_what_no_cache_gives(tried, mode, store, examples):
    """After any edits of tasks, arguments and files, a run with the cache comes to what one without it comes to."""
    workflows = recipes(without=get_excluded(mode))

    tried(examples)(given(workflows, edits(), st.just(mode), st.just(store))(check_edits))()


def test_cache_gives_what_no_cache_gives_when_failing_tasks_are_edited(tried):
    """That also holds for edits that let tasks fail, or no longer fail, below a `catch`."""
    workflows = recipes(without={*TYPES} - {"step", "catch", "add"})
    failures = st.lists(st.tuples(st.just("variants"), STEP, st.sampled_from([0, FAILING])), min_size=1, max_size=2)
    changes = st.lists(failures, min_size=2, max_size=3)

    tried(100)(given(workflows, changes, st.just("full"), st.just("memory"))(check_edits))()


def replay_anything(mode, candidate, replays_errors):
    """Decide on a call as a rebuilder would that believes every recorded result."""
    is_result = candidate is not None and not candidate.is_error
    return candidate if is_result else calls_decide(mode, candidate, replays_errors)


calls_decide = calls.decide


def test_broken_rebuilder_is_found_out(monkeypatch):
    """With a rebuilder that replays results which are no longer valid, the same check finds a counterexample."""
    monkeypatch.setattr(calls, "decide", replay_anything)
    bounded = settings(max_examples=500, derandomize=True, deadline=None, database=None, phases=[Phase.generate])

    found = find(st.tuples(recipes(), edits()), lambda drawn: not is_right(*drawn, "full", "memory"), settings=bounded)

    assert {change[0] for edited in found[1] for change in edited} & {"contents", "outputs"}


@task(version="1")
def recovering(x):
    return catch(library.get_step(1)(x), library.Boom, library.recover)


def test_recovery_from_a_task_that_was_mended_is_not_replayed(scheduler):
    """When a task that failed is edited, `catch` evaluates it again in place of replaying the recovery."""
    library.define_step(1, FAILING)
    before = scheduler.run(recovering(1))
    library.define_step(1, 0)

    after = scheduler.run(recovering(1))

    assert (before, after) == (-1, 2)


@task(version="1")
def read_text(path):
    return library.read(library.File(path))


@task(version="1")
def read_or_recover(path):
    return catch(read_text(path), FileNotFoundError, library.recover)


def test_recovery_from_a_missing_file_is_not_replayed(scheduler, tmp_path):
    """When the file whose lack made a call fail is there, `catch` evaluates the call again."""
    path = tmp_path / "late.txt"
    before = scheduler.run(read_or_recover(str(path)))
    path.write_text("3")

    after = scheduler.run(read_or_recover(str(path)))

    assert (before, after) == (-1, 3)
