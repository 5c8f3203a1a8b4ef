"""The context of an execution: values that tasks look up by path in place of being handed them through every call.

A context is a nested mapping. It is configured, given to a run, and changed for a call and everything below it by
`Task.update_context`. What a task takes from it enters its arguments or its body as the expression `get_context`, so
results stay right when the context changes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, cast

from redun.expression import Expression, SchedulerExpression, add_upstreams
from redun.promise import Promise
from redun.task import scheduler_task
from redun.utils import merge_dicts
from redun.values.codec import EncodedValue
from redun.values.registry import get_type_registry

if TYPE_CHECKING:
    from redun._signatures import GetContext
    from redun.scheduler import Scheduler
    from redun.scheduler.job import Job


class Context:
    """The values that jobs of one part of an execution can look up; never changed once made.

    Parameters
    ----------
    values
        A nested mapping; its values may be expressions.
    """

    __slots__ = ("_encoded", "values")

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.values = values
        self._encoded: EncodedValue | None = None

    def update(self, override: Mapping[str, Any]) -> Context:
        """Return this context with the values of another nested mapping laid over it."""
        return Context(merge_dicts([self.values, override]))

    def encode(self) -> EncodedValue:
        """Return the encoded values; computed once."""
        if self._encoded is None:
            self._encoded = get_type_registry().encode(dict(self.values))
        return self._encoded

    @property
    def hash(self) -> str:
        """The address of the values; empty when there are none."""
        return self.encode().value_hash if self.values else ""


EMPTY_CONTEXT = Context({})


def get_context_value(context: Mapping[str, Any], var_path: str, default: Any = None) -> Any:
    """Return the value at a dotted path of a nested mapping, or a default where the path leads nowhere.

    Examples
    --------
    >>> get_context_value({"db": {"host": "localhost"}}, "db.host")
    'localhost'
    """
    value: Any = context
    for name in var_path.split("."):
        if not isinstance(value, Mapping) or name not in value:
            return default
        value = value[name]
    return value


@cast("Callable[[Any], GetContext]", scheduler_task(namespace="redun"))
def get_context(
    scheduler: Scheduler, parent_job: Job, sexpr: SchedulerExpression[Any], var_path: str, default: Any = None
) -> Promise[Any]:
    """Look up a value in the context of the call that this is used in.

    Parameters
    ----------
    var_path
        The dotted path of the value.
    default
        What to take where the path leads nowhere.

    Examples
    --------
    >>> from redun import Scheduler
    >>> Scheduler().run(get_context("db.host"), context={"db": {"host": "localhost"}})
    'localhost'
    """
    names = var_path.split(".")

    def follow(value: Any, depth: int) -> Promise[Any]:
        while depth < len(names) and isinstance(value, Mapping) and names[depth] in value:
            value = value[names[depth]]
            depth += 1
        if isinstance(value, Expression):
            add_upstreams(sexpr, value)
            return scheduler.evaluate(value, parent_job).then(lambda found: follow(found, depth))
        return scheduler.evaluate(value if depth == len(names) else default, parent_job)

    return follow(parent_job.context.values, 0)
