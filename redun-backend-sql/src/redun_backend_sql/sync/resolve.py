"""Which records of a repository a user means."""

from __future__ import annotations

from collections.abc import Sequence

from redun.errors import RedunError
from redun_backend_sql.database import Database
from redun_backend_sql.meant import SeveralFoundError
from redun_backend_sql.query import MIN_PREFIX, parse_place
from redun_backend_sql.sync.kinds import TABLES, Kind

_KINDS = (Kind.EXECUTION, Kind.JOB, Kind.CALL, Kind.TASK, Kind.VALUE, Kind.TAG, Kind.HANDLE)
_RECENT = (
    "SELECT execution.id FROM execution JOIN job ON job.id = execution.job_id "
    "ORDER BY job.start_time DESC, execution.id LIMIT 1 OFFSET ?"
)
_MAX_FOUND = 6


def resolve_ids(database: Database, texts: Sequence[str]) -> Sequence[tuple[Kind, str]]:
    """Return the records that are meant by some texts.

    Parameters
    ----------
    database
        The repository's database.
    texts
        Ids, or the beginning of one; ``-`` for the latest execution, ``~1`` for the one before, and so on.

    Raises
    ------
    RedunError
        When a text means nothing that is recorded, or more than one record.
    """
    return [_resolve(database, text) for text in texts]


def _resolve(database: Database, text: str) -> tuple[Kind, str]:
    place = parse_place(text)
    if place is not None:
        for (key,) in database.select(_RECENT, place):
            return Kind.EXECUTION, str(key)
        raise RedunError(f"{text!r} means no execution: {database.name} has not so many")
    found = {key: kind for kind in reversed(_KINDS) for key in _find(database, kind, text)}
    if text in found:
        return found[text], text
    if not found:
        raise RedunError(f"nothing in {database.name} has an id that begins with {text!r}")
    if len(found) > 1:
        names = [f"{kind.value} {key}" for key, kind in found.items()]
        raise SeveralFoundError(text, names, f"{_MAX_FOUND} or more" if len(found) >= _MAX_FOUND else None)
    (key, kind) = next(iter(found.items()))
    return kind, key


def _find(database: Database, kind: Kind, text: str) -> Sequence[str]:
    table = TABLES[kind]
    select = f"SELECT {table.key} FROM {table.name}"  # noqa: S608
    rows = database.select(f"{select} WHERE {table.key} = ?", text)
    if not rows and len(text) >= MIN_PREFIX:
        condition, parameters = database.match_prefix(table.key, text)
        rows = database.select(f"{select} WHERE {condition} ORDER BY {table.key} LIMIT {_MAX_FOUND}", *parameters)
    return [key for (key,) in rows]
