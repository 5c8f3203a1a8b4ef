"""Tags, and the edits by which they came to be what they are."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Enum, Index, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from redun.tags import format_tag_key_value
from redun_backend_sql.models.base import SHORT, Base, JsonText, hash_key, session_of

_ENTITY_TYPES = ("Execution", "Job", "CallNode", "Task", "Value", "Null")
_CURRENT = text("is_current")


class Tag(Base):
    """A key with a JSON value on something that is recorded. It never changes: an edit makes a new one of it."""

    __tablename__ = "tag"
    __table_args__ = (
        Index("ix_tag_tag_hash_current", "tag_hash", unique=True, sqlite_where=_CURRENT, postgresql_where=_CURRENT),
    )

    tag_hash: Mapped[str] = hash_key(primary_key=True)
    entity_type: Mapped[str] = mapped_column(Enum(*_ENTITY_TYPES, name="tagentitytype"))
    entity_id: Mapped[str] = mapped_column(index=True)
    key: Mapped[str] = mapped_column(index=True)
    value: Mapped[Any] = mapped_column(JsonText, index=True)
    is_current: Mapped[bool]

    parents: Mapped[list[Tag]] = relationship(
        secondary="tag_edit",
        primaryjoin="Tag.tag_hash == TagEdit.child_id",
        secondaryjoin="Tag.tag_hash == TagEdit.parent_id",
        viewonly=True,
    )
    children: Mapped[list[Tag]] = relationship(
        secondary="tag_edit",
        primaryjoin="Tag.tag_hash == TagEdit.parent_id",
        secondaryjoin="Tag.tag_hash == TagEdit.child_id",
        viewonly=True,
    )

    @property
    def namespace(self) -> str:
        """What stands before the last dot of the key."""
        return self.key.rpartition(".")[0]

    @property
    def base_key(self) -> str:
        """What stands after the last dot of the key."""
        return self.key.rpartition(".")[2]

    @property
    def entity(self) -> Base | None:
        """What the tag is on; None when that is not recorded here, or the tag was deleted."""
        from redun_backend_sql.models import CallNode, Execution, Job, Task, Value

        classes = {cls.__name__: cls for cls in (Execution, Job, CallNode, Task, Value)}
        entity_class = classes.get(self.entity_type)
        return None if entity_class is None else session_of(self).get(entity_class, self.entity_id)

    def __repr__(self) -> str:
        entity = f"{self.entity_type} {self.entity_id[:SHORT]}"
        return f"Tag(hash='{self.tag_hash[:SHORT]}', entity='{entity}', {format_tag_key_value(self.key, self.value)})"


class TagEdit(Base):
    """That a tag took the place of another one."""

    __tablename__ = "tag_edit"

    parent_id: Mapped[str] = hash_key("tag.tag_hash", primary_key=True)
    child_id: Mapped[str] = hash_key("tag.tag_hash", primary_key=True)
