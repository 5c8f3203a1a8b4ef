"""Building blocks for workflows in the style of functional programming."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable, Sequence
from functools import reduce
from typing import TYPE_CHECKING, Any, TypeVar, cast

from redun.expression import QuotedExpression, SchedulerExpression, add_upstreams, quote
from redun.promise import Promise
from redun.task import PartialTask, Task, scheduler_task, task
from redun.traceback import safe_repr

if TYPE_CHECKING:
    from redun._signatures import Map, Seq
    from redun.scheduler import Scheduler
    from redun.scheduler.job import Job

T = TypeVar("T")


@cast("Callable[[Any], Seq]", scheduler_task(namespace="redun"))
def seq(
    scheduler: Scheduler, parent_job: Job, sexpr: SchedulerExpression[Any], exprs: Sequence[Any]
) -> Promise[list[Any]]:
    """Evaluate expressions one after the other, each when the one before is done, and return the list of results.

    Examples
    --------
    >>> from redun import Scheduler
    >>> Scheduler().run(seq([identity(1), identity(2)]))
    [1, 2]
    """
    add_upstreams(sexpr, *exprs)
    results: list[Any] = []
    done: Promise[list[Any]] = Promise()

    def step(finished: Promise[Any]) -> None:
        if finished.is_rejected:
            done.do_reject(finished.error)
            return
        results.append(finished.value)
        advance()

    def advance() -> None:
        if len(results) == len(exprs):
            done.do_resolve(results)
        else:
            scheduler.evaluate(exprs[len(results)], parent_job).watch(step)

    advance()
    return done


@cast("Callable[[Any], Map]", scheduler_task(namespace="redun", name="map_"))
def map_(
    scheduler: Scheduler, parent_job: Job, sexpr: SchedulerExpression[Any], a_task: Any, values: Any
) -> Promise[list[Any]]:
    """Apply a task to each of some values, in parallel.

    Parameters
    ----------
    a_task
        A task of one argument, or an expression of one.
    values
        An iterable, or an expression of one. A `map_` of a `map_` applies both tasks to each value without waiting for
        the others.

    Examples
    --------
    >>> from redun import Scheduler
    >>> Scheduler().run(map_(identity, [1, 2]))
    [1, 2]
    """
    add_upstreams(sexpr, a_task, values)
    inner = values
    tasks = [a_task]
    while isinstance(inner, SchedulerExpression) and inner.task_name == sexpr.task_name and not inner.kwargs:
        inner_task, inner = inner.args
        tasks.append(inner_task)

    def apply(resolved: Any) -> Promise[Any]:
        functions, concrete = resolved
        try:
            iter(concrete)
        except TypeError:
            raise TypeError(f"map_() applies a task to each of some values, not to {safe_repr(concrete)}") from None
        mapped = functions[0] if len(functions) == 1 else compose(*functions)
        calls = [mapped(value) for value in concrete]
        add_upstreams(sexpr, *calls)
        return scheduler.evaluate(calls, parent_job)

    return scheduler.evaluate([tasks, inner], parent_job).then(apply)


def starmap(a_task: Task[..., T], kwargs: Sequence[dict[str, Any]] = ()) -> list[T]:
    """Apply a task to each of some mappings of keyword arguments, in parallel."""
    applied = eval_.partial("a_task(**x)", pos_args=["x"], a_task=a_task)
    return map_(applied, kwargs)


@task(namespace="redun", version="1")
def flatten(list_of_lists: Iterable[Iterable[T]]) -> list[T]:
    """Return the items of lists as one list."""
    return [item for items in list_of_lists for item in items]


@task(namespace="redun", version="1")
def flat_map(a_task: Task[..., Any], values: Sequence[Any]) -> list[Any]:
    """Apply a task that returns lists to each of some values, and return the items of all results as one list."""
    return flatten(map_(a_task, values))


@task(namespace="redun", version="1")
def zip_(*lists: Sequence[Any]) -> list[tuple[Any, ...]]:
    """Return the items of lists as tuples: the first of each, the second of each, and so on."""
    return list(zip(*lists, strict=False))


@task(namespace="redun", version="1")
def const(x: T, _: Any) -> T:
    """Return the first argument, once both are known."""
    return x


@task(namespace="redun", version="1")
def identity(x: T) -> T:
    """Return the argument."""
    return x


@task(namespace="redun", version="1")
def eval_(code: str, *args: Any, pos_args: Sequence[str] = (), **kwargs: Any) -> Any:
    """Evaluate a Python expression.

    Parameters
    ----------
    code
        The expression.
    *args
        Values for the names in `pos_args`.
    pos_args
        Names for the positional values.
    **kwargs
        Values by name.

    Raises
    ------
    TypeError
        When there are not as many names as positional values.
    """
    if len(args) != len(pos_args):
        raise TypeError(f"eval_() got {len(args)} positional values for {len(pos_args)} names")
    return eval(  # noqa: S307  Evaluating code is what the task is for; the code is part of the workflow.
        textwrap.dedent(code), {**dict(zip(pos_args, args, strict=True)), **kwargs}
    )


@task(namespace="redun", version="1")
def apply_func(func: Callable[..., T], *args: Any, **kwargs: Any) -> T:
    """Call a plain function of a module; its source takes part in the cache key."""
    return func(*args, **kwargs)


def as_task(func: Callable[..., T]) -> PartialTask[..., T]:
    """Return a task that calls a plain function of a module."""
    return apply_func.partial(func)  # type: ignore[return-value]


@task(namespace="redun", version="1")
def compose_apply(tasks: Sequence[Task[..., Any]], *args: Any, **kwargs: Any) -> Any:
    """Call the last task with the arguments, and each one before with the result of the one after it."""
    *others, last = tasks
    return reduce(lambda value, one: one(value), reversed(others), last(*args, **kwargs))


def compose(*tasks: Task[..., Any]) -> PartialTask[..., Any]:
    """Return a task that applies some tasks in turn, the rightmost first."""
    return compose_apply.partial(list(tasks))


def delay(x: Any) -> PartialTask[..., Any]:
    """Return a task without arguments that evaluates an expression when it is called; see `force`."""
    return identity.partial(x)


@task(namespace="redun", version="1")
def force(x: Task[..., Any]) -> Any:
    """Call a task without arguments."""
    return x()


def no_prov(expr: Any) -> Any:
    """Evaluate an expression without recording how: its value is cached and recorded, the calls in it are not.

    For the many small calls whose provenance nobody needs.

    Examples
    --------
    >>> from redun import Scheduler
    >>> Scheduler().run(no_prov([identity(1), identity(2)]))
    [1, 2]
    """
    return _no_prov(quote(expr))


@task(namespace="redun", name="no_prov", version="1", check_valid="shallow")
def _no_prov(expr: QuotedExpression[Any]) -> Any:
    """Evaluate a quoted expression; only this call is recorded."""
    return no_prov_helper(expr)


@task(namespace="redun", version="1", prov=False)
def no_prov_helper(expr: QuotedExpression[Any]) -> Any:
    """Evaluate a quoted expression; neither this call nor any below it is recorded."""
    return expr.eval()
