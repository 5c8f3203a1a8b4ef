"""Trying failed calls again, as their options say.

``retries`` says how often, as a number or as numbers by kind of failure; ``retry_delay`` how long to wait before the
first retry, in seconds; the delay doubles from retry to retry.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import Any

from redun.errors import ExecutorError, FailureKind, SchedulerError

MAX_DELAY = 3600.0
"""The longest delay before a retry, in seconds."""

_KINDS = {kind.value: kind for kind in FailureKind if kind is not FailureKind.CANCELLED}


def find_kind(error: BaseException) -> FailureKind:
    """Return why a call failed: what its executor says, else its own code."""
    return error.kind if isinstance(error, ExecutorError) else FailureKind.USER


def plan_retry(options: Mapping[str, Any], kind: FailureKind, failures: int) -> float | None:
    """Return how long to wait before a failed call is tried again, in seconds; None if it is not.

    Parameters
    ----------
    options
        The call's options.
    kind
        Why it failed.
    failures
        How often it has failed, this time included.

    Examples
    --------
    >>> [plan_retry({"retries": 2, "retry_delay": 10}, FailureKind.USER, failures) for failures in (1, 2, 3)]
    [10.0, 20.0, None]
    """
    retries = options.get("retries")
    if not retries or kind is FailureKind.CANCELLED:
        return None
    if failures > (retries.get(kind.value, 0) if isinstance(retries, Mapping) else retries):
        return None
    return float(min(options.get("retry_delay", 0) * 2 ** min(failures - 1, 64), MAX_DELAY))


def check_retries(options: Mapping[str, Any], task_name: str) -> None:
    """Check the options that say how a call is tried again, before it is made the first time.

    Parameters
    ----------
    options
        The call's options.
    task_name
        The full name of the task that is called, for messages.

    Raises
    ------
    SchedulerError
        When one has a value that makes no sense.
    """
    delay, retries = options.get("retry_delay", 0), options.get("retries")
    if not _is_number(delay) or delay < 0:
        raise SchedulerError(f"task option retry_delay={delay!r} of {task_name} must be a number of seconds")
    by_kind = retries if isinstance(retries, Mapping) else {} if retries is None else dict.fromkeys(_KINDS, retries)
    unknown = set(by_kind) - set(_KINDS)
    if unknown or not all(type(number) is int and number >= 0 for number in by_kind.values()):
        raise SchedulerError(
            f"task option retries={retries!r} of {task_name} must be a number, or numbers by kind of failure: "
            + ", ".join(_KINDS)
        )


def read_timeout(options: Mapping[str, Any], task_name: str) -> float | None:
    """Return how long a call may run, in seconds; None for as long as it likes.

    Parameters
    ----------
    options
        The call's options.
    task_name
        The full name of the task that is called, for messages.

    Raises
    ------
    SchedulerError
        When the option is no positive number.
    """
    timeout = options.get("timeout")
    if timeout is None:
        return None
    if not _is_number(timeout) or timeout <= 0:
        raise SchedulerError(f"task option timeout={timeout!r} of {task_name} must be a positive number of seconds")
    return float(timeout)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)
