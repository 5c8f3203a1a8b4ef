"""Who made a value and who received it.

A value is *held* by itself and by the values that it is inside of. A call made a value if its result holds it, unless
it only passed on what a call below it returned, or what it was given. Each step follows an index from its newest end
and stops after some rows, so that asking costs the same whether three calls hold a value or a million do; of a
million, the ones that are seen are among those recorded last.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from redun_backend_sql.database import Database
from redun_backend_sql.records import parse_time, read_calls

INTERNAL_TASKS = frozenset({"redun.script", "redun.postprocess_script"})
"""Tasks that only serve others: a value that comes from them is shown as coming from the call above."""

MAX_HOLDERS, MAX_CALLS, MAX_CHILDREN, MAX_JOBS = 100, 100, 100, 10
"""How many values that hold one, calls with one value, calls below one, and jobs of one call are looked at."""

_EDGES = "SELECT DISTINCT parent_id FROM call_edge WHERE parent_id IN ({parents}) AND child_id IN ({keys})"
_CALLERS = "SELECT DISTINCT child_id, parent_id FROM call_edge WHERE parent_id IN ({parents}) AND child_id IN ({keys})"
_BELOW = (
    f"SELECT 1 FROM (SELECT child_id FROM call_edge WHERE parent_id = ? LIMIT {MAX_CHILDREN}) AS below "  # noqa: S608
    "CROSS JOIN call_node WHERE call_node.call_hash = below.child_id AND call_node.value_hash IN ({keys}) LIMIT 1"
)
_ARGUMENTS = "SELECT call_hash, value_hash FROM argument WHERE call_hash IN ({keys})"


class Use(NamedTuple):
    """A job whose call made a value or received it; the order is that of interest, the most interesting last."""

    is_original: bool
    start_time: datetime
    job_id: str


def list_newest(database: Database, table: str, wanted: str, column: str, key: str, limit: int) -> list[str]:
    """Return a column of the rows of a table that have a key in another column, those written last first."""
    return [row[0] for row in database.select_ordered(wanted, table, column, key, limit)]


def list_holders(database: Database, value_hash: str) -> list[str]:
    """Return the values that hold a value, itself first."""
    return [
        value_hash,
        *list_newest(database, "subvalue", "parent_value_hash", "value_hash", value_hash, MAX_HOLDERS),
    ]


def list_results(database: Database, holders: Sequence[str]) -> list[str]:
    """Return the calls whose result is one of some values."""
    return _list_calls(database, "call_node", holders)


def list_makers(database: Database, holders: Sequence[str]) -> list[str]:
    """Return the calls that made a value, given the values that hold it.

    When more calls return it than are looked at, and all of those pass it on, they count as having made it. What a task
    has done by one that only serves it, as a script is run, it has made itself.
    """
    calls = list_results(database, holders)
    if not calls:
        return []
    held = set(holders)
    passed_on = set(_list_callers(database, calls))
    passed_on.update(call_hash for call_hash, given in database.select_in(_ARGUMENTS, calls) if given in held)
    makers = [call_hash for call_hash in calls if call_hash not in passed_on]
    if len(calls) < MAX_CALLS:
        return _name_served(database, makers, calls)
    return [call_hash for call_hash in makers if not _has_below(database, call_hash, holders)] or calls


def _name_served(database: Database, makers: Sequence[str], calls: Sequence[str]) -> list[str]:
    """Return makers with the calls that they served in place of those that only serve, if those returned it, too."""
    found = list(makers)
    for _ in INTERNAL_TASKS:  # Each may have been made by another one.
        serving = [call.call_hash for call in read_calls(database, found) if call.task_name in INTERNAL_TASKS]
        if not serving:
            break
        served = dict(database.select_in(_CALLERS.replace("{parents}", ",".join("?" * len(calls))), serving, *calls))
        found = list(dict.fromkeys(served.get(call_hash, call_hash) for call_hash in found))
    return found


def list_readers(database: Database, holders: Sequence[str]) -> list[str]:
    """Return the calls that received a value, given the values that hold it."""
    return _list_calls(database, "argument", holders)


def _list_calls(database: Database, table: str, holders: Sequence[str]) -> list[str]:
    calls: dict[str, None] = {}
    for value_hash in holders:
        found = list_newest(database, table, "call_hash", "value_hash", value_hash, MAX_CALLS)
        calls.update(dict.fromkeys(found))
        if len(calls) >= MAX_CALLS:
            break
    return list(calls)[:MAX_CALLS]


def _list_callers(database: Database, calls: Sequence[str]) -> Iterator[str]:
    """Yield those of some calls that made another one of them."""
    filled = _EDGES.replace("{parents}", ",".join("?" * len(calls)))
    yield from (row[0] for row in database.select_in(filled, calls, *calls))


def _has_below(database: Database, call_hash: str, holders: Sequence[str]) -> bool:
    """Whether one of the first calls below a call returned a value that is among some."""
    return bool(database.select_in(_BELOW, holders, call_hash))


def find_use(database: Database, calls: Sequence[str], prefer_original: bool) -> Use | None:
    """Return the latest job of some calls.

    Parameters
    ----------
    database
        The database.
    calls
        The calls.
    prefer_original
        Whether a job that ran counts more than a later one that was answered from the cache.
    """
    uses: list[Use] = []
    for call_hash in calls:
        for newest in (False, True):
            rows = database.select_ordered("cached, start_time, id", "job", "call_hash", call_hash, MAX_JOBS, newest)
            uses += [Use(prefer_original and not cached, parse_time(start), key) for cached, start, key in rows]
            if len(rows) < MAX_JOBS:
                break
    return max(uses, default=None)
