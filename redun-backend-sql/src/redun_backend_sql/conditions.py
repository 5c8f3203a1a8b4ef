"""Conditions on records of the call graph, for queries with SQLAlchemy.

Each is an expression on one table that looks into others by sub-queries: so conditions can be put together freely, and
no record is found twice.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, false, not_, or_, select, true, union
from sqlalchemy.orm import InstrumentedAttribute, Session

from redun.backends.base import ERROR_TYPE
from redun.tags import ANY_VALUE
from redun_backend_sql.models import Argument, CallNode, Execution, File, Job, Tag, Task, Value

Record = Execution | Job | CallNode | Task | Value | File
Condition = ColumnElement[bool]
Column = InstrumentedAttribute[Any]

JOB_STATUSES = ("RUNNING", "FAILED", "CACHED", "DONE")
EXECUTION_STATUSES = ("RUNNING", "FAILED", "DONE")

KEYS: Mapping[str, Column] = {
    "Execution": Execution.id,
    "Job": Job.id,
    "CallNode": CallNode.call_hash,
    "Task": Task.hash,
    "Value": Value.value_hash,
    "File": File.value_hash,
}
"""The types of records, by name, with the column of their id."""

_LAST_CHARACTER = "\U0010ffff"


def start_with(session: Session, column: Column, prefix: str) -> Condition:
    """Return the condition that a text starts with another one; it uses an index."""
    if session.get_bind().dialect.name == "sqlite":  # Its LIKE ignores case, and so uses no index.
        return and_(column >= prefix, column < prefix + _LAST_CHARACTER)
    return column.like(re.sub(r"([\\%_])", r"\\\1", prefix) + "%")


def match_pattern(session: Session, column: Column, pattern: str) -> Condition:
    """Return the condition that a text is like a pattern, in which ``*`` stands for any characters."""
    if "*" not in pattern:
        return column == pattern
    if session.get_bind().dialect.name == "sqlite":
        glob = column.op("GLOB", is_comparison=True)(re.sub(r"([\[?])", r"[\1]", pattern))
        prefix = pattern.partition("*")[0]
        return and_(start_with(session, column, prefix), glob) if prefix else glob
    return column.like(re.sub(r"([\\%_])", r"\\\1", pattern).replace("*", "%"))


def have_job_status(statuses: Collection[str]) -> Condition:
    """Return the condition that a job has one of some statuses."""
    failed_calls = select(CallNode.call_hash).join(Value, Value.value_hash == CallNode.value_hash)
    has_failed = Job.call_hash.in_(failed_calls.where(Value.type == ERROR_TYPE))
    has_ended, has_call = Job.end_time.is_not(None), Job.call_hash.is_not(None)
    succeeded = and_(has_ended, has_call, not_(has_failed))
    conditions = {
        "RUNNING": and_(not_(has_ended), not_(has_call)),
        "FAILED": or_(has_failed, and_(has_ended, not_(has_call))),
        "CACHED": and_(succeeded, Job.cached),
        "DONE": and_(succeeded, not_(Job.cached)),
    }
    return or_(false(), *(conditions[status] for status in check_statuses(statuses, JOB_STATUSES)))


def have_execution_status(statuses: Collection[str]) -> Condition:
    """Return the condition that an execution has one of some statuses; that of its root job, if it has one."""
    wanted = set(check_statuses(statuses, EXECUTION_STATUSES))
    of_root = wanted | ({"CACHED"} if "DONE" in wanted else set())
    condition = Execution.job_id.in_(select(Job.id).where(have_job_status(of_root)))
    return or_(condition, Execution.job_id.not_in(select(Job.id))) if "FAILED" in wanted else condition


def check_statuses(statuses: Iterable[str], known: Sequence[str]) -> Sequence[str]:
    """Return statuses in capitals.

    Raises
    ------
    ValueError
        When there is no such status.
    """
    wanted = [status.upper() for status in statuses]
    unknown = [status for status in wanted if status not in known]
    if unknown:
        raise ValueError(f"there is no status {unknown[0]!r}; use {', '.join(known)}")
    return wanted


def belong_to(executions: Select[Any]) -> Mapping[str, Condition]:
    """Return the conditions, by type, that records belong to some executions, given by a query for their ids."""
    return {"Execution": Execution.id.in_(executions), **_come_from_jobs(Job.execution_id.in_(executions))}


def begin_between(since: datetime | None, until: datetime | None) -> Mapping[str, Condition]:
    """Return the conditions, by type, that executions and jobs began in a period, or that records come from such jobs.

    Parameters
    ----------
    since, until
        The beginning of the period, and its end, which is not part of it; None for no bound.
    """
    bounds = [] if since is None else [Job.start_time >= since]
    jobs = and_(true(), *bounds, *([] if until is None else [Job.start_time < until]))
    return {"Execution": Execution.job_id.in_(select(Job.id).where(jobs)), **_come_from_jobs(jobs)}


def _come_from_jobs(jobs: Condition) -> Mapping[str, Condition]:
    """Return the conditions, by type, that records are jobs with a condition, or what their calls are made of."""
    calls = select(CallNode.call_hash).where(CallNode.call_hash.in_(select(Job.call_hash).where(jobs)))
    values = union(
        select(CallNode.value_hash).where(CallNode.call_hash.in_(calls)),
        select(Argument.value_hash).where(Argument.call_hash.in_(calls)),
    )
    return {
        "Job": jobs,
        "CallNode": CallNode.call_hash.in_(calls),
        "Task": Task.hash.in_(select(Job.task_hash).where(jobs)),
        "Value": Value.value_hash.in_(values),
        "File": File.value_hash.in_(values),
    }


def be_of_tasks(tasks: Select[Any]) -> Mapping[str, Condition]:
    """Return the conditions, by type, that records are of some tasks, given by a query for their hashes."""
    return {
        "Execution": Execution.job_id.in_(select(Job.id).where(Job.task_hash.in_(tasks))),
        "Job": Job.task_hash.in_(tasks),
        "CallNode": CallNode.task_hash.in_(tasks),
        "Task": Task.hash.in_(tasks),
    }


def name_tasks(session: Session, names: Iterable[str]) -> Select[Any]:
    """Return a query for the hashes of tasks with some names, with or without namespace, perhaps with ``*``."""
    conditions = []
    for fullname in names:
        namespace, dot, name = fullname.rpartition(".")
        own = match_pattern(session, Task.name, name)
        conditions.append(and_(own, match_pattern(session, Task.namespace, namespace)) if dot else own)
    return select(Task.hash).where(or_(false(), *conditions))


def come_from_calls(condition: Condition) -> Mapping[str, Condition]:
    """Return the conditions, by type, that records are calls with a condition, or jobs that came to them."""
    return {
        "Job": Job.call_hash.in_(select(CallNode.call_hash).where(condition)),
        "CallNode": condition,
    }


def have_tag(kind: str, key: str, value: Any) -> Condition:
    """Return the condition that a record of a type has a current tag.

    Parameters
    ----------
    kind
        The type.
    key, value
        The tag; for any value, `redun.tags.ANY_VALUE`.
    """
    tagged = select(Tag.entity_id).where(Tag.entity_type == kind, Tag.key == key, Tag.is_current)
    return KEYS[kind].in_(tagged if value is ANY_VALUE else tagged.where(Tag.value == value))
