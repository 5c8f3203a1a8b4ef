"""What users ask a store beside what a scheduler asks it: records by their classes, values, and tags."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from redun.backends.base import Backend, TagEntity
from redun.errors import InvalidValueError
from redun.logging import logger
from redun.utils import MultiMap
from redun.values.codec import EncodedValue
from redun.values.registry import get_type_registry
from redun_backend_sql import tag_edits
from redun_backend_sql.database import Database
from redun_backend_sql.tag_edits import KeyValue, StoredTag

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from redun_backend_sql.models import Job

BACKEND = "backend"
"""Under what name a session has its store in its `info`."""

_VALUE = "SELECT type, format FROM value WHERE value_hash = ?"


class QueryableBackend(Backend):
    """A store in a SQL database that users can ask.

    Attributes
    ----------
    session
        A session of SQLAlchemy for queries with the classes in `redun_backend_sql.models`; it does not write.
    """

    _session: Session | None = None

    @property
    @abstractmethod
    def database(self) -> Database:
        """The open database; raises `BackendError` before `load`."""

    @property
    def session(self) -> Session:
        """The session for queries; made when it is first asked for."""
        if self._session is None:
            self._session = _make_session(self)
        return self._session

    def close(self) -> None:
        if self._session is not None:
            self._session.close()
            self._session = None

    def query(self, wanted: Any, *more: Any) -> Any:
        """Return the record that a user means, or a query over classes.

        Parameters
        ----------
        wanted
            The start of an id or address, a task's name, or the path of a file; or a class or column to query.
        *more
            Further classes or columns.

        Returns
        -------
        Any
            The one record, or None when there is none. For classes and columns, a query of SQLAlchemy.

        Raises
        ------
        BackendError
            When several records fit.
        """
        if not isinstance(wanted, str):
            return self.session.query(wanted, *more)
        from redun_backend_sql.graph_query import infer_id

        return infer_id(self.session, wanted)

    def get_job(self, job_id: str) -> Job | None:
        """Return a job by its id, or None when it is not recorded."""
        from redun_backend_sql.models import Job

        return self.session.get(Job, job_id)

    def get_value(self, value_hash: str) -> tuple[Any, bool]:
        """Return a value by its address, and whether it is there and can be read.

        Reading it unpickles, which runs code that whoever recorded the value has chosen.
        """
        encoded = self.find_value(value_hash)
        if encoded is None:
            return None, False
        try:
            return get_type_registry().decode(encoded.type_name, encoded.format, encoded.data), True
        except InvalidValueError as error:
            logger.warning("%s", error)
            return None, False

    @abstractmethod
    def read_bytes(self, value_hashes: Sequence[str]) -> Mapping[str, bytes]:
        """Return the bytes of values, wherever they are; of those that are not to be had, there are none."""

    def find_value(self, value_hash: str) -> EncodedValue | None:
        """Return a value as it is stored, by its address; None when it is not to be had."""
        rows = self.database.select(_VALUE, value_hash)
        data = self.read_bytes([value_hash]).get(value_hash) if rows else None
        if data is None:
            return None
        [(type_name, data_format)] = rows
        return EncodedValue(value_hash, type_name, data_format, data)

    def get_tags(self, entity_ids: Sequence[str]) -> Mapping[str, MultiMap[str, Any]]:
        """Return the current tags of entities by their ids, sorted by key."""
        return tag_edits.get_tags(self.database, entity_ids)

    def record_tags(
        self,
        entity_type: str,
        entity_id: str,
        tags: Iterable[KeyValue],
        parents: Sequence[str] = (),
        update: bool = False,
        new: bool = False,
    ) -> Sequence[StoredTag]:
        """Record tags, and return them. Recording the same tag twice changes nothing.

        Parameters
        ----------
        entity_type
            What the tags are on: a `redun.backends.base.TagEntity`, or its name.
        entity_id
            The id or address of that.
        tags
            Pairs of a key and a value that JSON has. There may be several values with one key.
        parents
            The addresses of tags that each of them takes the place of.
        update
            Whether they take the place of all current tags that have one of their keys.
        new
            Whether a tag that was there, and was edited or deleted since, becomes current again.
        """
        kind, given = TagEntity(entity_type).value, list(tags)
        if update:
            return tag_edits.replace_tags(self.database, kind, entity_id, {key for key, _ in given}, given)
        return tag_edits.record_tags(self.database, kind, entity_id, given, parents, new)

    def update_tags(
        self, entity_type: str, entity_id: str, old_keys: Iterable[str], new_tags: Iterable[KeyValue]
    ) -> Sequence[StoredTag]:
        """Record tags in place of all current ones that have some keys, and return them."""
        return tag_edits.replace_tags(self.database, TagEntity(entity_type).value, entity_id, old_keys, new_tags)

    def delete_tags(
        self, entity_id: str, tags: Iterable[KeyValue] = (), keys: Collection[str] = ()
    ) -> Sequence[StoredTag]:
        """Delete current tags of an entity, given as pairs of key and value or by their keys; return those deleted."""
        return tag_edits.delete_tags(self.database, entity_id, tags, keys)


@contextmanager
def open_session(backend: QueryableBackend) -> Iterator[Session]:
    """Open a session for queries on a store that is loaded; what goes wrong inside is a `BackendError`."""
    from sqlalchemy.exc import DBAPIError

    with backend.database.translating_errors(), _make_session(backend) as session:
        try:
            yield session
        except DBAPIError as error:
            raise error.orig or error from None


def _make_session(backend: QueryableBackend) -> Session:
    from sqlalchemy.orm import Session

    return Session(backend.database.make_engine(), info={BACKEND: backend})
