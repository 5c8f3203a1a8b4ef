"""Which values are worth dropping, when each was last used, and what has to keep it.

A value is used by the calls that returned it or took it, and by those whose cached result it is; when, say the jobs of
these calls, also those that were answered from the cache. All this is worked out by the database, in temporary tables
of this connection, so that it costs a few scans whatever the number of values.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from redun.backends.base import ERROR_TYPE
from redun.tags import ANY_VALUE
from redun_backend_sql.backend import SqlBackend
from redun_backend_sql.database import Database, fill_keys
from redun_backend_sql.owners import find_lost, list_owners
from redun_backend_sql.paging import PAGE
from redun_backend_sql.rows import format_time

PIN_KEYS = ("redun.pin", "pin")
"""Tags that keep values, on a value, or on the execution, job, call or task that used it."""

MIN_SIZE = 1_024
"""The least size of a value that is worth dropping: what is known about it takes room too."""

ALIVE_SECONDS = 86_400.0
"""How long ago an execution that has not ended may have shown itself, to count as one that is active."""

Pin = tuple[str, Any]

_KEPT_TYPES = f"('redun.Task', '{ERROR_TYPE}')"
_TABLES = ("redun_gc_value", "redun_gc_keep", "redun_gc_result", "redun_gc_call", "redun_gc_use", "redun_gc_chosen")
_UNFINISHED = (
    "SELECT execution.id FROM execution JOIN job ON job.id = execution.job_id "
    "WHERE job.end_time IS NULL AND (execution.updated_time >= ? OR job.start_time >= ?)"
)
_IN_ROWS = (
    "INSERT INTO redun_gc_value SELECT value_hash, length(value), 0 FROM value "  # noqa: S608
    f"WHERE length(value) >= ? AND type NOT IN {_KEPT_TYPES}"
)
_IN_STORE = (
    "INSERT INTO redun_gc_value SELECT value.value_hash, redun_ext_value.size, 1 FROM redun_ext_value "  # noqa: S608
    "JOIN value ON value.value_hash = redun_ext_value.value_hash WHERE redun_ext_value.dropped IS NULL "
    f"AND redun_ext_value.size >= ? AND length(value.value) = 0 AND value.type NOT IN {_KEPT_TYPES}"
)
_VALUES = "CREATE TEMPORARY TABLE redun_gc_value (value_hash VARCHAR(40) PRIMARY KEY, size BIGINT, is_stored INTEGER)"
_KEEP = "CREATE TEMPORARY TABLE redun_gc_keep (id VARCHAR PRIMARY KEY, is_active INTEGER)"
_RESULTS = (
    "CREATE TEMPORARY TABLE redun_gc_result AS "
    "SELECT evaluation.value_hash, evaluation.task_hash, evaluation.args_hash "
    "FROM redun_gc_value JOIN evaluation ON evaluation.value_hash = redun_gc_value.value_hash"
)
_INDEX_RESULTS = "CREATE INDEX redun_gc_result_args ON redun_gc_result (args_hash)"
# In the last part the order of the tables matters: calls have no index on their arguments.
_CALLS = (
    "CREATE TEMPORARY TABLE redun_gc_call AS "
    "SELECT redun_gc_value.value_hash, call_node.call_hash FROM redun_gc_value "
    "JOIN call_node ON call_node.value_hash = redun_gc_value.value_hash "
    "UNION SELECT redun_gc_value.value_hash, argument.call_hash FROM redun_gc_value "
    "JOIN argument ON argument.value_hash = redun_gc_value.value_hash "
    "UNION SELECT redun_gc_result.value_hash, call_node.call_hash FROM call_node CROSS JOIN redun_gc_result "
    "WHERE redun_gc_result.args_hash = call_node.args_hash AND redun_gc_result.task_hash = call_node.task_hash"
)
_USES = (
    "CREATE TEMPORARY TABLE redun_gc_use AS SELECT redun_gc_call.value_hash, max(job.end_time) AS used, "
    "max(CASE WHEN EXISTS (SELECT 1 FROM redun_gc_keep WHERE id = job.execution_id AND is_active = 1) "
    "THEN 1 ELSE 0 END) AS is_active, "
    "max(CASE WHEN EXISTS (SELECT 1 FROM redun_gc_keep WHERE id IN "
    "(job.execution_id, job.id, job.call_hash, job.task_hash) AND is_active = 0) THEN 1 ELSE 0 END) AS is_pinned "
    "FROM redun_gc_call JOIN job ON job.call_hash = redun_gc_call.call_hash GROUP BY redun_gc_call.value_hash"
)
_INDEX_USES = "CREATE INDEX redun_gc_use_value ON redun_gc_use (value_hash)"
_CANDIDATES = (
    "SELECT redun_gc_value.value_hash, size, is_stored, used, COALESCE(is_active, 0), COALESCE(is_pinned, 0), "
    "CASE WHEN EXISTS (SELECT 1 FROM redun_gc_keep WHERE id = redun_gc_value.value_hash AND is_active = 0) "
    "THEN 1 ELSE 0 END FROM redun_gc_value LEFT JOIN redun_gc_use "
    "ON redun_gc_use.value_hash = redun_gc_value.value_hash"
)
_CHOOSE = "INSERT INTO redun_gc_chosen SELECT value_hash FROM redun_gc_value WHERE value_hash IN ({keys})"
_RECOMPUTED = (
    "SELECT task.namespace, task.name, count(*), sum(redun_gc_value.size) FROM redun_gc_chosen "
    "JOIN redun_gc_value ON redun_gc_value.value_hash = redun_gc_chosen.value_hash "
    "JOIN redun_gc_result ON redun_gc_result.value_hash = redun_gc_chosen.value_hash "
    "JOIN task ON task.hash = redun_gc_result.task_hash GROUP BY task.namespace, task.name"
)
_TAGS = "SELECT entity_id, CAST(value AS TEXT) FROM tag WHERE key = ? AND is_current"
_USED_SINCE = (
    "SELECT DISTINCT call_node.value_hash FROM call_node JOIN job ON job.call_hash = call_node.call_hash "
    "WHERE job.end_time >= ? AND call_node.value_hash IN ({keys})"
)
_TAKEN_SINCE = (
    "SELECT DISTINCT argument.value_hash FROM argument JOIN job ON job.call_hash = argument.call_hash "
    "WHERE job.end_time >= ? AND argument.value_hash IN ({keys})"
)


class Candidate(NamedTuple):
    """A value that is large enough to be worth dropping.

    Attributes
    ----------
    value_hash, size
        Its address, and how many bytes it has.
    is_stored
        Whether they are in the value store.
    used
        When it was last used, as the database writes points in time; None if that is not known.
    is_active, is_pinned
        Whether an execution that is active uses it, and whether a tag keeps it.
    """

    value_hash: str
    size: int
    is_stored: bool
    used: str | None
    is_active: bool = False
    is_pinned: bool = False


class Usage(NamedTuple):
    """The values that are large enough, and whether any execution is active."""

    candidates: Sequence[Candidate]
    has_active: bool


class Recomputed(NamedTuple):
    """How many calls of a task would be made again, and how many bytes of cached results they lose."""

    task_name: str
    calls: int
    size: int


def find_usage(
    backend: SqlBackend, min_size: int, pins: Iterable[Pin], unnoted: Mapping[str, int], now: float
) -> Usage:
    """Return the values of at least some size with when they were used; leaves the temporary tables in place.

    Parameters
    ----------
    backend
        The store.
    min_size
        The least number of bytes.
    pins
        Keys and values of tags that keep what they are on; `ANY_VALUE` for whatever value but false and null.
    unnoted
        Values in the value store that have no note, with their sizes.
    now
        The time, in seconds since the epoch.
    """
    database = backend.database
    min_size = max(min_size, 1)  # An empty row is that of a value in the value store, or of one that has no bytes.
    drop_tables(database)
    database.execute(_VALUES)
    database.execute(_KEEP)
    database.execute(_IN_ROWS, min_size)
    if backend.has_extension:
        database.execute(_IN_STORE, min_size)
    for value_hash, size in unnoted.items():
        if size >= min_size:
            database.execute("INSERT INTO redun_gc_value VALUES (?, ?, 1)", value_hash, size)
    active = _find_active(backend, now)
    pinned = _find_pinned(database, pins) - active
    for keep, is_active in ((active, 1), (pinned, 0)):
        for key in keep:
            database.execute("INSERT INTO redun_gc_keep VALUES (?, ?)", key, is_active)
    for statement in (_RESULTS, _INDEX_RESULTS, _CALLS, _USES, _INDEX_USES):
        database.execute(statement)
    candidates = [
        Candidate(value_hash, size, bool(is_stored), used, bool(is_active), bool(is_pinned or is_own_pinned))
        for value_hash, size, is_stored, used, is_active, is_pinned, is_own_pinned in database.select(_CANDIDATES)
    ]
    return Usage(candidates, bool(active))


def drop_tables(database: Database) -> None:
    """Remove the temporary tables."""
    for table in _TABLES:
        database.execute(f"DROP TABLE IF EXISTS {table}")


def estimate_recomputed(database: Database, value_hashes: Sequence[str]) -> Sequence[Recomputed]:
    """Return which calls later runs would make again without some candidates, those with most bytes first.

    Every call counts whose cached result is one of them, though not every one may be needed again.
    """
    database.execute("CREATE TEMPORARY TABLE redun_gc_chosen (value_hash VARCHAR(40) PRIMARY KEY)")
    for start in range(0, len(value_hashes), PAGE):
        keys = value_hashes[start : start + PAGE]
        database.execute(fill_keys(_CHOOSE, len(keys)), *keys)
    found = [
        Recomputed(f"{namespace}.{name}" if namespace else name, calls, int(size))
        for namespace, name, calls, size in database.select(_RECOMPUTED)
    ]
    return sorted(found, key=lambda item: (-item.size, item.task_name))


def find_used_since(database: Database, value_hashes: Sequence[str], since: float) -> set[str]:
    """Return those values that jobs used which ended after a point in time."""
    start = format_time(since)
    return {
        value_hash
        for statement in (_USED_SINCE, _TAKEN_SINCE)
        for (value_hash,) in database.select_in(statement, value_hashes, start)
    }


def _find_active(backend: SqlBackend, now: float) -> set[str]:
    """Return the executions that have not ended and are alive, as far as can be told."""
    seen = format_time(now - ALIVE_SECONDS)
    unfinished = {execution_id for (execution_id,) in backend.database.select(_UNFINISHED, seen, seen)}
    owners = list_owners(backend.database) if backend.has_extension else []
    active = unfinished | {owner.execution_id for owner in owners}
    return active - find_lost(backend.database, active)


def _find_pinned(database: Database, pins: Iterable[Pin]) -> set[str]:
    """Return the ids and addresses of what has one of some tags."""
    found: set[str] = set()
    for key, wanted in pins:
        for entity_id, text in database.select(_TAGS, key):
            value = json.loads(text)
            if value == wanted or (wanted is ANY_VALUE and value not in (False, None)):
                found.add(entity_id)
    return found
