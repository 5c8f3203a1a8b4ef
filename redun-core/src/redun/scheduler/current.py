"""The scheduler that runs on a thread."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from redun.errors import NoCurrentScheduler, SchedulerError

if TYPE_CHECKING:
    from redun.scheduler import Scheduler

_current = threading.local()


def get_current_scheduler(required: bool = True) -> Scheduler | None:
    """Return the scheduler that runs on this thread.

    Raises
    ------
    NoCurrentScheduler
        When there is none and `required` is true.

    Examples
    --------
    >>> get_current_scheduler(required=False) is None
    True
    """
    scheduler: Scheduler | None = getattr(_current, "scheduler", None)
    if scheduler is None and required:
        raise NoCurrentScheduler("Scheduler is not running.")
    return scheduler


def check_idle(is_running: bool) -> None:
    """Check that an execution can begin on this thread.

    Parameters
    ----------
    is_running
        Whether the scheduler that it is for runs one already.

    Raises
    ------
    SchedulerError
        When it can't, with what it takes.
    """
    if is_running:
        raise SchedulerError(
            "this scheduler runs an execution already; use another Scheduler for a second one meanwhile"
        )
    if get_current_scheduler(required=False) is not None:
        raise SchedulerError("a scheduler is running on this thread already; use another thread for a nested run")


def set_current_scheduler(scheduler: Scheduler | None) -> None:
    """Set or, with None, clear the scheduler that counts as running on this thread.

    Examples
    --------
    >>> from redun import Scheduler
    >>> scheduler = Scheduler()
    >>> set_current_scheduler(scheduler)
    >>> get_current_scheduler() is scheduler
    True
    >>> set_current_scheduler(None)
    """
    _current.scheduler = scheduler
