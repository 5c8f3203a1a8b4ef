"""Making tasks: the decorators of the language.

Examples
--------
>>> @task(namespace="demo", version="1")
... def add(a, b=2):
...     return a + b
>>> add(1)
demo.add(1)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, ParamSpec, TypeVar, overload

from redun.definition import define_task
from redun.namespace import split_task_fullname
from redun.options import EMPTY_OPTIONS, CacheCheckValid, CacheResult, CacheScope
from redun.partial_task import PartialTask
from redun.registry import TaskRegistry, get_task_registry
from redun.task_value import SchedulerTask, Task
from redun.wrapping import wraps_task

P = ParamSpec("P")
R = TypeVar("R")
Func = TypeVar("Func", bound=Callable[..., Any])
"""The type of a function, for the annotations of decorators that make tasks."""


@overload
def task(func: Callable[P, R], /) -> Task[P, R]: ...


@overload
def task(
    *,
    script: Literal[True],
    name: str | None = None,
    namespace: str | None = None,
    version: str | None = None,
    compat: Sequence[str] = (),
    hash_includes: Sequence[Any] = (),
    source: str | None = None,
    export_options: Mapping[str, Any] = EMPTY_OPTIONS,
    **task_options: Any,
) -> Callable[[Callable[P, Any]], Task[P, bytes]]: ...


@overload
def task(
    *,
    name: str | None = None,
    namespace: str | None = None,
    version: str | None = None,
    compat: Sequence[str] = (),
    script: bool = False,
    hash_includes: Sequence[Any] = (),
    source: str | None = None,
    export_options: Mapping[str, Any] = EMPTY_OPTIONS,
    **task_options: Any,
) -> Callable[[Callable[P, R]], Task[P, R]]: ...


def task(func: Callable[..., Any] | None = None, /, **settings: Any) -> Any:
    """Make a task of a function and register it.

    Parameters
    ----------
    func
        The function, when used as a bare decorator.
    name, namespace, version, compat, script, hash_includes, source
        See `Task`.
    export_options : Mapping[str, Any]
        Options that hold for the task and for every job below its calls.
    **task_options
        Further options: those of the kernel (see the reference of task options) and those of the executor.

    Examples
    --------
    >>> @task(namespace="demo", version="1")
    ... def add(a, b=2):
    ...     return a + b
    >>> add(1)
    demo.add(1)
    """

    def decorate(decorated: Callable[..., Any]) -> Task[..., Any]:
        made: Task[..., Any] = define_task(Task, decorated, settings)
        return made

    return decorate if func is None else decorate(func)


def scheduler_task(
    name: str | None = None, namespace: str | None = None, version: str = "1", **task_options: Any
) -> Callable[[Callable[..., Any]], SchedulerTask[..., Any]]:
    """Make a task that the scheduler runs itself, to define control flow.

    The function is called on the scheduler's thread as ``func(scheduler, parent_job, expression, *args, **kwargs)``
    with the arguments unevaluated, and returns a `Promise` of the result; ``scheduler.evaluate(value, parent_job)``
    returns the promise of a value. What it raises rejects the expression.

    Examples
    --------
    >>> @scheduler_task(namespace="demo")
    ... def either(scheduler, parent_job, expression, first, second):
    ...     return scheduler.evaluate(first, parent_job).catch(lambda _: scheduler.evaluate(second, parent_job))
    >>> either(1, 2)
    demo.either(1, 2)
    """
    if callable(name):
        raise TypeError("scheduler_task is used with parentheses: @scheduler_task()")

    def decorate(func: Callable[..., Any]) -> SchedulerTask[..., Any]:
        settings = {"name": name, "namespace": namespace, "version": version, **task_options}
        made: SchedulerTask[..., Any] = define_task(SchedulerTask, func, settings)
        return made

    return decorate


__all__ = [
    "CacheCheckValid",
    "CacheResult",
    "CacheScope",
    "Func",
    "PartialTask",
    "SchedulerTask",
    "Task",
    "TaskRegistry",
    "get_task_registry",
    "scheduler_task",
    "split_task_fullname",
    "task",
    "wraps_task",
]
