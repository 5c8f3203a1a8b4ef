"""The scheduler that runs on a thread."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from redun.errors import NoCurrentScheduler

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
