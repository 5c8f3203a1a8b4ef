"""Evaluating an expression aside, and joining it later."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from redun.expression import QuotedExpression, SchedulerExpression, add_upstreams
from redun.ids import new_id
from redun.promise import Promise
from redun.task import scheduler_task

if TYPE_CHECKING:
    from redun._signatures import ForkThread, JoinThread
    from redun.scheduler import Scheduler
    from redun.scheduler.job import Job


class Thread(QuotedExpression[Any]):
    """An expression that is evaluated aside; `join_thread` gives its value.

    Attributes
    ----------
    id : str
        A UUID.
    """

    __module__ = "redun.scheduler"
    type_name = "redun.scheduler.Thread"
    __slots__ = ("id",)

    def __init__(self, expr: Any, id: str | None = None) -> None:
        super().__init__(expr)
        self.id = id or new_id()

    def reduce_node(self) -> tuple[Any, ...]:
        return Thread, (self._expr, self.id)

    def __repr__(self) -> str:
        return f"Thread({self._expr!r})"

    def __getstate__(self) -> dict[str, Any]:
        return {"expr": self._expr, "id": self.id}

    def __setstate__(self, state: dict[str, Any]) -> None:
        Thread.__init__(self, state["expr"], state["id"])


@cast("Callable[[Any], ForkThread]", scheduler_task(namespace="redun"))
def fork_thread(scheduler: Scheduler, parent_job: Job, sexpr: SchedulerExpression[Any], expr: Any) -> Promise[Thread]:
    """Begin to evaluate an expression, and return a `Thread` at once, before its value is known.

    Examples
    --------
    >>> from redun import Scheduler, task
    >>> @task(version="1")
    ... def double(x):
    ...     return 2 * x
    >>> Scheduler().run(join_thread(fork_thread(double(21))))
    42
    """
    thread = Thread(expr)
    scheduler.track(thread.id, scheduler.evaluate(expr, parent_job))
    forked: Promise[Thread] = Promise()
    forked.do_resolve(thread)
    return forked


@cast("Callable[[Any], JoinThread]", scheduler_task(namespace="redun"))
def join_thread(scheduler: Scheduler, parent_job: Job, sexpr: SchedulerExpression[Any], thread: Any) -> Promise[Any]:
    """Return the value of the expression that a `Thread` evaluates, once it is known.

    A thread of an earlier execution, from the cache, is evaluated again, which the cache makes cheap.
    """

    def join(forked: Thread) -> Promise[Any]:
        add_upstreams(sexpr, forked.eval())
        return scheduler.find_tracked(forked.id) or scheduler.evaluate(forked.eval(), parent_job)

    return scheduler.evaluate(thread, parent_job).then(join)
