"""The jobs of an execution: how many came to what, the tree of them, and those above one.

An execution may have a million jobs, or be a million levels deep. So the tree is walked without recursion and given
out item by item, a job with very many below it shows the first ones, and counting looks at jobs by index only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from redun.backends.base import ERROR_TYPE
from redun_backend_sql.database import Database
from redun_backend_sql.query import count_jobs
from redun_backend_sql.records import JobRow, decide_status, read_jobs

SMALL_EXECUTION = 1_000
"""How many jobs an execution may have to be shown and counted job by job."""

MAX_COUNTED = 500_000
"""Up to how many jobs those answered from the cache are told from those that ran."""

_MAX_FAILED_CALLS = 50_000
_SORTED_CHILDREN = 1_000

_BY_JOB = (
    "SELECT job.end_time IS NOT NULL, job.call_hash IS NOT NULL, job.cached, value.type, count(*) FROM job "
    "LEFT JOIN call_node ON call_node.call_hash = job.call_hash "
    "LEFT JOIN value ON value.value_hash = call_node.value_hash "
    "WHERE job.execution_id = ? GROUP BY 1, 2, 3, 4"
)
_CACHED = "SELECT count(*) FROM job WHERE execution_id = ? AND cached"
# The concatenations keep a database from going through all jobs of the execution where another index leads to fewer.
_RUNNING = "SELECT count(*) FROM job WHERE end_time IS NULL AND (execution_id || '') = ?"
_WITHOUT_CALL = (
    "SELECT {wanted} FROM job WHERE call_hash IS NULL AND NOT (end_time IS NULL) AND (execution_id || '') = ?"
)
_FAILED = (
    "SELECT {wanted} FROM (SELECT call_node.call_hash AS failed_hash FROM value CROSS JOIN call_node "
    "WHERE value.type = ? AND call_node.value_hash = value.value_hash LIMIT ?) AS failed CROSS JOIN job "
    "WHERE job.call_hash = failed_hash AND (job.execution_id || '') = ?"
)
_CHILDREN = "SELECT id FROM job WHERE parent_id = ? ORDER BY start_time, id"
_COUNT_CHILDREN = "SELECT count(*) FROM job WHERE parent_id = ?"


class TreeItem(NamedTuple):
    """A job at a level of the tree, or how many jobs are not shown in that place.

    Attributes
    ----------
    depth
        How many jobs are above it.
    job_id
        The job; None where jobs are left out.
    left_out
        How many they are.
    """

    depth: int
    job_id: str | None
    left_out: int = 0


def count_statuses(database: Database, execution_id: str, exact: bool = False) -> Mapping[str, int]:
    """Return how many jobs of an execution have each status.

    Parameters
    ----------
    database
        The database.
    execution_id
        The execution.
    exact
        Whether to look at every job, however many there are. Otherwise, of an execution with more than `MAX_COUNTED`
        jobs, those answered from the cache and those that ran are counted together as ``"DONE or CACHED"``.
    """
    total = count_jobs(database, execution_id)
    if exact or total <= SMALL_EXECUTION:
        return _count_job_by_job(database, execution_id)
    counts = dict.fromkeys(("DONE", "CACHED", "FAILED", "RUNNING"), 0)
    failed = _FAILED.format(wanted="job.cached, count(*)") + " GROUP BY job.cached"
    failures = {
        bool(cached): int(count)
        for cached, count in database.select(failed, ERROR_TYPE, _MAX_FAILED_CALLS, execution_id)
    }
    [(without_call,)] = database.select(_WITHOUT_CALL.format(wanted="count(*)"), execution_id)
    [(counts["RUNNING"],)] = database.select(_RUNNING, execution_id)
    counts["FAILED"] = sum(failures.values()) + without_call
    finished = total - counts["FAILED"] - counts["RUNNING"]
    if total > MAX_COUNTED:
        return {"DONE or CACHED": finished, "FAILED": counts["FAILED"], "RUNNING": counts["RUNNING"]}
    [(cached,)] = database.select(_CACHED, execution_id)
    counts["CACHED"] = cached - failures.get(True, 0)
    counts["DONE"] = finished - counts["CACHED"]
    return counts


def _count_job_by_job(database: Database, execution_id: str) -> Mapping[str, int]:
    counts = dict.fromkeys(("DONE", "CACHED", "FAILED", "RUNNING"), 0)
    for has_ended, has_call, cached, result_type, count in database.select(_BY_JOB, execution_id):
        counts[decide_status(bool(has_ended), bool(has_call), bool(cached), result_type)] += count
    return counts


def list_failed_jobs(database: Database, execution_id: str, limit: int) -> Sequence[JobRow]:
    """Return failed jobs of an execution, those that failed first: of a failed job and the one above it, the former."""
    wanted = {"wanted": "job.end_time, job.id"}
    with_error = _FAILED.format(**wanted) + " ORDER BY job.end_time LIMIT ?"
    without_call = _WITHOUT_CALL.format(**wanted) + " ORDER BY job.end_time LIMIT ?"
    rows = [
        *database.select(with_error, ERROR_TYPE, _MAX_FAILED_CALLS, execution_id, limit),
        *database.select(without_call, execution_id, limit),
    ]
    return read_jobs(database, [key for _, key in sorted(rows)[:limit]])


def walk_tree(database: Database, root_id: str, max_children: int | None = None) -> Iterator[TreeItem]:
    """Yield a job and all jobs below it, each before those below it, in the order in which they started.

    Parameters
    ----------
    database
        The database.
    root_id
        The job.
    max_children
        How many jobs directly below one are shown; by default all.
    """
    stack = [TreeItem(0, root_id)]
    while stack:
        item = stack.pop()
        yield item
        if item.job_id is not None:
            children, left_out = _list_children(database, item.job_id, max_children)
            if left_out:
                stack.append(TreeItem(item.depth + 1, None, left_out))
            stack.extend(TreeItem(item.depth + 1, child) for child in reversed(children))


def _list_children(database: Database, job_id: str, limit: int | None) -> tuple[Sequence[str], int]:
    """Return the first of the jobs below one, and how many more there are.

    Of very many, the first are those that were recorded first, for sorting all of them takes too long.
    """
    if limit is None:
        return [key for (key,) in database.select(_CHILDREN, job_id)], 0
    rows = database.select_ordered("id, start_time", "job", "parent_id", job_id, _SORTED_CHILDREN + 1, newest=False)
    count = len(rows)
    if count > _SORTED_CHILDREN:
        [(count,)] = database.select(_COUNT_CHILDREN, job_id)
    else:
        rows = sorted(rows, key=lambda row: (row[1], row[0]))
    return [key for key, _ in rows[:limit]], max(0, count - limit)


def list_ancestors(database: Database, job: JobRow, limit: int) -> tuple[Sequence[JobRow], bool]:
    """Return the jobs above one, the nearest first, as many as asked for; and whether there are more."""
    ancestors: list[JobRow] = []
    while job.parent_id is not None:
        if len(ancestors) == limit:
            return ancestors, True
        parents = read_jobs(database, [job.parent_id])
        if not parents:
            break
        [job] = parents
        ancestors.append(job)
    return ancestors, False
