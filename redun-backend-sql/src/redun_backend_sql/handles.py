"""The states of handles in the tables ``handle`` and ``handle_edge``."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from redun.backends.handles import HandleChanges
from redun_backend_sql.database import Database, Insert, Row, Update, Write

HANDLE = Insert(
    "handle", ("hash", "fullname", "value_hash", "key", "is_valid"), ("hash",), changed=("is_valid",)
)
HANDLE_EDGE = Insert("handle_edge", ("parent_id", "child_id"), ("parent_id", "child_id"))
ENDED_HANDLE = Update("handle", ("is_valid",), "hash")

_VALIDITY = "SELECT hash, is_valid FROM handle WHERE hash IN ({keys})"
_AFTER = (
    "WITH RECURSIVE start(hash) AS (SELECT hash FROM handle WHERE hash IN ({keys})), "
    "reached(hash) AS (SELECT hash FROM start UNION "
    "SELECT handle_edge.child_id FROM reached JOIN handle_edge ON handle_edge.parent_id = reached.hash) "
    "SELECT DISTINCT child.hash FROM reached "
    "JOIN handle parent ON parent.hash = reached.hash "
    "JOIN handle_edge ON handle_edge.parent_id = parent.hash "
    "JOIN handle child ON child.hash = handle_edge.child_id "
    "WHERE child.is_valid AND (parent.key <> '' OR child.key <> '')"
)


def find_validity(database: Database, handle_hashes: Sequence[str]) -> Mapping[str, bool]:
    """Return whether states are valid, for those of some states that are recorded."""
    return {key: bool(is_valid) for key, is_valid in database.select_in(_VALIDITY, handle_hashes)}


def find_after(database: Database, handle_hashes: Sequence[str]) -> Collection[str]:
    """Return the valid states that came from some others; see `redun.backends.handles.HandleLookups`."""
    return {handle_hash for (handle_hash,) in database.select_in(_AFTER, handle_hashes)}


def make_handle_rows(changes: HandleChanges) -> Mapping[Write, Sequence[Row]]:
    """Return the rows of changes to the states of handles, by what is written with them; without those of values."""
    if not changes:
        return {}
    records = sorted(changes.records.values())
    return {
        HANDLE: [(item.hash, item.fullname, item.value.value_hash, item.key, item.is_valid) for item in records],
        HANDLE_EDGE: sorted((parent, item.hash) for item in records for parent in item.parents),
        ENDED_HANDLE: [(False, handle_hash) for handle_hash in sorted(changes.invalid)],
    }
