"""A job: its call with arguments and result, its task, why it ran, and the jobs around it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

from redun_backend_sql.database import Database
from redun_backend_sql.display import describe_error
from redun_backend_sql.jobs import list_ancestors
from redun_backend_sql.parameters import parse_parameters
from redun_backend_sql.records import (
    CallRow,
    JobLine,
    JobRow,
    Tags,
    TaskRow,
    ValueRow,
    read_arguments,
    read_calls,
    read_jobs,
    read_lines,
    read_tags,
    read_tasks,
    read_values,
    value_of,
)
from redun_backend_sql.why import explain_job
from redun_console.reader import Store
from redun_console.routes import JobRoute
from redun_console.views.listing import Listing, cut_page

MAX_CHILDREN = 20
"""How many of the jobs below one are listed with it."""

_MAX_ANCESTORS = 5
_MAX_ERROR_LINES = 200
_CHILDREN = "SELECT id FROM job WHERE parent_id = ? ORDER BY {order} LIMIT ?"


class NamedValue(NamedTuple):
    """An argument, by the name of the parameter."""

    name: str
    value: ValueRow


@dataclass(frozen=True)
class JobView:
    """A job with what belongs to it.

    Attributes
    ----------
    ancestors, has_more_ancestors
        The jobs above it, the nearest first, and whether there are more.
    call, arguments, result
        What it called with what, and what came of it; None as long as it has no call.
    call_tags
        The tags of the call.
    error
        The lines that show the error, if it failed.
    task
        Its task.
    reason
        The lines that say why it ran, or did not have to; none if that was not asked for.
    children
        The first of the jobs below it.
    """

    line: JobLine
    ancestors: Sequence[JobRow]
    has_more_ancestors: bool
    call: CallRow | None
    call_tags: Tags
    arguments: Sequence[NamedValue]
    result: ValueRow | None
    error: Sequence[str]
    task: TaskRow | None
    reason: Sequence[str]
    children: Listing[JobLine]


def load_job(store: Store, route: JobRoute) -> JobView | None:
    """Return a job with what belongs to it; None when there is no such job."""
    database = store.database
    lines = read_lines(database, read_jobs(database, [route.key]))
    if not lines:
        return None
    [line] = lines
    job = line.job
    ancestors, has_more = list_ancestors(database, job, _MAX_ANCESTORS)
    call = next(iter(read_calls(database, [job.call_hash] if job.call_hash else [])), None)
    task = next(iter(read_tasks(database, [job.task_hash])), None)
    result = None
    if call is not None:
        result = value_of(read_values(database, [call.value_hash]), call.value_hash)
    return JobView(
        line,
        ancestors,
        has_more,
        call,
        () if call is None else read_tags(database, [call.call_hash]).get(call.call_hash, ()),
        [] if call is None else _name_arguments(database, call, task),
        result,
        list(islice(describe_error(result), _MAX_ERROR_LINES)) if result and job.status == "FAILED" else [],
        task,
        list(islice(explain_job(database, job), 1, _MAX_ERROR_LINES)) if route.why else [],
        _list_children(database, job),
    )


def _name_arguments(database: Database, call: CallRow, task: TaskRow | None) -> Sequence[NamedValue]:
    parameters = parse_parameters("" if task is None else task.source)
    return [
        NamedValue(
            parameters.name_position(argument.position or 0) if argument.key is None else argument.key, argument.value
        )
        for argument in read_arguments(database, [call.call_hash])[call.call_hash]
    ]


def _list_children(database: Database, job: JobRow) -> Listing[JobLine]:
    rows = database.select(_CHILDREN.format(order=database.row_order), job.id, MAX_CHILDREN + 1)
    page = cut_page([key for (key,) in rows], MAX_CHILDREN)
    return Listing(read_lines(database, read_jobs(database, page.items)), page.has_more)
