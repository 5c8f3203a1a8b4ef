"""Saying which argument of a call can't be stored, as a call is written."""

from __future__ import annotations

from inspect import Parameter
from typing import Any

from redun.arguments import encode_lazily
from redun.errors import InvalidValueError
from redun.quoting import QuotedExpression
from redun.registry import get_task_registry

_POSITIONAL = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)

_HIDDEN = {"redun.SchedulerTask": 3}
"""How many parameters of a kind of tasks are none of their calls' arguments."""


def name_argument(error: InvalidValueError, expression: Any) -> InvalidValueError:
    """Return why the arguments of an expression can't be stored, with the name of the one that is to blame.

    Parameters
    ----------
    error
        What encoding the arguments ended in.
    expression
        The expression. One that applies no task, or a task that is not defined, has no names for its arguments.
    """
    task_name = getattr(expression, "task_name", None)
    task = get_task_registry().get(task_name) if isinstance(task_name, str) else None  # A lazy operation has all names.
    if task is None:
        return error
    parameters = list(task.signature.parameters.values())[_HIDDEN.get(task.type_name, 0) :]
    names = [parameter.name for parameter in parameters if parameter.kind in _POSITIONAL]
    for place, value in (*enumerate(expression.args), *expression.kwargs.items()):
        try:
            encode_lazily(value)
        except InvalidValueError as problem:
            if isinstance(value, QuotedExpression) or type(problem) is not InvalidValueError:
                return problem  # What is quoted is named already, and an error of a kind of its own stays what it is.
            name = names[place] if isinstance(place, int) and place < len(names) else place
            return InvalidValueError(f"argument {name} of {task.fullname}: {problem}")
    return error
