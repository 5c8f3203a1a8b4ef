"""The cache options of tasks that are coroutine functions.

Such a task awaits the calls that it makes, so what it returns is no expression that could be evaluated again: a stored
result is its final one, and is checked as such.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from redun.options import CacheCheckValid, CacheScope

ASYNC_OPTIONS: Mapping[str, Any] = {"cache_scope": CacheScope.BACKEND, "check_valid": CacheCheckValid.SHALLOW}
"""Options of a coroutine function's task that its definition may leave out."""


def check_async_options(options: Mapping[str, Any], fullname: str) -> None:
    """Check how the results of a coroutine function's task are cached.

    Parameters
    ----------
    options
        The task's options, in normal form.
    fullname
        The task's name, for messages.

    Raises
    ------
    ValueError
        When results of earlier executions are to be checked by the calls below them, of which nothing is known.
    """
    is_replayed = options.get("cache_scope") is CacheScope.BACKEND
    if is_replayed and options.get("check_valid") is CacheCheckValid.FULL:
        raise ValueError(
            f"async task {fullname!r} can't have check_valid='full', for only its final result is recorded: "
            "write check_valid='shallow', or cache_scope='CSE' to cache it within one execution only"
        )
