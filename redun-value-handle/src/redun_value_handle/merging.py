"""Bringing states of handles together that parallel calls have led to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, cast

from redun.errors import SchedulerError
from redun.expression import SchedulerExpression, add_upstreams
from redun.promise import Promise
from redun.task import scheduler_task
from redun_value_handle.handle import Handle

if TYPE_CHECKING:
    from redun._signatures import MergeHandles
    from redun.scheduler import Scheduler
    from redun.scheduler.job import Job


@cast("Callable[[Any], MergeHandles]", scheduler_task(namespace="redun"))
def merge_handles(
    scheduler: Scheduler, parent_job: Job, sexpr: SchedulerExpression[Any], handles: Sequence[Any]
) -> Promise[Any]:
    """Return the first of some handles once all of them are there, as the state that all of them have led to.

    What is done with it is done again when any of the calls that led to the others is made again; those calls
    themselves do not depend on one another.

    Raises
    ------
    SchedulerError
        When what is given is no list of handles, or an empty one.

    Examples
    --------
    >>> from redun import Handle, Scheduler, task
    >>> @task(version="1")
    ... def fill(handle, number):
    ...     return handle
    >>> conn = Handle("conn")
    >>> merged = Scheduler().run(merge_handles([fill(conn, 1), fill(conn, 2)]))
    """
    add_upstreams(sexpr, *(handles if isinstance(handles, list | tuple) else [handles]))

    def merge(values: Any) -> Any:
        if not isinstance(values, list | tuple) or not values or not all(isinstance(item, Handle) for item in values):
            raise SchedulerError("merge_handles() takes a list of handles, which has at least one")
        assert parent_job.execution.handles is not None
        parent_job.execution.handles.merge(values)
        return values[0]

    return scheduler.evaluate(handles, parent_job).then(merge)
