"""Tasks and calls of them: the call graph that outlives executions."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import String, select
from sqlalchemy.orm import Mapped, mapped_column, relationship

from redun.traceback import trim_string
from redun_backend_sql.models.base import SHORT, Base, UtcDateTime, hash_key, session_of
from redun_backend_sql.records import join_name

if TYPE_CHECKING:
    from redun_backend_sql.models.jobs import Job
    from redun_backend_sql.models.tags import Tag
    from redun_backend_sql.models.values import Value

_MAX_ARGUMENTS = 100


class Task(Base):
    """A definition of a task."""

    __tablename__ = "task"

    hash: Mapped[str] = hash_key(primary_key=True)
    name: Mapped[str]
    namespace: Mapped[str]
    source: Mapped[str]

    value: Mapped[Value | None] = relationship(
        primaryjoin="Task.hash == foreign(Value.value_hash)", uselist=False, viewonly=True
    )
    jobs: Mapped[list[Job]] = relationship(back_populates="task", order_by="Job.start_time", viewonly=True)
    call_nodes: Mapped[list[CallNode]] = relationship(
        back_populates="task", order_by="CallNode.timestamp", viewonly=True
    )
    tags: Mapped[list[Tag]] = relationship(
        primaryjoin="and_(foreign(Tag.entity_id) == Task.hash, Tag.entity_type == 'Task', Tag.is_current)",
        order_by="Tag.key",
        viewonly=True,
    )

    @property
    def fullname(self) -> str:
        """The namespace and name, joined by a dot."""
        return join_name(self.namespace, self.name)

    def show_source(self) -> None:
        """Print the source."""
        print(self.source)

    def __repr__(self) -> str:
        return f"Task(hash='{self.hash[:SHORT]}', name={self.fullname!r})"


class CallNode(Base):
    """A finished call of a task."""

    __tablename__ = "call_node"

    call_hash: Mapped[str] = hash_key(primary_key=True)
    task_name: Mapped[str] = mapped_column(String(1024))
    task_hash: Mapped[str] = hash_key("task.hash", index=True)
    args_hash: Mapped[str] = hash_key()
    value_hash: Mapped[str] = hash_key("value.value_hash", index=True)
    timestamp: Mapped[datetime] = mapped_column(UtcDateTime)

    task: Mapped[Task] = relationship(back_populates="call_nodes", viewonly=True)
    value: Mapped[Value] = relationship(back_populates="results", viewonly=True)
    arguments: Mapped[list[Argument]] = relationship(
        back_populates="call_node",
        order_by="(Argument.arg_position.is_(None), Argument.arg_position, Argument.arg_key)",
        viewonly=True,
    )
    jobs: Mapped[list[Job]] = relationship(back_populates="call_node", order_by="Job.start_time", viewonly=True)
    parents: Mapped[list[CallNode]] = relationship(
        secondary="call_edge",
        primaryjoin="CallNode.call_hash == CallEdge.child_id",
        secondaryjoin="CallNode.call_hash == CallEdge.parent_id",
        order_by="CallNode.timestamp",
        viewonly=True,
    )
    downstream: Mapped[list[Argument]] = relationship(
        secondary="argument_result", back_populates="upstream", viewonly=True
    )
    task_set: Mapped[set[Task]] = relationship(secondary="call_subtree_task", viewonly=True)
    tags: Mapped[list[Tag]] = relationship(
        primaryjoin="and_(foreign(Tag.entity_id) == CallNode.call_hash, Tag.entity_type == 'CallNode', Tag.is_current)",
        order_by="Tag.key",
        viewonly=True,
    )

    @property
    def children(self) -> Sequence[CallNode]:
        """The calls made below it, in the order in which they were made; one that was made twice is there twice."""
        below = select(CallNode).join(CallEdge, CallEdge.child_id == CallNode.call_hash)
        statement = below.where(CallEdge.parent_id == self.call_hash).order_by(CallEdge.call_order)
        return session_of(self).scalars(statement).all()

    @property
    def value_parsed(self) -> Any:
        """The result itself; reading it unpickles."""
        return self.value.value_parsed

    def __repr__(self) -> str:
        shown = trim_string(", ".join(argument.format() for argument in self.arguments), _MAX_ARGUMENTS)
        return f"CallNode(hash='{self.call_hash[:SHORT]}', task_name={self.task_name!r}, args=[{shown}])"


class CallEdge(Base):
    """That a call was made below another one."""

    __tablename__ = "call_edge"

    parent_id: Mapped[str] = hash_key("call_node.call_hash", primary_key=True, index=True)
    child_id: Mapped[str] = hash_key("call_node.call_hash", primary_key=True, index=True)
    call_order: Mapped[int] = mapped_column(primary_key=True)

    parent: Mapped[CallNode] = relationship(foreign_keys=[parent_id], viewonly=True)
    child: Mapped[CallNode] = relationship(foreign_keys=[child_id], viewonly=True)


class Argument(Base):
    """An argument of a call, by position or by name."""

    __tablename__ = "argument"

    arg_hash: Mapped[str] = hash_key(primary_key=True)
    call_hash: Mapped[str] = hash_key("call_node.call_hash", index=True)
    value_hash: Mapped[str] = hash_key("value.value_hash", index=True)
    arg_position: Mapped[int | None]
    arg_key: Mapped[str | None] = mapped_column(String(100))

    call_node: Mapped[CallNode] = relationship(back_populates="arguments", viewonly=True)
    value: Mapped[Value] = relationship(back_populates="arguments", viewonly=True)
    upstream: Mapped[list[CallNode]] = relationship(
        secondary="argument_result", back_populates="downstream", viewonly=True
    )

    @property
    def value_parsed(self) -> Any:
        """The value itself; reading it unpickles."""
        return self.value.value_parsed

    def format(self) -> str:
        """Return the argument as it would be written in a call."""
        return self.value.preview if self.arg_key is None else f"{self.arg_key}={self.value.preview}"

    def __repr__(self) -> str:
        place = f"pos={self.arg_position}" if self.arg_key is None else f"key={self.arg_key}"
        return f"Argument(task_name={self.call_node.task_name!r}, {place}, value={self.value.preview})"


class ArgumentResult(Base):
    """That an argument came from the result of a call."""

    __tablename__ = "argument_result"

    arg_hash: Mapped[str] = hash_key("argument.arg_hash", primary_key=True, index=True)
    result_call_hash: Mapped[str] = hash_key("call_node.call_hash", primary_key=True, index=True)


class Evaluation(Base):
    """The cache: what a call's task returned."""

    __tablename__ = "evaluation"

    eval_hash: Mapped[str] = hash_key(primary_key=True)
    task_hash: Mapped[str] = hash_key("task.hash", index=True)
    args_hash: Mapped[str] = hash_key()
    value_hash: Mapped[str] = hash_key("value.value_hash", index=True)

    task: Mapped[Task] = relationship(viewonly=True)
    value: Mapped[Value] = relationship(viewonly=True)


class CallSubtreeTask(Base):
    """That a task was called in the call graph below a call."""

    __tablename__ = "call_subtree_task"

    call_hash: Mapped[str] = hash_key("call_node.call_hash", primary_key=True, index=True)
    task_hash: Mapped[str] = hash_key("task.hash", primary_key=True, index=True)
