"""The states of handles in the tables ``handle`` and ``handle_edge``."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from redun.backends.handles import HandleChanges
from redun_backend_sql.database import Database, Insert, Update
from redun_backend_sql.rows import Rows

HANDLE = Insert("handle", ("hash", "fullname", "value_hash", "key", "is_valid"), ("hash",), changed=("is_valid",))
HANDLE_EDGE = Insert("handle_edge", ("parent_id", "child_id"), ("parent_id", "child_id"))
ENDED_HANDLE = Update("handle", ("is_valid",), "hash")

SHORT = 8
"""How many characters of an address are shown."""

_NEIGHBOURS = 10
_STATES = "SELECT hash, fullname, is_valid FROM handle WHERE value_hash = ? ORDER BY hash"
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


def make_handle_rows(changes: HandleChanges) -> Rows:
    """Return the rows of changes to the states of handles, by what is written with them; without those of values."""
    if not changes:
        return {}
    records = sorted(changes.records.values())
    return {
        HANDLE: [(item.hash, item.fullname, item.value.value_hash, item.key, item.is_valid) for item in records],
        HANDLE_EDGE: sorted((parent, item.hash) for item in records for parent in item.parents),
        ENDED_HANDLE: [(False, handle_hash) for handle_hash in sorted(changes.invalid)],
    }


def describe_states(database: Database, value_hash: str) -> Iterator[str]:
    """Yield a line for each state of a handle that a value stands for: whether it is valid, and its neighbours."""
    for handle_hash, fullname, is_valid in database.select(_STATES, value_hash):
        came_from = database.select_ordered("parent_id", "handle_edge", "child_id", handle_hash, _NEIGHBOURS)
        led_to = database.select_ordered("child_id", "handle_edge", "parent_id", handle_hash, _NEIGHBOURS)
        validity = (
            "valid" if is_valid else "not valid: what led to it is not there any more, or did not come to its end"
        )
        yield f"  State of handle {fullname}: {validity}"
        for name, neighbours in (("From", came_from), ("To", led_to)):
            if neighbours:
                yield f"  {name} {', '.join(sorted(neighbour[:SHORT] for (neighbour,) in neighbours))}"
