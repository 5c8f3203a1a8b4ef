"""What users read while a workflow runs: a line per job, and a table of how many jobs are where."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from inspect import Parameter
from logging import INFO, Logger
from typing import Any

from redun.scheduler.job import Job, JobStatus
from redun.scheduler.rebuilder import Candidate
from redun.task import Task
from redun.traceback import MAX_REPR, safe_repr, show_variable, trim_string

_POSITIONAL = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
_COLUMNS = [*(status.name for status in JobStatus), "TOTAL"]
_MIN_WIDTH = 7


def list_positional(task: Task[..., Any]) -> Sequence[str]:
    """Return the names of the parameters that can be given by position, in order."""
    return [name for name, parameter in task.signature.parameters.items() if parameter.kind in _POSITIONAL]


def format_task_call(
    task: Task[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any], max_length: int = MAX_REPR
) -> str:
    """Return a call as it is written in Python, arguments by name in the order of the signature, each of them cut."""
    names = list_positional(task)
    shown = [f"{name}={show_variable(name, value, max_length)}" for name, value in zip(names, args, strict=False)]
    shown += [show_variable("", value, max_length) for value in args[len(names) :]]
    order = {name: index for index, name in enumerate(task.signature.parameters)}
    keywords = sorted(kwargs, key=lambda name: order.get(name, len(order)))
    shown += [f"{name}={show_variable(name, kwargs[name], max_length)}" for name in keywords]
    return f"{task.fullname}({', '.join(shown)})"


class StatusBoard:
    """Counts jobs by task and status, and logs what becomes of them.

    Parameters
    ----------
    logger
        Where the lines go.

    Attributes
    ----------
    is_shown : bool
        Whether the logger takes lines about single jobs.
    counts : dict of str to list of int
        How many jobs are in each status, in the order of `JobStatus`, by task.
    """

    def __init__(self, logger: Logger) -> None:
        self._logger = logger
        self.is_shown = logger.isEnabledFor(INFO)
        self.counts: dict[str, list[int]] = {}

    def add(self, job: Job) -> None:
        """Count a new, pending job."""
        name = job.task.fullname
        counts = self.counts.get(name)
        if counts is None:
            counts = self.counts[name] = [0] * len(JobStatus)
        counts[JobStatus.PENDING] += 1

    def move(self, job: Job, status: JobStatus) -> None:
        """Move a job to its next status."""
        counts = self.counts[job.task.fullname]
        counts[job.status] -= 1
        counts[status] += 1
        job.status = status

    def log_run(self, job: Job, executor_name: str, action: str = "Run") -> None:
        """Log that a call is handed to an executor."""
        if self.is_shown:
            call = format_task_call(job.task, job.args, job.kwargs)
            self._logger.info("%s Job %s:  %s on %s", action.ljust(6), job.id[:8], call, executor_name)

    def log_parked(self, job: Job) -> None:
        """Log that a call waits for another execution."""
        if self.is_shown:
            call = format_task_call(job.task, job.args, job.kwargs)
            self._logger.info("Wait   Job %s:  %s, which another execution is making", job.id[:8], call)

    def log_answers(self, answers: Sequence[tuple[Job, Candidate]]) -> None:
        """Log which calls are answered by recorded results."""
        if self.is_shown:
            for job, candidate in answers:
                self.log_cached(job, candidate.call.call_hash if candidate.call is not None else None)

    def log_cached(self, job: Job, call_hash: str | None) -> None:
        """Log that a call is answered from the cache, with the address of its final result if that was reused."""
        if self.is_shown and job.eval_hash:
            call = format_task_call(job.task, job.args, job.kwargs)
            shallow = ", check_valid=shallow" if call_hash else ""
            self._logger.info(
                "Cached Job %s:  %s (eval_hash=%s%s, call_hash=%s)",
                job.id[:8],
                call,
                job.eval_hash[:8],
                shallow,
                call_hash[:8] if call_hash else None,
            )

    def log_miss(self, job: Job, candidate: Candidate) -> None:
        """Log that a recorded result exists but can't be used."""
        if candidate.is_error:
            return
        eval_hash = job.eval_hash[:8]
        if candidate.is_readable:
            shown = safe_repr(candidate.value)
            self._logger.info(
                "Miss   Job %s:  Cached result is no longer valid (result=%s, eval_hash=%s).",
                job.id[:8],
                shown,
                eval_hash,
            )
        else:
            self._logger.warning(
                "Miss   Job %s:  Cached result of %s can't be read: %s (eval_hash=%s).",
                job.id[:8],
                job.task.fullname,
                candidate.value,
                eval_hash,
            )

    def log_reject(self, job: Job) -> None:
        """Log that a job failed of itself."""
        call = format_task_call(job.task, job.args, job.kwargs)
        self._logger.error("*** Reject Job %s:  %s:", job.id[:8], call)

    def log_drift(self, job: Job, places: Sequence[str]) -> None:
        """Log that something outside changed while a job ran, so that its result is not cached."""
        self._logger.warning(
            "Job %s:  %s changed while task %s ran; its result is used now and not cached",
            job.id[:8],
            ", ".join(map(repr, places)),
            job.task.fullname,
        )

    def log_retry(self, job: Job, error: BaseException, delay: float) -> None:
        """Log that a failed call is tried again."""
        wait = f" in {delay:g} seconds" if delay else ""
        self._logger.warning(
            "Retry  Job %s:  %s failed and is tried again%s: %s",
            job.id[:8],
            job.task.fullname,
            wait,
            safe_repr(error),
        )

    def log_table(self) -> None:
        """Log how many jobs of each task are in each status; the records have an attribute ``is_table``."""
        if self.is_shown:
            for line in format_job_statuses(self.counts, time.localtime()):
                self._logger.info("%s", line, extra={"is_table": True})


def format_job_statuses(counts: Mapping[str, Sequence[int]], now: time.struct_time) -> Iterator[str]:
    """Yield the lines of the table of job statuses.

    Parameters
    ----------
    counts
        How many jobs are in each status, in the order of `JobStatus`, by task.
    now
        The local time to show.
    """
    totals = [sum(column) for column in zip(*counts.values(), strict=True)] or [0] * len(JobStatus)
    rows = [_row("ALL", totals), *(_row(trim_string(name, 60), counts[name]) for name in sorted(counts))]
    table = [["TASK", *_COLUMNS], *rows]
    widths = [max(_MIN_WIDTH, *(len(row[column]) for row in table)) for column in range(len(_COLUMNS) + 1)]
    lines = [
        " ".join(
            [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        )
        for row in table
    ]
    yield ""
    yield f"| JOB STATUS {time.strftime('%Y/%m/%d %H:%M:%S', now)}"
    yield f"| {lines[0]}"
    yield "| "
    yield from (f"| {line}" for line in lines[1:])
    yield ""


def _row(name: str, count: Sequence[int]) -> list[str]:
    return [name, *map(str, count), str(sum(count))]
