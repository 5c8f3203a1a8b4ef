"""What is finished when a workflow fails is kept: the run after the repair does what is missing, and no more."""

import tempfile
from collections import Counter
from threading import Lock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redun import task

from . import library
from .running import open_store, outcome

redun_namespace = "failures"

finished = Counter()
"""How often each call came to its end, by name and arguments."""

broken = set()
"""The calls that fail."""

_lock = Lock()


def _finish(*call):
    if call in broken:
        raise library.Boom(call)
    with _lock:
        finished[call] += 1


@task(version="1")
def work(name, needs):
    """Do something that needs what other calls came to."""
    _finish(name)
    return [name, len(needs)]


@task(version="1")
def delegate(name, needs):
    """Return the call that does the work."""
    _finish("delegate", name)
    return work(name, needs)


@st.composite
def graphs(draw):
    """Draw which calls there are: for each, the numbers of those before it that it needs, and whether it delegates."""
    count = draw(st.integers(1, 12))
    return [
        (draw(st.lists(st.integers(0, number - 1), max_size=3)) if number else [], draw(st.booleans()))
        for number in range(count)
    ]


def build(graph):
    """Return all calls of a graph."""
    calls = []
    for number, (needs, delegates) in enumerate(graph):
        calls.append((delegate if delegates else work)(number, [calls[needed] for needed in needs]))
    return calls


def check_failures(graph, failing, workers, store):
    finished.clear()
    broken.clear()
    broken.update((number % len(graph),) for number in failing)
    with tempfile.TemporaryDirectory() as folder, open_store(folder, store, workers) as scheduler:
        first = outcome(scheduler.run, build(graph))
        kept = Counter(finished)
        broken.clear()
        second = outcome(scheduler.run, build(graph))

    wanted = [[number, len(needs)] for number, (needs, _) in enumerate(graph)]
    done = {(number,) for number in range(len(graph))}
    done |= {("delegate", number) for number, (_, delegates) in enumerate(graph) if delegates}
    assert (first, second) == (library.Boom, wanted)
    assert kept.keys() & {(number % len(graph),) for number in failing} == set()
    assert finished == Counter(done)


@pytest.mark.parametrize(("store", "examples"), [("memory", 150), ("sqlite", 30)])
def test_run_after_a_repair_does_what_is_missing(tried, store, examples):
    """Whatever subset of calls fails, every call comes to its end once in the failed run and the next one together."""
    failing = st.lists(st.integers(0, 11), min_size=1, max_size=3)

    tried(examples)(given(graphs(), failing, st.integers(1, 8), st.just(store))(check_failures))()
