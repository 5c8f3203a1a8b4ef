"""What is drawn, read from the store: few jobs one by one, and many as what they come to together.

Of an execution with more than `MAX_JOBS` jobs every job is looked at once and forgotten; only totals stay, and the jobs
that are of most interest: those that failed first, and those that took longest.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from itertools import islice

from redun.backends.base import ERROR_TYPE
from redun.errors import RedunError
from redun_backend_sql.database import Database
from redun_backend_sql.display import format_arguments
from redun_backend_sql.jobs import list_failed_jobs
from redun_backend_sql.meant import find_one
from redun_backend_sql.owners import find_lost
from redun_backend_sql.query import count_jobs
from redun_backend_sql.records import (
    ExecutionRow,
    JobLine,
    JobRow,
    decide_status,
    parse_time,
    read_executions,
    read_jobs,
    read_lines,
    read_tasks,
)
from redun_viz import totals
from redun_viz.jobs import Job, order_jobs
from redun_viz.totals import Totals

MAX_JOBS = 10_000
"""How many jobs are read one by one."""

MAX_SHOWN = 500
"""Of more, how many that failed and how many that took long are shown."""

_MAX_FAILED_CALLS = 200_000
_KINDS: tuple[type[ExecutionRow | JobRow], ...] = (ExecutionRow, JobRow)

_IDS = "SELECT id FROM job WHERE execution_id = ? LIMIT ?"
_BELOW = "SELECT id FROM job WHERE parent_id IN ({keys})"
_FAILED_CALLS = (
    "SELECT call_node.call_hash FROM value CROSS JOIN call_node "
    "WHERE value.type = ? AND call_node.value_hash = value.value_hash LIMIT ?"
)
_ALL = (
    "SELECT job.id, job.parent_id, job.task_hash, above.task_hash, job.start_time, job.end_time, job.cached, "
    "job.call_hash FROM job LEFT JOIN job AS above ON above.id = job.parent_id WHERE job.execution_id = ?"
)


@dataclass(frozen=True)
class Subject:
    """What is drawn: an execution, or a job of one with everything below it.

    Attributes
    ----------
    execution
        The execution.
    root
        The job at the top; None if the execution was killed before its first job was recorded.
    """

    execution: ExecutionRow
    root: JobRow | None

    @property
    def is_whole(self) -> bool:
        """Whether it is all of the execution."""
        return self.root is None or self.root.id == self.execution.job_id

    @property
    def name(self) -> str:
        """What users call it."""
        return f"Exec {self.execution.id[:8]}" if self.is_whole or not self.root else f"Job {self.root.id[:8]}"

    @property
    def id(self) -> str:
        """The id of the execution or job."""
        return self.execution.id if self.is_whole or not self.root else self.root.id


@dataclass(frozen=True)
class Recorded:
    """What is recorded of it.

    Attributes
    ----------
    subject
        What is drawn.
    started
        When it started: the point in time from which others are counted.
    seconds
        How long it took, or has taken so far.
    rows, jobs
        The jobs as they are recorded, and as they are drawn, in the same order: each before those that it made.
    totals
        What all jobs come to.
    job_count
        How many jobs there are; more than `jobs` when only some of them are shown.
    """

    subject: Subject
    started: datetime
    seconds: float
    rows: Sequence[JobRow]
    jobs: Sequence[Job]
    totals: Totals
    job_count: int

    @property
    def is_complete(self) -> bool:
        """Whether the jobs are all jobs that there are."""
        return len(self.jobs) == self.job_count


def find_subject(database: Database, key: str) -> Subject:
    """Return what a user wants to see.

    Parameters
    ----------
    database
        The database.
    key
        The start of the id of an execution or of a job; ``-`` for the latest execution, ``~n`` for the one n before.

    Raises
    ------
    RedunError
        When nothing or more than one thing is meant.
    """
    record = find_one(database, key, _KINDS)
    if isinstance(record, ExecutionRow):
        return Subject(record, record.root)
    executions = read_executions(database, [record.execution_id])
    if not executions:
        raise RedunError(f"the execution {record.execution_id} of job {record.id} is missing: see `redun db check`")
    return Subject(executions[0], record)


def read_recorded(database: Database, subject: Subject) -> Recorded:
    """Return what is recorded of an execution or a job.

    Raises
    ------
    RedunError
        When a job that is not the first of its execution has too many jobs below it.
    """
    if subject.is_whole:
        count = count_jobs(database, subject.execution.id)
        if count > MAX_JOBS:
            return _read_many(database, subject, count)
        ids = [key for (key,) in database.select(_IDS, subject.execution.id, MAX_JOBS)]
    else:
        assert subject.root is not None
        ids = _list_below(database, subject.root)
    rows = read_jobs(database, ids)
    started = min((row.start_time for row in rows), default=datetime.now(timezone.utc))
    if subject.root is not None:
        started = subject.root.start_time
    seconds = _measure(subject, rows, started)
    made = [_make_job(row, started) for row in rows]
    jobs = order_jobs(made)
    tasks = {job.id: job.task for job in jobs}
    by_id = {row.id: row for row in rows}
    counted = totals.count_jobs(((job, tasks.get(job.parent_id or "")) for job in jobs), seconds)
    return Recorded(subject, started, seconds, [by_id[job.id] for job in jobs], jobs, counted, len(jobs))


def add_arguments(recorded: Recorded, lines: Sequence[JobLine]) -> Recorded:
    """Return the same with the arguments of jobs, given the lines of the jobs."""
    shown = {line.job.id: format_arguments(line.arguments or ()) for line in lines}
    return replace(recorded, jobs=[replace(job, arguments=shown.get(job.id, "")) for job in recorded.jobs])


def read_job_lines(database: Database, recorded: Recorded) -> Sequence[JobLine]:
    """Return the jobs with their arguments and tags, in order."""
    return read_lines(database, recorded.rows)


def _list_below(database: Database, root: JobRow) -> list[str]:
    """Return a job and all those below it.

    Raises
    ------
    RedunError
        When they are too many.
    """
    found, level = [root.id], [root.id]
    while level:
        level = [key for (key,) in islice(database.iterate_in(_BELOW, level), MAX_JOBS + 1)]
        found += level
        if len(found) > MAX_JOBS:
            raise RedunError(
                f"job {root.id[:8]} has more than {MAX_JOBS:,} jobs below it, too many to be drawn one by one: "
                f"draw its execution, grouped by task, with `redun viz {root.execution_id[:8]}`, or a job further down"
            )
    return found


def _make_job(row: JobRow, started: datetime) -> Job:
    return Job(
        row.id,
        row.parent_id,
        row.task_name,
        row.status,
        (row.start_time - started).total_seconds(),
        None if row.end_time is None else (row.end_time - started).total_seconds(),
    )


def _measure(subject: Subject, rows: Sequence[JobRow], started: datetime) -> float:
    """Return how long something took: until its end, until now, or as far as is known."""
    root = subject.root
    times = [time for row in rows for time in (row.start_time, row.end_time) if time is not None]
    if root is not None and root.end_time is not None:
        times.append(root.end_time)
    elif root is not None and root.status == "RUNNING":
        times.append(datetime.now(timezone.utc))
    return max(0.0, max(((time - started).total_seconds() for time in times), default=0.0))


def _read_many(database: Database, subject: Subject, count: int) -> Recorded:
    """Return what the jobs of a large execution come to, and the most interesting of them."""
    assert subject.root is not None
    failed_rows = list_failed_jobs(database, subject.execution.id, MAX_SHOWN)
    started = subject.root.start_time
    seconds = _measure(subject, [], started)
    longest: list[tuple[float, str]] = []

    def watch() -> Iterator[tuple[Job, str | None]]:
        for job, caller in _read_all(database, subject.execution.id, started):
            if job.status != "CACHED":
                item = (seconds - job.start if job.end is None else job.seconds, job.id)
                if len(longest) < MAX_SHOWN:
                    heapq.heappush(longest, item)
                else:
                    heapq.heappushpop(longest, item)
            yield job, caller

    counted = totals.count_jobs(watch(), seconds)
    ids = dict.fromkeys([subject.root.id, *(row.id for row in failed_rows), *(key for _, key in sorted(longest)[::-1])])
    rows = {row.id: row for row in read_jobs(database, list(ids))}
    jobs = order_jobs(_make_job(row, started) for row in rows.values())
    return Recorded(subject, started, seconds, [rows[job.id] for job in jobs], jobs, counted, count)


def _read_all(database: Database, execution_id: str, started: datetime) -> Iterator[tuple[Job, str | None]]:
    """Yield all jobs of an execution, each with the task of the job that made it."""
    failed = {key for (key,) in database.select(_FAILED_CALLS, ERROR_TYPE, _MAX_FAILED_CALLS)}
    is_lost = bool(find_lost(database, [execution_id]))
    names: dict[str, str] = {}

    def name(task_hash: str) -> str:
        if task_hash not in names:
            names[task_hash] = next((task.fullname for task in read_tasks(database, [task_hash])), task_hash[:8])
        return names[task_hash]

    for key, parent, task_hash, above, start, end, cached, call_hash in database.iterate(_ALL, execution_id):
        result_type = ERROR_TYPE if call_hash in failed else None
        status = decide_status(end is not None, call_hash is not None, bool(cached), result_type)
        ended = None if end is None else (parse_time(end) - started).total_seconds()
        began = (parse_time(start) - started).total_seconds()
        shown = "LOST" if status == "RUNNING" and is_lost else status
        yield Job(key, parent, name(task_hash), shown, began, ended), None if above is None else name(above)
