"""Executions and their jobs: what happened, and when."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import ForeignKey, select
from sqlalchemy.orm import Mapped, mapped_column, relationship

from redun.tags import CONTEXT_KEY
from redun_backend_sql.models.base import SHORT, Base, UtcDateTime, backend_of, hash_key, session_of
from redun_backend_sql.models.calls import CallNode, Task
from redun_backend_sql.models.tags import Tag
from redun_backend_sql.models.values import Value
from redun_backend_sql.owners import find_lost
from redun_backend_sql.records import decide_execution_status, decide_status

if TYPE_CHECKING:
    from collections.abc import Sequence


class Job(Base):
    """One call as it happened in one execution."""

    __tablename__ = "job"

    id: Mapped[str] = mapped_column(primary_key=True)
    start_time: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    end_time: Mapped[datetime | None] = mapped_column(UtcDateTime, index=True)
    task_hash: Mapped[str] = hash_key("task.hash", index=True)
    cached: Mapped[bool]
    call_hash: Mapped[str | None] = hash_key("call_node.call_hash", index=True)
    parent_id: Mapped[str | None] = mapped_column(ForeignKey("job.id"), index=True)
    execution_id: Mapped[str] = mapped_column(
        ForeignKey("execution.id", deferrable=True, initially="DEFERRED"), index=True
    )

    task: Mapped[Task] = relationship(back_populates="jobs", viewonly=True)
    call_node: Mapped[CallNode | None] = relationship(back_populates="jobs", viewonly=True)
    parent_job: Mapped[Job | None] = relationship(remote_side="Job.id", back_populates="child_jobs", viewonly=True)
    child_jobs: Mapped[list[Job]] = relationship(
        back_populates="parent_job", order_by="Job.start_time, Job.id", viewonly=True
    )
    execution: Mapped[Execution] = relationship(
        back_populates="jobs",
        foreign_keys=[execution_id],
        primaryjoin="Job.execution_id == Execution.id",
        viewonly=True,
    )
    tags: Mapped[list[Tag]] = relationship(
        primaryjoin="and_(foreign(Tag.entity_id) == Job.id, Tag.entity_type == 'Job', Tag.is_current)",
        order_by="Tag.key",
        viewonly=True,
    )

    @property
    def status(self) -> str:
        """``RUNNING``, ``LOST``, ``FAILED``, ``CACHED`` or ``DONE``; lost is what no living process runs any more."""
        result_type = None if self.call_node is None else self.call_node.value.type
        status = decide_status(self.end_time is not None, self.call_hash is not None, self.cached, result_type)
        backend = backend_of(self) if status == "RUNNING" else None
        return "LOST" if backend is not None and find_lost(backend.database, [self.execution_id]) else status

    @property
    def duration(self) -> timedelta | None:
        """How long it took; None while it runs."""
        return None if self.end_time is None else self.end_time - self.start_time

    @property
    def context(self) -> Mapping[str, Any]:
        """The values that its call could look up; reading them unpickles. Of several contexts, one of them."""
        statement = (
            select(Tag)
            .where(
                Tag.entity_id == self.call_hash,
                Tag.entity_type == "CallNode",
                Tag.key == CONTEXT_KEY,
                Tag.is_current,
            )
            .order_by(Tag.tag_hash)
            .limit(1)
        )
        tag = session_of(self).scalars(statement).first()
        value = None if tag is None else session_of(self).get(Value, tag.value)
        return {} if value is None else value.value_parsed

    def __repr__(self) -> str:
        start = self.start_time.astimezone().strftime("%Y-%m-%d %H:%M:%S")
        return f"Job(id='{self.id[:SHORT]}', start_time='{start}', task_name={self.task.fullname!r})"


class Execution(Base):
    """One run of a workflow."""

    __tablename__ = "execution"

    id: Mapped[str] = mapped_column(primary_key=True)
    args: Mapped[str]
    job_id: Mapped[str] = mapped_column(ForeignKey("job.id"), index=True)
    updated_time: Mapped[datetime | None] = mapped_column(UtcDateTime)

    job: Mapped[Job | None] = relationship(foreign_keys=[job_id], viewonly=True)
    jobs: Mapped[list[Job]] = relationship(
        back_populates="execution",
        foreign_keys=[Job.execution_id],
        primaryjoin="Job.execution_id == Execution.id",
        order_by="Job.start_time, Job.id",
        viewonly=True,
    )
    tags: Mapped[list[Tag]] = relationship(
        primaryjoin="and_(foreign(Tag.entity_id) == Execution.id, Tag.entity_type == 'Execution', Tag.is_current)",
        order_by="Tag.key",
        viewonly=True,
    )

    @property
    def call_node(self) -> CallNode | None:
        """The call that its root job came to."""
        return None if self.job is None else self.job.call_node

    @property
    def task(self) -> Task | None:
        """The task of its root job."""
        return None if self.job is None else self.job.task

    @property
    def status(self) -> str:
        """``RUNNING``, ``LOST``, ``FAILED`` or ``DONE``."""
        return decide_execution_status(None if self.job is None else self.job.status)

    def __repr__(self) -> str:
        words: Sequence[str] = json.loads(self.args)[1:]
        return f"Execution(id='{self.id[:SHORT]}', args={' '.join(words)!r})"


class RedunVersion(Base):
    """A major version of the schema that the database has or had."""

    __tablename__ = "redun_version"

    id: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int]
    timestamp: Mapped[datetime] = mapped_column(UtcDateTime)
