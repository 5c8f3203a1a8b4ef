"""What all classes of tables share: their base, and the types of columns that databases keep differently."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from sqlalchemy import Dialect, ForeignKey, String
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, object_session
from sqlalchemy.types import DateTime, TypeDecorator, TypeEngine

from redun.errors import BackendError
from redun_backend_sql.querying import BACKEND

if TYPE_CHECKING:
    from redun_backend_sql.backend import SqlBackend

SHORT = 8
"""How many characters of an id or address are shown."""


class UtcDateTime(TypeDecorator[datetime]):
    """Points in time in UTC; SQLite keeps them without a zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return what the database compares with; a point in time without a zone is in UTC."""
        if value is None:
            return None
        zoned = value if value.tzinfo is not None else value.replace(tzinfo=timezone.utc)
        return zoned.astimezone(timezone.utc)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return what the database gave with its zone."""
        if value is None or value.tzinfo is not None:
            return value
        return value.replace(tzinfo=timezone.utc)


class JsonText(TypeDecorator[Any]):
    """JSON values that are compared as wholes: a type of its own in PostgreSQL, sorted text in SQLite."""

    impl = String
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Return the type that the database has for it."""
        kind: TypeEngine[Any] = JSONB(none_as_null=False) if dialect.name == "postgresql" else String()
        return dialect.type_descriptor(kind)

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        """Return what the database compares with."""
        return value if dialect.name == "postgresql" else json.dumps(value, sort_keys=True)

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        """Return the value that the database gave."""
        return value if value is None or dialect.name == "postgresql" else json.loads(value)


class Base(DeclarativeBase):
    """Base of all tables."""

    def __repr__(self) -> str:
        keys = ", ".join(f"{column.key}={getattr(self, str(column.key))!r}" for column in self.__mapper__.primary_key)
        return f"{type(self).__name__}({keys})"


def hash_key(target: str | None = None, **settings: Any) -> Mapped[str]:
    """Return a column for an address, which may refer to another table."""
    return mapped_column(String(40), *([ForeignKey(target)] if target else []), **settings)


def session_of(record: Base) -> Session:
    """Return the session that a record was loaded by.

    Raises
    ------
    BackendError
        When it has none.
    """
    session = object_session(record)
    if session is None:
        raise BackendError(f"this {type(record).__name__} belongs to no open session: load it again to ask it for more")
    return session


def backend_of(record: Base) -> SqlBackend | None:
    """Return the store whose session loaded a record, if it was one."""
    session = object_session(record)
    return None if session is None else session.info.get(BACKEND)
