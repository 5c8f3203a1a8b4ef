"""Executions and jobs as plain data, for whoever is told of them. Arguments and results of calls are not in it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

from redun.masking import MASK, looks_secret, mask_secrets
from redun.scheduler import Execution, Job

Event = dict[str, Any]


def format_time(seconds: float | None = None) -> str:
    """Return a time in UTC by ISO 8601; seconds since the epoch, or now.

    Examples
    --------
    >>> format_time(1.5)
    '1970-01-01T00:00:01.500000+00:00'
    """
    return datetime.fromtimestamp(time.time() if seconds is None else seconds, timezone.utc).isoformat(
        timespec="microseconds"
    )


def mask_arguments(arguments: Sequence[str]) -> Sequence[str]:
    """Return the arguments of a command without the values of those that are named like secrets.

    Examples
    --------
    >>> mask_arguments(["redun", "run", "--api-token", "x", "--password=y", "--path", "z"])
    ['redun', 'run', '--api-token', '***', '--password=***', '--path', 'z']
    """
    return list(_mask_each(arguments))


def _mask_each(arguments: Sequence[str]) -> Iterator[str]:
    is_secret = False
    for argument in arguments:
        if is_secret and not argument.startswith("--"):
            yield MASK
            continue
        name, equals, _ = argument.partition("=")
        is_secret = name.startswith("--") and not equals and looks_secret(name)
        yield f"{name}={MASK}" if equals and looks_secret(name) else mask_secrets(argument)


def describe_error(error: BaseException) -> Mapping[str, str]:
    """Return the type and the message of an error, without secrets."""
    return {"type": type(error).__qualname__, "message": mask_secrets(str(error))}


def describe_execution_start(execution: Execution) -> Event:
    """Return what is told when an execution starts."""
    return {
        "event": "execution_start",
        "time": format_time(),
        "execution_id": execution.id,
        "args": mask_arguments(execution.args),
        "tags": [list(tag) for tag in execution.tags],
    }


def describe_execution_finish(execution: Execution, error: BaseException | None) -> Event:
    """Return what is told when an execution has ended."""
    described: Event = {"event": "execution_finish", "time": format_time(), "execution_id": execution.id}
    described["status"] = "FAILED" if error is not None else "DONE"
    if error is not None:
        described["error"] = describe_error(error)
    return described


def describe_job_start(job: Job) -> Event:
    """Return what is told when a job starts, or is about to be answered from the cache."""
    return {
        "event": "job_start",
        "time": format_time(job.start_time),
        **_name_job(job),
        "parent_id": job.parent_job.id if job.parent_job is not None else None,
        "task_hash": job.task.hash,
        "eval_hash": job.eval_hash or None,
        "reason": job.reason or None,
    }


def describe_job_finish(job: Job) -> Event:
    """Return what is told when a job has ended."""
    outcome, ended = job.outcome, job.end_time or time.time()
    assert outcome is not None
    described: Event = {
        "event": "job_finish",
        "time": format_time(ended),
        **_name_job(job),
        "status": job.status.name,
        "seconds": round(ended - job.start_time, 6),
        "call_hash": outcome.call_hash or None,
    }
    if outcome.error is not None:
        described["error"] = describe_error(outcome.error)
    return described


def _name_job(job: Job) -> Mapping[str, str]:
    return {"execution_id": job.execution.id, "job_id": job.id, "task": job.task.fullname}
