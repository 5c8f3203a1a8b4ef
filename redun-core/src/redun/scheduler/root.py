"""The root of an execution: which expressions can be the root job's, and what the others are wrapped in."""

from __future__ import annotations

from typing import Any

from redun.control import root_task
from redun.expression import Expression, SchedulerExpression, TaskExpression, quote
from redun.registry import get_task_registry
from redun.values.nested import find_leaves


def wrap_root(expr: Any) -> TaskExpression[Any]:
    """Return an expression that can be the root job's: a plain call, or a call of the root task on the quoted rest."""
    if needs_root_task(expr):
        wrapped: TaskExpression[Any] = root_task(quote(expr))
        return wrapped
    assert isinstance(expr, TaskExpression)
    return expr


def needs_root_task(expr: Any) -> bool:
    """Whether an expression must be wrapped to be run: anything but the call of a task with concrete arguments."""
    if not isinstance(expr, TaskExpression) or isinstance(expr, SchedulerExpression):
        return True
    called = get_task_registry().get(expr.task_name)
    parts: list[Any] = [expr.args, expr.kwargs, expr.task_options]
    if called is not None:
        parts += [called.get_task_options(), [default.value for default in called.defaults]]
    return any(isinstance(leaf, Expression) for leaf in find_leaves(parts))
