"""The tables as classes, for queries.

Imported only where something is queried: recording and looking up work on rows. The classes and relations are those
that users of the call graph know: an `Execution` has a root `Job`; a job came to a `CallNode`; a call node has a
`Task`, `Argument` objects, a result `Value`, and children.
"""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any, NamedTuple

from sqlalchemy import Dialect, ForeignKey, String, column, select, table
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, object_session, relationship
from sqlalchemy.types import DateTime, TypeDecorator

from redun.values.preview import preview, summarize
from redun_backend_sql.extension import VALUE_NOTE

ERROR_TYPE = "redun.ErrorValue"


class UtcDateTime(TypeDecorator[datetime]):
    """Points in time in UTC; SQLite keeps them without a zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return what the database gave with its zone."""
        if value is None or value.tzinfo is not None:
            return value
        return value.replace(tzinfo=timezone.utc)


class Base(DeclarativeBase):
    """Base of all tables."""

    def __repr__(self) -> str:
        keys = ", ".join(f"{column.name}={getattr(self, str(column.key))!r}" for column in self.__mapper__.primary_key)
        return f"{type(self).__name__}({keys})"


def _hash_key(target: str | None = None, **settings: Any) -> Mapped[str]:
    return mapped_column(String(40), *([ForeignKey(target)] if target else []), **settings)


HAS_NOTES = "has_notes"
"""What a session says in its `info` when the database has the table of notes."""

_NOTES = table(VALUE_NOTE.table, *map(column, VALUE_NOTE.columns))


class _Note(NamedTuple):
    size: int
    preview: str
    dropped: float | None


class Value(Base):
    """A value that was an argument or a result, as bytes."""

    __tablename__ = "value"

    value_hash: Mapped[str] = _hash_key(primary_key=True)
    type: Mapped[str] = mapped_column(index=True)
    format: Mapped[str] = mapped_column(String(100))
    value: Mapped[bytes]

    file: Mapped[File | None] = relationship(back_populates="value", viewonly=True)
    parents: Mapped[list[Value]] = relationship(
        secondary="subvalue",
        primaryjoin="Value.value_hash == Subvalue.value_hash",
        secondaryjoin="Value.value_hash == Subvalue.parent_value_hash",
        viewonly=True,
    )

    @property
    def preview(self) -> str:
        """The value on one line, read without running any code in it; from its note if the bytes are not in the row."""
        if self.value:
            return preview(self.type, self.format, self.value, value_hash=self.value_hash)
        note = self._note
        return note.preview if note is not None else summarize(self.type, self.value_hash)

    @property
    def in_value_store(self) -> bool:
        """Whether the bytes are in the value store."""
        note = self._note
        return not self.value and (note is None or (note.dropped is None and note.size > 0))

    @property
    def dropped(self) -> datetime | None:
        """When the bytes were dropped to save room; None if they were not."""
        note = self._note
        return datetime.fromtimestamp(note.dropped, timezone.utc) if note is not None and note.dropped else None

    @property
    def _note(self) -> _Note | None:
        """What is known of the value if its bytes are not in its row."""
        session = None if self.value else object_session(self)
        if session is None or not session.info.get(HAS_NOTES):
            return None
        statement = select(_NOTES.c.size, _NOTES.c.preview, _NOTES.c.dropped)
        row = session.execute(statement.where(_NOTES.c.value_hash == self.value_hash)).first()
        return None if row is None else _Note(*row)


class Subvalue(Base):
    """That a value is inside another one."""

    __tablename__ = "subvalue"

    value_hash: Mapped[str] = _hash_key("value.value_hash", primary_key=True, index=True)
    parent_value_hash: Mapped[str] = _hash_key("value.value_hash", primary_key=True, index=True)


class File(Base):
    """The path of a value that is a file or a directory."""

    __tablename__ = "file"

    value_hash: Mapped[str] = _hash_key("value.value_hash", primary_key=True)
    path: Mapped[str] = mapped_column(String(1024), index=True)

    value: Mapped[Value] = relationship(back_populates="file")


class Task(Base):
    """A definition of a task."""

    __tablename__ = "task"

    hash: Mapped[str] = _hash_key(primary_key=True)
    name: Mapped[str]
    namespace: Mapped[str]
    source: Mapped[str]

    @property
    def fullname(self) -> str:
        """The namespace and name, joined by a dot."""
        return f"{self.namespace}.{self.name}" if self.namespace else self.name


