"""Exchange between two repositories that are open."""

from __future__ import annotations

from collections.abc import Sequence

from redun.errors import RedunError
from redun_backend_sql.backend import SqlBackend
from redun_backend_sql.database import Database
from redun_backend_sql.extension import SENT
from redun_backend_sql.sync.plan import Report
from redun_backend_sql.sync.resolve import resolve_ids
from redun_backend_sql.sync.send import Find, FindExecutions, FindSome, send
from redun_backend_sql.sync.store import Store

_IDENTITY = "SELECT id FROM redun_version ORDER BY timestamp, id LIMIT 1"
_SENT_TAGS = f"SELECT tags FROM {SENT.table} WHERE way = ?"  # noqa: S608


def open_store(backend: SqlBackend) -> Store:
    """Return a repository's side of an exchange."""
    return Store(backend.database, backend.has_extension, backend.placement)


def select_records(database: Database, ids: Sequence[str]) -> Find:
    """Return what finds the records that a user means, all executions if none are named.

    Raises
    ------
    RedunError
        When an id means nothing, or more than one record.
    """
    return FindSome(resolve_ids(database, ids)) if ids else FindExecutions()


def exchange(
    source: SqlBackend,
    destination: SqlBackend,
    keeper: SqlBackend,
    ids: Sequence[str],
    report: Report,
    is_full: bool = False,
) -> int:
    """Send records from one repository to another; return how many were new, or had news.

    Parameters
    ----------
    source, destination
        The repositories, open.
    keeper
        The one of them that remembers how far they are.
    ids
        What a user means; all executions if there are none.
    report
        Is told about the progress.
    is_full
        Whether to look below records that the destination has too.

    Raises
    ------
    RedunError
        When both are the same repository, or an id means nothing, or more than one record.
    """
    if source.database.name == destination.database.name:
        raise RedunError(f"both repositories have the same database, {source.database.name}: there is nothing to send")
    if ids:
        find = select_records(source.database, ids)
        return send(open_store(source), open_store(destination), find, report, is_full)
    way = f"{_identify(source.database)} > {_identify(destination.database)}"
    found = FindExecutions(_recall_tags(keeper, way))
    count = send(open_store(source), open_store(destination), found, report, is_full)
    _remember_tags(keeper, way, found.tags)
    return count


def _identify(database: Database) -> str:
    """Return what tells a database from others, also from one that was there before, or is a copy of it."""
    return f"{database.select(_IDENTITY)[0][0]} {database.name}"


def _has_memory(keeper: SqlBackend) -> bool:
    return keeper.has_extension and SENT.table in keeper.database.tables()


def _recall_tags(keeper: SqlBackend, way: str) -> int | None:
    rows = keeper.database.select(_SENT_TAGS, way) if _has_memory(keeper) else ()
    return int(rows[0][0]) if rows else None


def _remember_tags(keeper: SqlBackend, way: str, tags: int | None) -> None:
    if _has_memory(keeper) and keeper.database.is_writable and tags != _recall_tags(keeper, way):
        keeper.database.write({SENT: [(way, tags)]})
