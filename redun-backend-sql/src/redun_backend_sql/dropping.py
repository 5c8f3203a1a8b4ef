"""Dropping the bytes of values while keeping everything that is known about them.

The rows of a dropped value stay, so do the calls that it belongs to; its note has its size, a line to show, and the
time. Cached results that name it are removed with it, in the same transaction, so that every program finds nothing in
place of a value that it can't read. Blobs are removed afterwards: a kill in between leaves one that no row refers to.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from redun.errors import BackendError
from redun.values.preview import MAX_BYTES, preview, summarize
from redun_backend_sql.backend import SqlBackend
from redun_backend_sql.bulk import encode_text
from redun_backend_sql.database import Database, fill_keys
from redun_backend_sql.extension import VALUE_NOTE, ensure_extension
from redun_backend_sql.value_store import name_blob
from redun_backend_sql.verify import is_address

_VALUES = (
    "SELECT value_hash, type, format, length(value), CASE WHEN length(value) <= ? THEN value END FROM value "
    "WHERE value_hash IN ({keys})"
)
_DROP_RESULTS = "DELETE FROM evaluation WHERE value_hash IN ({keys})"
_EMPTY = "UPDATE value SET value = ? WHERE value_hash IN ({keys})"
_NOTE = (
    f"INSERT INTO {VALUE_NOTE.table} (value_hash, size, preview, dropped) VALUES (?, ?, ?, ?) "  # noqa: S608
    "ON CONFLICT (value_hash) DO UPDATE SET dropped = excluded.dropped"
)
_NEW_NOTE = f"{_NOTE}, size = excluded.size, preview = excluded.preview"


def prepare_dropping(backend: SqlBackend) -> None:
    """Make sure that there is a place for notes; the store is loaded anew if there was none.

    Raises
    ------
    BackendError
        When the database can't be written.
    """
    if not backend.database.is_writable:
        raise BackendError(f"the database {backend.path} can't be written: values can't be dropped from it")
    if not backend.has_extension:
        ensure_extension(backend.database, may_create=True)
        backend.close()
        backend.load()


def drop_values(backend: SqlBackend, value_hashes: Sequence[str], now: float, sizes: Mapping[str, int]) -> int:
    """Drop the bytes of some values, in one transaction; return how many cached results went with them.

    Parameters
    ----------
    backend
        The store, prepared by `prepare_dropping`.
    value_hashes
        The values, not more than one statement may name.
    now
        The time, in seconds since the epoch.
    sizes
        How many bytes values have whose rows do not say it.
    """
    database = backend.database
    with database.transaction():
        rows = database.select_in(_VALUES, value_hashes, MAX_BYTES)
        dropped = _execute_in(database, _DROP_RESULTS, value_hashes)
        _execute_in(database, _EMPTY, [row[0] for row in rows if row[3]], b"")
        for value_hash, type_name, data_format, length, data in rows:
            if length:
                line = preview(type_name, data_format, data, value_hash=value_hash) if data is not None else None
                line = line or summarize(type_name, value_hash, length)
                database.execute(_NEW_NOTE, value_hash, length, encode_text(line).decode(), now)
            else:
                line = summarize(type_name, value_hash, sizes.get(value_hash))
                database.execute(_NOTE, value_hash, sizes.get(value_hash, 0), line, now)
    remove_blobs(backend, [row[0] for row in rows if not row[3]])
    return dropped


def remove_blobs(backend: SqlBackend, value_hashes: Iterable[str]) -> None:
    """Remove the blobs of values, where there is a value store."""
    store = backend.placement.store
    names = [name_blob(value_hash) for value_hash in value_hashes if is_address(value_hash)]
    if store is not None and names:
        store.remove(names)


def _execute_in(database: Database, statement: str, keys: Sequence[str], *first: Any) -> int:
    return database.execute(fill_keys(statement, len(keys)), *first, *keys) if keys else 0