class CallNode(Base):
    """A finished call of a task."""

    __tablename__ = "call_node"

    call_hash: Mapped[str] = _hash_key(primary_key=True)
    task_name: Mapped[str] = mapped_column(String(1024))
    task_hash: Mapped[str] = _hash_key("task.hash", index=True)
    args_hash: Mapped[str] = _hash_key()
    value_hash: Mapped[str] = _hash_key("value.value_hash", index=True)
    timestamp: Mapped[datetime] = mapped_column(UtcDateTime)

    task: Mapped[Task] = relationship()
    value: Mapped[Value] = relationship()
    arguments: Mapped[list[Argument]] = relationship(
        back_populates="call_node",
        order_by="(Argument.arg_position.is_(None), Argument.arg_position, Argument.arg_key)",
    )
    jobs: Mapped[list[Job]] = relationship(back_populates="call_node", order_by="Job.start_time")


class CallEdge(Base):
    """That a call was made below another one."""

    __tablename__ = "call_edge"

    parent_id: Mapped[str] = _hash_key("call_node.call_hash", primary_key=True, index=True)
    child_id: Mapped[str] = _hash_key("call_node.call_hash", primary_key=True, index=True)
    call_order: Mapped[int] = mapped_column(primary_key=True)


class Argument(Base):
    """An argument of a call, by position or by name."""

    __tablename__ = "argument"

    arg_hash: Mapped[str] = _hash_key(primary_key=True)
    call_hash: Mapped[str] = _hash_key("call_node.call_hash", index=True)
    value_hash: Mapped[str] = _hash_key("value.value_hash", index=True)
    arg_position: Mapped[int | None]
    arg_key: Mapped[str | None] = mapped_column(String(100))

    call_node: Mapped[CallNode] = relationship(back_populates="arguments")
    value: Mapped[Value] = relationship()


class ArgumentResult(Base):
    """That an argument came from the result of a call."""

    __tablename__ = "argument_result"

    arg_hash: Mapped[str] = _hash_key("argument.arg_hash", primary_key=True, index=True)
    result_call_hash: Mapped[str] = _hash_key("call_node.call_hash", primary_key=True, index=True)


class Evaluation(Base):
    """The cache: what a call's task returned."""

    __tablename__ = "evaluation"

    eval_hash: Mapped[str] = _hash_key(primary_key=True)
    task_hash: Mapped[str] = _hash_key("task.hash", index=True)
    args_hash: Mapped[str] = _hash_key()
    value_hash: Mapped[str] = _hash_key("value.value_hash", index=True)


class CallSubtreeTask(Base):
    """That a task was called in the call graph below a call."""

    __tablename__ = "call_subtree_task"

    call_hash: Mapped[str] = _hash_key("call_node.call_hash", primary_key=True, index=True)
    task_hash: Mapped[str] = _hash_key("task.hash", primary_key=True, index=True)


class Job(Base):
    """One call as it happened in one execution."""

    __tablename__ = "job"

    id: Mapped[str] = mapped_column(primary_key=True)
    start_time: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    end_time: Mapped[datetime | None] = mapped_column(UtcDateTime, index=True)
    task_hash: Mapped[str] = _hash_key("task.hash", index=True)
    cached: Mapped[bool]
    call_hash: Mapped[str | None] = _hash_key("call_node.call_hash", index=True)
    parent_id: Mapped[str | None] = mapped_column(ForeignKey("job.id"), index=True)
    execution_id: Mapped[str] = mapped_column(
        ForeignKey("execution.id", deferrable=True, initially="DEFERRED"), index=True
    )

    task: Mapped[Task] = relationship()
    call_node: Mapped[CallNode | None] = relationship(back_populates="jobs")
    parent_job: Mapped[Job | None] = relationship(remote_side="Job.id", back_populates="child_jobs")
    child_jobs: Mapped[list[Job]] = relationship(back_populates="parent_job", order_by="Job.start_time")
    execution: Mapped[Execution] = relationship(
        back_populates="jobs", foreign_keys=[execution_id], primaryjoin="Job.execution_id == Execution.id"
    )

    @property
    def status(self) -> str:
        """``RUNNING``, ``FAILED``, ``CACHED`` or ``DONE``."""
        if self.call_node is not None and self.call_node.value.type == ERROR_TYPE:
            return "FAILED"
        if self.end_time is None:
            return "RUNNING"
        if self.call_hash is None:
            return "FAILED"
        return "CACHED" if self.cached else "DONE"


class Execution(Base):
    """One run of a workflow."""

    __tablename__ = "execution"

    id: Mapped[str] = mapped_column(primary_key=True)
    args: Mapped[str]
    job_id: Mapped[str] = mapped_column(ForeignKey("job.id"), index=True)
    updated_time: Mapped[datetime | None] = mapped_column(UtcDateTime)

    job: Mapped[Job | None] = relationship(foreign_keys=[job_id])
    jobs: Mapped[list[Job]] = relationship(
        back_populates="execution", foreign_keys=[Job.execution_id], primaryjoin="Job.execution_id == Execution.id"
    )
