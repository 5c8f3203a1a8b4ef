"""An execution with its jobs: counted by task and status, and as a tree or a list."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

from redun.backends.base import ERROR_TYPE
from redun_backend_sql.database import Database
from redun_backend_sql.jobs import SMALL_EXECUTION, TreeItem, count_statuses, list_failed_jobs, walk_tree
from redun_backend_sql.query import find_tasks
from redun_backend_sql.records import (
    ExecutionRow,
    JobLine,
    Tags,
    decide_status,
    join_name,
    read_executions,
    read_jobs,
    read_lines,
    read_tags,
)
from redun_console.reader import Store
from redun_console.routes import ExecutionRoute
from redun_console.views.listing import PAGE, Listing, chunk, cut_page, offset, take_page

STATUSES = ("RUNNING", "FAILED", "CACHED", "DONE")
MAX_COUNTED_BY_TASK = 20_000
"""Up to how many jobs are counted by task."""

_MAX_WALKED = 10_000
_MAX_SHOWN_CHILDREN = 20

_BY_TASK = (
    "SELECT task.namespace, task.name, job.end_time IS NOT NULL, job.call_hash IS NOT NULL, job.cached, value.type, "
    "count(*) FROM job LEFT JOIN task ON task.hash = job.task_hash "
    "LEFT JOIN call_node ON call_node.call_hash = job.call_hash "
    "LEFT JOIN value ON value.value_hash = call_node.value_hash "
    "WHERE job.execution_id = ? GROUP BY 1, 2, 3, 4, 5, 6"
)
_FLAT = (
    "SELECT job.id FROM job LEFT JOIN call_node ON call_node.call_hash = job.call_hash "
    "LEFT JOIN value ON value.value_hash = call_node.value_hash "
    "WHERE job.execution_id = ?{conditions} ORDER BY job.{order} LIMIT ? OFFSET ?"
)
_RUNNING = (
    "SELECT id FROM job WHERE end_time IS NULL AND (execution_id || '') = ? ORDER BY start_time, id LIMIT ? OFFSET ?"
)
_CHILDREN = "SELECT id FROM job WHERE parent_id = ? ORDER BY {order} LIMIT ? OFFSET ?"
_FAILS = f"coalesce(value.type, '') = '{ERROR_TYPE}'"
_CONDITIONS: Mapping[str, str] = {
    "RUNNING": f"(job.end_time IS NULL AND NOT {_FAILS})",
    "FAILED": f"({_FAILS} OR (job.end_time IS NOT NULL AND job.call_hash IS NULL))",
    "CACHED": f"(job.end_time IS NOT NULL AND job.call_hash IS NOT NULL AND job.cached AND NOT {_FAILS})",
    "DONE": f"(job.end_time IS NOT NULL AND job.call_hash IS NOT NULL AND NOT job.cached AND NOT {_FAILS})",
}


class TaskCount(NamedTuple):
    """How many jobs of a task have each status."""

    fullname: str
    counts: Mapping[str, int]


class JobItem(NamedTuple):
    """A job at a level of the tree, or how many jobs below one are not shown.

    Attributes
    ----------
    depth
        How many jobs are above it.
    line
        The job; None where jobs are left out.
    left_out, parent_id
        How many they are, and the job that they are below.
    """

    depth: int
    line: JobLine | None
    left_out: int = 0
    parent_id: str = ""


@dataclass(frozen=True)
class ExecutionView:
    """An execution with a page of its jobs.

    Attributes
    ----------
    counts
        How many of its jobs have each status.
    tasks
        The same by task; None when there are too many jobs to count them like that.
    focus
        The job that the page is about, if it is not about all.
    jobs
        The page.
    """

    execution: ExecutionRow
    tags: Tags
    counts: Mapping[str, int]
    tasks: Sequence[TaskCount] | None
    focus: JobLine | None
    jobs: Listing[JobItem]


def load_execution(store: Store, route: ExecutionRoute) -> ExecutionView | None:
    """Return an execution with a page of its jobs; None when there is no such execution."""
    database = store.database
    executions = read_executions(database, [route.key])
    if not executions:
        return None
    [execution] = executions
    counts = count_statuses(database, execution.id)
    if execution.status == "LOST":
        counts = {"LOST" if status == "RUNNING" else status: count for status, count in counts.items()}
    total = sum(counts.values())
    focus = read_lines(database, read_jobs(database, [route.job] if route.job else []))
    return ExecutionView(
        execution,
        read_tags(database, [execution.id]).get(execution.id, ()),
        counts,
        _count_by_task(database, execution.id) if total <= MAX_COUNTED_BY_TASK else None,
        focus[0] if focus else None,
        _load_jobs(database, execution, route, total),
    )


def _count_by_task(database: Database, execution_id: str) -> Sequence[TaskCount]:
    found: dict[str, dict[str, int]] = {}
    for namespace, name, has_ended, has_call, cached, result_type, count in database.select(_BY_TASK, execution_id):
        counts = found.setdefault(join_name(namespace or "", name or "?"), dict.fromkeys(STATUSES, 0))
        counts[decide_status(bool(has_ended), bool(has_call), bool(cached), result_type)] += count
    return [TaskCount(name, counts) for name, counts in sorted(found.items(), key=lambda item: _rank(*item))]


def _rank(name: str, counts: Mapping[str, int]) -> tuple[bool, int, str]:
    return not counts["FAILED"], -sum(counts.values()), name


def _load_jobs(database: Database, execution: ExecutionRow, route: ExecutionRoute, total: int) -> Listing[JobItem]:
    is_filtered = bool(route.status or route.task)
    if route.job and route.children:
        return _read_flat(database, _list_children(database, route))
    if route.job and is_filtered:
        walked = islice(walk_tree(database, route.job), _MAX_WALKED)
        return take_page(_filter(database, walked, route), route.page)
    if is_filtered:
        return _read_flat(database, _list_filtered(database, execution.id, route))
    root = route.job or (execution.root.id if execution.root is not None else "")
    if not root:
        return Listing()
    items = walk_tree(database, root, _MAX_SHOWN_CHILDREN if total > SMALL_EXECUTION else None)
    page = take_page(_with_parents(items), route.page)
    return Listing(_read_items(database, page.items), page.has_more)


def _list_children(database: Database, route: ExecutionRoute) -> Sequence[str]:
    statement = _CHILDREN.format(order=database.row_order)
    return [key for (key,) in database.select(statement, route.job, PAGE + 1, offset(route.page))]


def _list_filtered(database: Database, execution_id: str, route: ExecutionRoute) -> Sequence[str]:
    """Return the jobs of a page of an execution that have some status or are of some task.

    Those that failed or run are few, mostly, and found without looking at all others.
    """
    before = offset(route.page)
    if route.status == ("FAILED",) and not route.task:
        failed = list_failed_jobs(database, execution_id, before + PAGE + 1)
        return [job.id for job in failed[before:]]
    if route.status == ("RUNNING",) and not route.task:
        return [key for (key,) in database.select(_RUNNING, execution_id, PAGE + 1, before)]
    conditions, parameters = "", [execution_id]
    if route.status:
        conditions += f" AND ({' OR '.join(_CONDITIONS[status] for status in route.status)})"
    if route.task:
        hashes = _list_definitions(database, route)
        conditions += f" AND job.task_hash IN ({','.join('?' * len(hashes)) or 'NULL'})"
        parameters += hashes
    statement = _FLAT.format(conditions=conditions, order=database.row_order)
    return [key for (key,) in database.select(statement, *parameters, PAGE + 1, before)]


def _list_definitions(database: Database, route: ExecutionRoute) -> list[str]:
    return [task.hash for name in route.task for task in find_tasks(database, name)]


def _read_flat(database: Database, ids: Sequence[str]) -> Listing[JobItem]:
    page = cut_page(ids)
    return Listing([JobItem(0, line) for line in read_lines(database, read_jobs(database, page.items))], page.has_more)


def _filter(database: Database, items: Iterable[TreeItem], route: ExecutionRoute) -> Iterator[JobItem]:
    """Yield the jobs of a part of the tree that have some status and are of some task."""
    hashes = set(_list_definitions(database, route))
    for some in chunk((item.job_id for item in items if item.job_id is not None), PAGE):
        jobs = [
            job
            for job in read_jobs(database, some)
            if (not route.status or ("RUNNING" if job.status == "LOST" else job.status) in route.status)
            and (not route.task or job.task_hash in hashes)
        ]
        yield from (JobItem(0, line) for line in read_lines(database, jobs))


def _with_parents(items: Iterable[TreeItem]) -> Iterator[tuple[TreeItem, str]]:
    """Yield the items of a tree, each with the job above it."""
    path: list[str] = []
    for item in items:
        del path[item.depth :]
        yield item, path[-1] if path else ""
        path.append(item.job_id or "")


def _read_items(database: Database, items: Sequence[tuple[TreeItem, str]]) -> Sequence[JobItem]:
    jobs = read_jobs(database, [item.job_id for item, _ in items if item.job_id is not None])
    lines = {line.job.id: line for line in read_lines(database, jobs)}
    return [
        JobItem(item.depth, lines.get(item.job_id or ""), item.left_out, parent)
        for item, parent in items
        if item.job_id is None or item.job_id in lines
    ]
