"""Workflows to test stores with, of tasks that can be imported wherever redun is.

Between them they use what the kernel asks of a store: evaluations, final results, contexts, errors, tags. All come to
the same value each time; what really runs is noted.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from redun.context import get_context
from redun.control import apply_tags, catch, cond
from redun.functools import map_, seq
from redun.task import task
from redun.testing import calls

redun_namespace = "redun.testing"

ran: list[str] = []
"""The names of the tasks that ran in this process, in the order they started."""


@task(version="1")
def add(a: Any, b: Any = 1) -> Any:
    """Return a sum."""
    ran.append("add")
    return a + b


@task(version="1")
def add_all(numbers: list[int], start: int = 0) -> Any:
    """Return the sum of numbers and, for each, of a call."""
    ran.append("add_all")
    return [add(start, number) for number in numbers]


@task(version="1")
def fibonacci(n: int) -> Any:
    """Return a Fibonacci number."""
    ran.append("fibonacci")
    return n if n < 2 else add(fibonacci(n - 1), fibonacci(n - 2))


@task(version="1")
def count_down(n: int) -> Any:
    """Call itself until nothing is left."""
    ran.append("count_down")
    return count_down(n - 1) if n else "done"


@task(version="1")
def refuse(message: str) -> None:
    """Raise a ValueError."""
    ran.append("refuse")
    raise ValueError(message)


@task(version="1")
def recover(error: Exception) -> str:
    """Say what an error was."""
    ran.append("recover")
    return f"recovered from {error}"


@task(version="1")
def make_bytes(size: int) -> bytes:
    """Return so many bytes, all values among them."""
    ran.append("make_bytes")
    return bytes(range(256)) * (size // 256)


@task(version="1", check_valid="shallow")
def add_shallow(numbers: list[int]) -> Any:
    """Return sums in a final result."""
    ran.append("add_shallow")
    return [add(number, number) for number in numbers]


@task(version="1")
def weigh(grams: int, unit: Any = get_context("unit", "g")) -> str:
    """Return a weight in the unit of the context."""
    ran.append("weigh")
    return f"{grams} {unit}"


@task(version="1", check_valid="shallow")
def weigh_all(weights: list[int]) -> Any:
    """Return weights in a final result, in the unit of the context."""
    ran.append("weigh_all")
    return [weigh(grams) for grams in weights]


@task(version="1")
def read(path: str) -> str:
    """Return what a file holds now, which the cache does not know of."""
    ran.append("read")
    return Path(path).read_text()


@task(version="1")
def wait_for_file(path: str) -> str:
    """Return at once if there is a file, else never."""
    ran.append("wait_for_file")
    if not Path(path).exists():
        threading.Event().wait()
    return "found"


@task(version="1")
def visit_gate(host: str, port: int, seconds: float) -> str:
    """Tell a gate that this runs, wait for its answer so many seconds, and return that."""
    ran.append("visit_gate")
    answer: str = calls.visit.func(host, port, seconds)
    return answer


@task(version="1")
def add_and_wait(count: int, path: str) -> Any:
    """Return sums, and whether there is a file."""
    ran.append("add_and_wait")
    return [add_all(list(range(count))), wait_for_file(path)]


WORKFLOWS: Mapping[str, Callable[[], Any]] = {
    "a sum": lambda: add(add(1, 2), b=add(1, 2)),
    "a plain value": lambda: {"nothing": [None, "", b"", 1.5]},
    "many calls": lambda: add_all(list(range(300))),
    "shared calls": lambda: fibonacci(12),
    "deep calls": lambda: count_down(60),
    "an error": lambda: [catch(refuse("no"), ValueError, recover), catch(add("a", 1), TypeError, recover)],
    "a choice": lambda: cond(add(1, 0), add(2, 0), refuse("never")),
    "partial tasks": lambda: map_(add.partial(b=1), [1, 2, 3]),
    "a sequence": lambda: seq([add(1, 1), add(2, 2)]),
    "operations": lambda: {"lazy": add([1], [2])[0], "sums": [add(1, 2) + add(3, 4), add(1.5) * 2]},
    "a task": lambda: [add, count_down],
    "a large value": lambda: make_bytes(4 * 2**20),
    "final results": lambda: [add_shallow([1, 2]), add_shallow([2, 1])],
    "contexts": lambda: [weigh(1), weigh_all([2]), weigh_all.update_context(unit="kg")([2])],
    "tags": lambda: apply_tags(
        add(1, 2), tags=[("color", "red")], job_tags=[("size", 1)], execution_tags=[("a", None)]
    ),
}
"""Expressions by what is special about them."""
