"""Wrapping tasks: decorators that change how a task runs, and have access to the task itself.

A wrapper takes the name of the task that it wraps, which moves into a namespace below its own, named after the wrapper.
Tasks may be wrapped repeatedly; then everything inside moves one namespace further down. The hash of a wrapper takes in
that of the task inside, so a change of the innermost source is seen from outside.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, cast

from redun.definition import define_task
from redun.namespace import join_name
from redun.registry import get_task_registry
from redun.task_value import Task

if TYPE_CHECKING:
    from redun._signatures import TaskWrapper


def wraps_task(
    wrapper_name: str | None = None,
    wrapper_hash_includes: Sequence[Any] = (),
    use_wrapper_signature: bool = False,
    *,
    wrapper_extra_hash_data: Sequence[Any] = (),
    **wrapper_task_options: Any,
) -> Callable[[Callable[[Task[..., Any]], Callable[..., Any]]], TaskWrapper]:
    """Make a decorator of tasks out of a function that takes the task to wrap and returns what to run in its place.

    The decorator is applied to a task, or to a function, which is made a task first. Options of the task inside do not
    pass to the wrapper.

    Parameters
    ----------
    wrapper_name
        The namespace to move the wrapped task into, by default the name of the decorated function.
    wrapper_hash_includes
        Values to hash along with the wrapper's source: the arguments of a decorator that takes some.
    use_wrapper_signature
        Whether the signature is that of the function that runs, in place of the wrapped task's.
    wrapper_extra_hash_data
        An older name of `wrapper_hash_includes`.
    **wrapper_task_options
        Options of the wrapper, as `task` takes them.

    Examples
    --------
    >>> from redun import Scheduler, task
    >>> def doubled():
    ...     @wraps_task(version="1")
    ...     def _doubled(inner_task):
    ...         def double(*args, **kwargs):
    ...             return 2 * inner_task.func(*args, **kwargs)
    ...         return double
    ...     return _doubled
    >>> @doubled()
    ... @task(namespace="demo", version="1")
    ... def add(a, b):
    ...     return a + b
    >>> add(1, 2), add.wrapped_task.fullname
    (demo.add(1, 2), 'demo._doubled.add')
    >>> Scheduler().run(add(1, 2))
    6
    """
    if callable(wrapper_name):
        raise TypeError("wraps_task is used with parentheses: @wraps_task()")
    includes = [*wrapper_hash_includes, *wrapper_extra_hash_data]

    def make_decorator(wrap: Callable[[Task[..., Any]], Callable[..., Any]]) -> TaskWrapper:
        @functools.wraps(wrap)
        def decorate(decorated: Callable[..., Any]) -> Task[..., Any]:
            inner = decorated if isinstance(decorated, Task) else define_task(Task, decorated, {})
            name, namespace = inner.name, inner.namespace
            _hide(inner, wrapper_name or wrap.__name__)
            settings = dict(
                name=name,
                namespace=namespace,
                hash_includes=[*includes, inner],
                wrapped_task=inner,
                use_wrapper_signature=use_wrapper_signature,
                **{"load_module": inner.load_module, **wrapper_task_options},
            )
            return cast("Task[..., Any]", define_task(Task, wrap(inner), settings))

        return cast("TaskWrapper", decorate)

    return make_decorator


def _hide(task: Task[..., Any], wrapper_name: str) -> None:
    """Move a task, and before it every task that it wraps, into a namespace of a wrapper's name below its own."""
    if type(task) is not Task:
        raise TypeError(f"{task!r} can't be wrapped; only tasks made by @task can")
    if task.wrapped_task is not None:
        _hide(task.wrapped_task, wrapper_name)
    registry = get_task_registry()
    registry.add(task)
    registry.rename(task.fullname, join_name(task.namespace, wrapper_name), task.name)
