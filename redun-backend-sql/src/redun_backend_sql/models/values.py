"""Values, those inside others, and what is known about files and handles."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import String, column, select, table
from sqlalchemy.orm import Mapped, mapped_column, relationship

from redun.errors import InvalidValueError
from redun.values.preview import preview, summarize
from redun.values.registry import get_type_registry
from redun_backend_sql.extension import VALUE_NOTE
from redun_backend_sql.models.base import SHORT, Base, backend_of, hash_key, session_of

if TYPE_CHECKING:
    from redun_backend_sql.models.calls import Argument, CallNode, Task
    from redun_backend_sql.models.tags import Tag


_NOTES = table(VALUE_NOTE.table, *map(column, VALUE_NOTE.columns))


class _Note(NamedTuple):
    size: int
    preview: str
    dropped: float | None


class Value(Base):
    """A value that was an argument or a result, as bytes."""

    __tablename__ = "value"

    value_hash: Mapped[str] = hash_key(primary_key=True)
    type: Mapped[str] = mapped_column(index=True)
    format: Mapped[str] = mapped_column(String(100))
    value: Mapped[bytes] = mapped_column(deferred=True)

    file: Mapped[File | None] = relationship(back_populates="value", viewonly=True)
    task: Mapped[Task | None] = relationship(
        primaryjoin="foreign(Value.value_hash) == Task.hash", uselist=False, viewonly=True
    )
    parents: Mapped[list[Value]] = relationship(
        secondary="subvalue",
        primaryjoin="Value.value_hash == Subvalue.value_hash",
        secondaryjoin="Value.value_hash == Subvalue.parent_value_hash",
        viewonly=True,
    )
    children: Mapped[list[Value]] = relationship(
        secondary="subvalue",
        primaryjoin="Value.value_hash == Subvalue.parent_value_hash",
        secondaryjoin="Value.value_hash == Subvalue.value_hash",
        viewonly=True,
    )
    subfiles: Mapped[list[File]] = relationship(
        secondary="subvalue",
        primaryjoin="Value.value_hash == Subvalue.parent_value_hash",
        secondaryjoin="foreign(File.value_hash) == Subvalue.value_hash",
        viewonly=True,
    )
    results: Mapped[list[CallNode]] = relationship(back_populates="value", viewonly=True)
    arguments: Mapped[list[Argument]] = relationship(back_populates="value", viewonly=True)
    tags: Mapped[list[Tag]] = relationship(
        primaryjoin="and_(foreign(Tag.entity_id) == Value.value_hash, Tag.entity_type == 'Value', Tag.is_current)",
        order_by="Tag.key",
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
    def value_parsed(self) -> Any:
        """The value itself.

        Reading it unpickles, which runs code that whoever recorded the value has chosen.

        Raises
        ------
        InvalidValueError
            When it can't be read here: its class is gone, its bytes are damaged or are not there.
        """
        backend = backend_of(self)
        if backend is None:
            return get_type_registry().decode(self.type, self.format, self.value)
        value, found = backend.get_value(self.value_hash)
        if not found:
            raise InvalidValueError(f"the value {self.value_hash} can't be read here")
        return value

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
        backend = None if self.value else backend_of(self)
        if backend is None or not backend.has_extension:
            return None
        statement = select(_NOTES.c.size, _NOTES.c.preview, _NOTES.c.dropped)
        row = session_of(self).execute(statement.where(_NOTES.c.value_hash == self.value_hash)).first()
        return None if row is None else _Note(*row)

    def __repr__(self) -> str:
        return f"Value(hash='{self.value_hash[:SHORT]}', value={self.preview})"


class Subvalue(Base):
    """That a value is inside another one."""

    __tablename__ = "subvalue"

    value_hash: Mapped[str] = hash_key("value.value_hash", primary_key=True, index=True)
    parent_value_hash: Mapped[str] = hash_key("value.value_hash", primary_key=True, index=True)

    child: Mapped[Value] = relationship(foreign_keys=[value_hash], viewonly=True)
    parent: Mapped[Value] = relationship(foreign_keys=[parent_value_hash], viewonly=True)


class File(Base):
    """The path of a value that is a file or a directory."""

    __tablename__ = "file"

    value_hash: Mapped[str] = hash_key("value.value_hash", primary_key=True)
    path: Mapped[str] = mapped_column(String(1024), index=True)

    value: Mapped[Value] = relationship(back_populates="file", viewonly=True)
    parent_values: Mapped[list[Value]] = relationship(
        secondary="subvalue",
        primaryjoin="foreign(Subvalue.value_hash) == File.value_hash",
        secondaryjoin="Value.value_hash == foreign(Subvalue.parent_value_hash)",
        viewonly=True,
    )

    @property
    def values(self) -> list[Value]:
        """The value that is the file, and those that it is inside of."""
        return [self.value, *self.parent_values]

    def __repr__(self) -> str:
        return f"File(hash='{self.value_hash[:SHORT]}', path={self.path!r})"


class Handle(Base):
    """One state of something that changes, such as a connection to a database."""

    __tablename__ = "handle"

    hash: Mapped[str] = hash_key(primary_key=True)
    fullname: Mapped[str] = mapped_column(String(1024), index=True)
    value_hash: Mapped[str] = hash_key("value.value_hash", index=True)
    key: Mapped[str] = mapped_column(String(1024))
    is_valid: Mapped[bool]

    value: Mapped[Value] = relationship(viewonly=True)
    parents: Mapped[list[Handle]] = relationship(
        secondary="handle_edge",
        primaryjoin="Handle.hash == HandleEdge.child_id",
        secondaryjoin="Handle.hash == HandleEdge.parent_id",
        viewonly=True,
    )
    children: Mapped[list[Handle]] = relationship(
        secondary="handle_edge",
        primaryjoin="Handle.hash == HandleEdge.parent_id",
        secondaryjoin="Handle.hash == HandleEdge.child_id",
        viewonly=True,
    )

    def __repr__(self) -> str:
        return f"Handle(hash='{self.hash[:SHORT]}', fullname={self.fullname!r}, is_valid={self.is_valid})"


class HandleEdge(Base):
    """That a state of a handle came from another one."""

    __tablename__ = "handle_edge"

    parent_id: Mapped[str] = hash_key("handle.hash", primary_key=True, index=True)
    child_id: Mapped[str] = hash_key("handle.hash", primary_key=True, index=True)
