"""The events of a run as JSON, one object a line, for programs that follow it.

Every event has the keys ``event``, ``time`` (seconds since the epoch) and ``execution`` (its id). The others are:

====================  ============================================================================================
``execution_start``   ``args`` (the command), ``version``, ``tags`` (an object of lists), ``dryrun``
``job_start``         ``job``, ``parent`` (ids; null for the root), ``task``, ``task_hash``, ``eval_hash``,
                      ``args_hash``, ``reason`` (why it runs; null if it is answered from the cache)
``job_finish``        ``job``, ``parent``, ``task``, ``task_hash``, ``eval_hash``, ``call_hash`` (null without a
                      recorded call), ``status`` (``DONE``, ``CACHED``, ``FAILED``), ``reason``, ``duration``
                      (seconds), ``error`` (null, or an object with ``type`` and ``message``)
``execution_finish``  ``status`` (``DONE``, ``FAILED``, ``DRYRUN``), ``duration``, ``jobs`` (how many jobs of each
                      task are in each status), ``result`` (its representation on one line, cut; null without),
                      ``error``; after a dry run ``would_run`` (how many calls of each task)
====================  ============================================================================================

Later versions may add keys and events, and change none. Secrets in texts are masked as they are in the log.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from redun._version import __version__
from redun.error_text import make_printable
from redun.errors import DryRunResult, RedunError
from redun.logging import logger
from redun.masking import mask_secrets
from redun.scheduler.job import Execution, Job, JobStatus
from redun.traceback import show_variable, trim_string

MAX_TEXT = 1_000
"""How long the text of a result or of an error is at most."""


class EventWriter:
    """Observes executions, and writes what happens as lines of JSON.

    When whoever reads them has gone, the execution goes on and nothing more is written.

    Parameters
    ----------
    stream
        Where the lines go.
    is_dryrun
        Whether executions are dry runs.
    """

    def __init__(self, stream: TextIO, is_dryrun: bool = False) -> None:
        self._stream: TextIO | None = stream
        self._is_dryrun = is_dryrun
        self._start = time.time()

    def redun_execution_start(self, execution: Execution) -> None:
        """Write that an execution starts."""
        self._start = time.time()
        tags: dict[str, list[Any]] = {}
        for key, value in execution.tags:
            tags.setdefault(key, []).append(value)
        self._write(
            "execution_start",
            execution,
            self._start,
            args=list(execution.args),
            version=__version__,
            tags=tags,
            dryrun=self._is_dryrun,
        )

    def redun_job_start(self, job: Job) -> None:
        """Write that a job starts, or is about to be answered from the cache."""
        args_hash = job.encoded.args_hash if job.encoded is not None else None
        self._write(
            "job_start", job.execution, job.start_time, **_identify(job), args_hash=args_hash, reason=job.reason or None
        )

    def redun_job_finish(self, job: Job) -> None:
        """Write what became of a job."""
        outcome = job.outcome
        assert outcome is not None
        assert job.end_time is not None
        self._write(
            "job_finish",
            job.execution,
            job.end_time,
            **_identify(job),
            call_hash=outcome.call_hash if outcome.call_hash and outcome.has_provenance else None,
            status=JobStatus(job.status).name,
            reason=job.reason or None,
            duration=round(max(job.end_time - job.start_time, 0.0), 6),
            error=_describe_error(outcome.error),
        )

    def redun_execution_finish(self, execution: Execution, error: BaseException | None) -> None:
        """Write how an execution ended."""
        now = time.time()
        root, progress = execution.job, execution.progress
        outcome = root.outcome if root is not None and error is None else None
        facts: dict[str, Any] = {
            "status": "DRYRUN" if isinstance(error, DryRunResult) else "FAILED" if error is not None else "DONE",
            "duration": round(now - self._start, 6),
            "jobs": progress.count_jobs() if progress is not None else {},
            "result": None if outcome is None else make_printable(show_variable("", outcome.value, MAX_TEXT)),
            "error": None if isinstance(error, DryRunResult) else _describe_error(error),
        }
        if isinstance(error, DryRunResult):
            facts["would_run"] = {name: misses.count for name, misses in error.misses.items()}
        self._write("execution_finish", execution, now, **facts)

    def _write(self, event: str, execution: Execution, when: float, **facts: Any) -> None:
        if self._stream is None:
            return
        line = json.dumps({"event": event, "time": round(when, 6), "execution": execution.id, **facts})
        try:
            self._stream.write(f"{line}\n")
            self._stream.flush()
        except BrokenPipeError:
            _discard(self._stream)
            self._stream = None
            logger.warning("Nobody reads the events any more; the execution goes on without writing them")


@contextmanager
def taking_output() -> Iterator[TextIO]:
    """Give a stream that leads to the standard output; what anything else prints goes to the error stream meanwhile.

    Raises
    ------
    RedunError
        When one of the two is closed.
    """
    if sys.stdout is None or sys.stderr is None:
        raise RedunError(
            "--format json needs standard output for events, and standard error for the rest; one is closed"
        )
    sys.stdout.flush()
    saved = os.dup(1)
    os.dup2(2, 1)
    with open(saved, "w", encoding="utf-8", newline="\n") as stream:
        try:
            yield stream
        finally:
            sys.stdout.flush()
            os.dup2(saved, 1)


def _identify(job: Job) -> dict[str, Any]:
    return {
        "job": job.id,
        "parent": job.parent_job.id if job.parent_job is not None else None,
        "task": job.task.fullname,
        "task_hash": job.task.hash,
        "eval_hash": job.eval_hash or None,
    }


def _describe_error(error: BaseException | None) -> dict[str, str] | None:
    if error is None:
        return None
    message = make_printable(mask_secrets(trim_string(str(error), MAX_TEXT)))
    return {"type": type(error).__qualname__, "message": message}


def _discard(stream: TextIO) -> None:
    """Let what a stream still holds go nowhere, so that closing it does not fail."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
