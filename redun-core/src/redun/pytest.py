"""A pytest plugin for tests of workflows: a scheduler for each test, and what its last execution ran.

A ``conftest.py`` with ``pytest_plugins = ["redun.pytest"]`` makes the fixture known to all tests below it:

>>> from redun import task
>>> @task(version="1")
... def double(x):
...     return 2 * x
>>> def test_double_is_cached(scheduler):
...     scheduler.run(double(1))
...     assert_ran(scheduler, double)
...     scheduler.run(double(1))
...     assert_cached(scheduler, double)
>>> with Scheduler() as made:
...     test_double_is_cached(made)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from redun.backends.memory import MemoryBackend
from redun.namespace import join_name
from redun.scheduler import Scheduler
from redun.task import Task
from redun.values.base import TaskSubtype


class TaskCall(NamedTuple):
    """A call of a task in an execution.

    Attributes
    ----------
    task_name : str
        The task's full name.
    is_cached : bool
        Whether the call was answered from the cache, or by an equal call of the same execution.
    """

    task_name: str
    is_cached: bool


@pytest.fixture
def scheduler() -> Iterator[Scheduler]:
    """A scheduler of its own for each test, whose cache and call graph live in memory."""
    with Scheduler() as made:
        yield made


def list_calls(scheduler: Scheduler) -> list[TaskCall]:
    """Return the calls of a scheduler's last execution, in the order in which they started.

    Calls below one that was answered with its final result were not looked at, and are not among them.

    Parameters
    ----------
    scheduler
        A scheduler whose store is in memory.

    Raises
    ------
    TypeError
        When its store is another one.
    ValueError
        When it has run nothing yet.
    """
    backend = scheduler.backend
    if not isinstance(backend, MemoryBackend):
        raise TypeError(f"only a store in memory is looked into by tests, not a {type(backend).__name__}")
    if not backend.executions:
        raise ValueError("the scheduler has run nothing yet")
    last = list(backend.executions.values())[-1].id
    jobs = sorted((job for job in backend.jobs.values() if job.execution_id == last), key=lambda job: job.start_time)
    return [TaskCall(_name_of(backend, job.task_hash), job.cached) for job in jobs]


def _name_of(backend: MemoryBackend, task_hash: str) -> str:
    definition = backend.tasks[task_hash].subtype
    assert isinstance(definition, TaskSubtype)
    return join_name(definition.namespace, definition.name)


def assert_ran(scheduler: Scheduler, task: Task[..., Any] | str, times: int | None = None) -> None:
    """Assert that a task ran in a scheduler's last execution.

    Parameters
    ----------
    scheduler
        A scheduler whose store is in memory.
    task
        The task, or its full name.
    times
        How many calls of it ran, not counting those answered from the cache; by default one or more.

    Raises
    ------
    AssertionError
        When it did not; the message lists what happened.
    """
    __tracebackhide__ = True
    name, calls = _full_name(task), list_calls(scheduler)
    count = calls.count(TaskCall(name, False))
    if times is None and not count:
        raise AssertionError(f"{name} did not run; the last execution:\n{_describe(calls)}")
    if times is not None and count != times:
        raise AssertionError(
            f"{name} ran {_count(count)}, not {_count(times)}; the last execution:\n{_describe(calls)}"
        )


def assert_cached(scheduler: Scheduler, task: Task[..., Any] | str) -> None:
    """Assert that a task was called in a scheduler's last execution and every call was answered from the cache.

    Parameters
    ----------
    scheduler
        A scheduler whose store is in memory.
    task
        The task, or its full name.

    Raises
    ------
    AssertionError
        When it was not called or a call ran; the message lists what happened.
    """
    __tracebackhide__ = True
    name, calls = _full_name(task), list_calls(scheduler)
    count = calls.count(TaskCall(name, False))
    if count:
        raise AssertionError(f"{name} ran {_count(count)}; the last execution:\n{_describe(calls)}")
    if TaskCall(name, True) not in calls:
        raise AssertionError(f"{name} was not called; the last execution:\n{_describe(calls)}")


def _full_name(task: Task[..., Any] | str) -> str:
    return task if isinstance(task, str) else task.fullname


def _count(number: int) -> str:
    return "once" if number == 1 else f"{number} times"


def _describe(calls: list[TaskCall]) -> str:
    """Return lines of how often each task ran and was answered from the cache, in the order of first calls."""
    ran, cached = (Counter(call.task_name for call in calls if call.is_cached is kind) for kind in (False, True))
    width = max(len(call.task_name) for call in calls)
    names = dict.fromkeys(call.task_name for call in calls)
    return "\n".join(f"  {name.ljust(width)}  ran {ran[name]}, cached {cached[name]}" for name in names)
