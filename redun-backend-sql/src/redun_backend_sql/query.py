"""Questions to the call graph: what happened, and where a file comes from."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from sqlalchemy import CompoundSelect, func, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session, aliased, joinedload, selectinload

from redun_backend_sql.backend import SqlBackend
from redun_backend_sql.models import (
    HAS_NOTES,
    Argument,
    CallEdge,
    CallNode,
    Execution,
    File,
    Job,
    Subvalue,
    Task,
    Value,
)

MIN_PREFIX = 2
_Record = Execution | Job | CallNode | Task | Value


class FileUse(NamedTuple):
    """That a job made a file or read it.

    Attributes
    ----------
    path
        The path.
    value_hash
        The address of the file's state at that time.
    job
        The job.
    is_producer
        Whether the job made the file; otherwise it read it.
    """

    path: str
    value_hash: str
    job: Job
    is_producer: bool


@contextmanager
def open_session(backend: SqlBackend) -> Iterator[Session]:
    """Open a session for queries on a store that is loaded; what goes wrong inside is a `BackendError`."""
    database = backend.database
    info = {HAS_NOTES: backend.has_extension}
    with database.translating_errors(), Session(database.make_engine(), info=info) as session:
        try:
            yield session
        except DBAPIError as error:
            raise error.orig or error from None


def list_executions(session: Session, limit: int | None = None) -> Sequence[Execution]:
    """Return executions, newest first."""
    statement = (
        select(Execution)
        .outerjoin(Job, Execution.job_id == Job.id)
        .options(joinedload(Execution.job).joinedload(Job.call_node).joinedload(CallNode.value))
        .order_by(Job.start_time.desc(), Execution.id)
        .limit(limit)
    )
    return session.scalars(statement).all()


def list_jobs(session: Session, execution_id: str) -> Sequence[Job]:
    """Return all jobs of an execution, with what is shown of them, in the order in which they started."""
    statement = (
        select(Job)
        .where(Job.execution_id == execution_id)
        .options(
            joinedload(Job.task),
            joinedload(Job.call_node).options(
                joinedload(CallNode.value), selectinload(CallNode.arguments).joinedload(Argument.value)
            ),
        )
        .order_by(Job.start_time, Job.id)
    )
    return session.scalars(statement).all()


def count_statuses(jobs: Sequence[Job]) -> Counter[str]:
    """Return how many jobs have each status."""
    return Counter(job.status for job in jobs)


def find_records(session: Session, key: str) -> Sequence[_Record]:
    """Return what a user may mean by a key.

    Parameters
    ----------
    key
        ``-`` for the latest execution, ``~n`` for the one n before it, the start of an id or hash, or a task's name,
        with or without its namespace.
    """
    if key == "-" or (key.startswith("~") and key[1:].isdigit()):
        position = int(key[1:]) if key.startswith("~") else 0
        return list_executions(session, position + 1)[position:]
    found: list[_Record] = []
    if len(key) >= MIN_PREFIX:
        for column in (Execution.id, Job.id, CallNode.call_hash, Task.hash):
            found.extend(session.scalars(select(column.class_).where(column.startswith(key, autoescape=True))))
        if not found:
            found.extend(session.scalars(select(Value).where(Value.value_hash.startswith(key, autoescape=True))))
    namespace, dot, name = key.rpartition(".")
    named = [Task.name == name, *([Task.namespace == namespace] if dot else [])]
    found.extend(session.scalars(select(Task).where(*named).order_by(Task.namespace, Task.hash)))
    return found


def find_first_job(session: Session, task: Task) -> Job | None:
    """Return the first job of a task."""
    return session.scalars(select(Job).where(Job.task_hash == task.hash).order_by(Job.start_time).limit(1)).first()


def find_value_use(session: Session, value_hash: str) -> Job | None:
    """Return the latest job that made a value, or else that received it."""
    holders = _holders(value_hash)
    for statement in (
        select(Job).join(CallNode).where(CallNode.value_hash.in_(holders)),
        select(Job).join(CallNode).join(Argument).where(Argument.value_hash.in_(holders)),
    ):
        job = session.scalars(statement.order_by(Job.start_time.desc()).limit(1)).first()
        if job is not None:
            return job
    return None


def find_file(session: Session, path: str) -> FileUse | None:
    """Return the latest job that made a file, in whatever state; or else the latest that read it.

    A call that passed on what a call below it returned, or what it was given, did not make the file. The path is
    looked for as given, and as it may have been written relative to the working directory.
    """
    spellings = _spell(path)
    states = select(File.value_hash).where(File.path.in_(spellings))
    holders = states.union(select(Subvalue.parent_value_hash).where(Subvalue.value_hash.in_(states)))
    below = aliased(CallNode)
    from_below = (
        select(CallEdge.parent_id)
        .join(below, below.call_hash == CallEdge.child_id)
        .where(CallEdge.parent_id == CallNode.call_hash, below.value_hash.in_(holders))
    )
    was_given = select(Argument.arg_hash).where(
        Argument.call_hash == CallNode.call_hash, Argument.value_hash == CallNode.value_hash
    )
    made = (
        select(Job)
        .join(CallNode)
        .where(CallNode.value_hash.in_(holders), ~from_below.exists(), ~was_given.exists())
        .order_by(Job.cached)
    )
    read = select(Job).join(CallNode).join(Argument).where(Argument.value_hash.in_(holders))
    for statement, is_producer in ((made, True), (read, False)):
        job = session.scalars(statement.order_by(Job.start_time.desc(), Job.id).limit(1)).first()
        if job is not None:
            state = _state_in(session, job, path, spellings, is_producer)
            return FileUse(path, state, job, is_producer)
    return None


def _spell(path: str) -> set[str]:
    """Return the ways in which a workflow may have written a path."""
    spellings = {path, os.path.normpath(path)}
    if "://" not in path:
        relative, absolute = os.path.relpath(path), os.path.abspath(path)
        spellings |= {relative, f"./{relative}", absolute, f"file://{absolute}"}
    return spellings


def _holders(value_hash: str) -> CompoundSelect[Any]:
    return (
        select(Value.value_hash)
        .where(Value.value_hash == value_hash)
        .union(select(Subvalue.parent_value_hash).where(Subvalue.value_hash == value_hash))
    )


def _state_in(session: Session, job: Job, path: str, spellings: set[str], is_producer: bool) -> str:
    call_node = job.call_node
    assert call_node is not None
    holders = [call_node.value_hash] if is_producer else [argument.value_hash for argument in call_node.arguments]
    inside = select(Subvalue.value_hash).where(Subvalue.parent_value_hash.in_(holders))
    statement = select(File.value_hash).where(
        File.path.in_(spellings), File.value_hash.in_(holders) | File.value_hash.in_(inside)
    )
    state = session.scalars(statement.limit(1)).first()
    assert state is not None, f"{path} is recorded with the job"
    return state


def count_jobs(session: Session, execution_id: str) -> int:
    """Return how many jobs an execution has."""
    return session.scalar(select(func.count()).select_from(Job).where(Job.execution_id == execution_id)) or 0
