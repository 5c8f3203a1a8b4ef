"""Repositories that exchange records in any order come to know the same."""

import json
from itertools import permutations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from redun import catch, task

redun_namespace = "test_convergence"
NAMES = ("one", "two", "three")


@task(version="1")
def double(x):
    return 2 * x


@task(version="1")
def fail():
    raise ValueError("no")


@task(version="1")
def note(error):
    return str(error)


@task(cache=False)
def count():
    count.calls += 1
    return count.calls


count.calls = 0
EXPRESSIONS = [
    lambda: double(1),
    lambda: double(double(1)),
    lambda: double(double(double(1))),
    lambda: [double(count()), count()],
    lambda: catch(fail(), ValueError, note),
]
_steps = st.lists(
    st.one_of(
        st.tuples(st.just("run"), st.integers(0, 2), st.integers(0, len(EXPRESSIONS) - 1)),
        st.tuples(st.just("push"), st.integers(0, 2), st.integers(0, 2)),
    ),
    max_size=14,
)


@pytest.fixture
def read_records(export):
    """Returns the types and ids of a store's records, and the results that its cache has."""

    def read(backend):
        records = list(map(json.loads, export(backend)))
        names = {tuple(record.values())[1:3] for record in records}
        results = {r["eval_hash"]: r["value_hash"] for r in records if r["_type"] == "Evaluation"}
        return names, results

    return read


@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(steps=_steps)
def test_any_exchanges_end_in_the_same_knowledge(
    make_store, run, push, read_records, check_references, tmp_path_factory, steps
):
    """After any runs and exchanges, one round of exchanges makes all alike, and another one finds no news."""
    number = len(list(tmp_path_factory.getbasetemp().rglob("one-*")))
    stores = [make_store(f"{name}-{number}") for name in NAMES]
    for action, first, second in steps:
        if action == "run":
            run(stores[first], EXPRESSIONS[second]())
        elif first != second:
            push(stores[first], stores[second])

    for _ in range(2):
        for source, destination in permutations(stores, 2):
            push(source, destination)

    records = [read_records(backend) for backend in stores]
    assert records[0] == records[1] == records[2]
    assert [check_references(backend) for backend in stores] == [[], [], []]
    assert [push(source, destination) for source, destination in permutations(stores, 2)] == [0] * 6
