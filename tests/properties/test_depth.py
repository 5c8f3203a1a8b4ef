"""Depth is bounded by memory: deep workflows finish on any thread, are replayed, and a task in them costs no more.

Python's recursion limit stays as it is. Cost is CPU time. What else the machine does slows down one moment more than
another, so that what is compared was measured in the same round, and the least ratio of some rounds counts.
"""

import sys
import threading
import time

import pytest

from redun import task

from . import library
from .running import open_store

redun_namespace = "depth"

ROUNDS = 6
FEW = 1_000


@task(version="1")
def inc(x):
    library.runs["inc"] += 1
    return x + 1


@task(version="1")
def count_down(n):
    library.runs["count_down"] += 1
    return n if n == 0 else count_down(n - 1)


def nest(n):
    """Return calls of which each is the argument of the next."""
    value = -n
    for _ in range(n):
        value = inc(value)
    return value


def fibonacci(n):
    """Return the n-th Fibonacci number, the plain way."""
    a, b = 0, 1
    for _ in range(n):
        a, b = b, a + b
    return a


MOST = {"memory": 1.3, "sqlite": 2.5}
"""How often a task may cost what it does among a thousand; in large tables, rows with random keys cost more."""

SHAPES = {"nested": nest, "self-calling": count_down, "fibonacci": library.fibonacci}


def run_on(thread, func):
    """Return what a function returns, called on the main thread or on another one."""
    if thread == "main thread":
        return func()
    results = []
    other = threading.Thread(target=lambda: results.append(func()))
    other.start()
    other.join()
    return results[0]


def run_twice(folder, store, shape, count):
    """Return the results of a new workflow and of its replay, how many tasks ran in each, and CPU seconds per task."""
    results, ran, costs = [], [], []
    with open_store(folder, store) as scheduler:
        for _ in range(2):
            before, start = library.runs.total(), time.process_time()
            results.append(scheduler.run(SHAPES[shape](count)))
            costs.append((time.process_time() - start) / count)
            ran.append(library.runs.total() - before)
    return results, ran, costs


def check_depth(tmp_path, thread, shape, count, store, most):
    """Check results and replay of a deep workflow, and that a task costs at most so many times what it does in few."""
    wanted = fibonacci(count) if shape == "fibonacci" else 0
    least = [float("inf")] * 2
    for number in range(ROUNDS):
        costs = []
        for size in (FEW, count):
            folder = tmp_path / f"{number}-{size}"
            folder.mkdir()
            results, ran, cost = run_on(thread, lambda folder=folder, size=size: run_twice(folder, store, shape, size))
            costs.append(cost)
        assert (results, ran[0] >= count, ran[1]) == ([wanted, wanted], True, 0)
        few, many = costs
        least = [min(known, large / small) for known, small, large in zip(least, few, many, strict=True)]
        if max(least) <= most:
            break

    assert sys.getrecursionlimit() <= 1_000 or "coverage" in sys.modules
    assert max(least) <= most, least


@pytest.mark.parametrize(
    ("shape", "count", "thread"),
    [
        pytest.param("nested", 20_000, "main thread", marks=pytest.mark.slow),
        ("nested", 20_000, "another thread"),
        pytest.param("self-calling", 20_000, "main thread", marks=pytest.mark.slow),
        ("self-calling", 20_000, "another thread"),
        ("fibonacci", 2_000, "main thread"),
        ("fibonacci", 2_000, "another thread"),
    ],
)
def test_deep_workflow_costs_no_more_per_task(tmp_path, shape, count, thread):
    """Twenty thousand levels, and fib(2000), finish and are replayed at about the cost of a thousand levels."""
    check_depth(tmp_path, thread, shape, count, "memory", 1.5)


@pytest.mark.slow
@pytest.mark.parametrize("store", ["memory", "sqlite"])
@pytest.mark.parametrize("thread", ["main thread", "another thread"])
@pytest.mark.parametrize(("shape", "count"), [("nested", 100_000), ("self-calling", 100_000), ("fibonacci", 2_000)])
def test_very_deep_workflow_costs_no_more_per_task(tmp_path, thread, shape, count, store):
    """A hundred thousand levels, and fib(2000), cost at most 30 % more per task than a thousand, rows aside."""
    check_depth(tmp_path, thread, shape, count, store, MOST[store])
