"""Recorded calls of a task, to explain why another call of it has to run.

Every query walks an index from its newest end and stops after some rows, so that the cost does not grow with the
database.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from redun.backends.base import ERROR_TYPE, MAX_PAST_CALLS, PastCall
from redun.values.base import FileSubtype
from redun.values.codec import EncodedValue
from redun_backend_sql.database import Database

MAX_DEFINITIONS = 10
"""How many definitions of a task are considered, the latest."""

MAX_BYTES = 100_000
"""How large a value may be to be read."""

_COLUMNS = "call_node.call_hash, call_node.task_hash, call_node.args_hash, call_node.value_hash, call_node.timestamp"
_DEFINITIONS = f"SELECT hash FROM task WHERE name = ? AND namespace = ? ORDER BY rowid DESC LIMIT {MAX_DEFINITIONS}"  # noqa: S608
_LATEST = f"SELECT {_COLUMNS} FROM call_node WHERE task_hash = ? ORDER BY rowid DESC LIMIT {MAX_PAST_CALLS}"  # noqa: S608
_GIVEN = (
    f"SELECT {_COLUMNS} FROM file CROSS JOIN argument ON argument.value_hash = file.value_hash "  # noqa: S608
    "CROSS JOIN call_node ON call_node.call_hash = argument.call_hash "
    "WHERE file.path = ? AND call_node.task_name = ? "
    f"ORDER BY file.rowid DESC, argument.rowid DESC LIMIT {MAX_PAST_CALLS}"
)
_GIVEN_INSIDE = (
    f"SELECT {_COLUMNS} FROM file CROSS JOIN subvalue ON subvalue.value_hash = file.value_hash "  # noqa: S608
    "CROSS JOIN argument ON argument.value_hash = subvalue.parent_value_hash "
    "CROSS JOIN call_node ON call_node.call_hash = argument.call_hash "
    "WHERE file.path = ? AND call_node.task_name = ? "
    f"ORDER BY file.rowid DESC, subvalue.rowid DESC, argument.rowid DESC LIMIT {MAX_PAST_CALLS}"
)
_SOURCES = "SELECT hash, source FROM task WHERE hash IN ({keys})"
_ARGUMENTS = "SELECT call_hash, arg_position, arg_key, value_hash FROM argument WHERE call_hash IN ({keys})"
_VALUES = (
    "SELECT value_hash, type, format, CASE WHEN length(value) <= ? THEN value ELSE x'' END FROM value "
    "WHERE value_hash IN ({keys})"
)
_TYPES = "SELECT value_hash, type FROM value WHERE value_hash IN ({keys})"
_FILES = "SELECT value_hash, path FROM file WHERE value_hash IN ({keys})"
_FILES_INSIDE = (
    "SELECT subvalue.parent_value_hash, file.value_hash, file.path FROM subvalue "
    "JOIN file ON file.value_hash = subvalue.value_hash WHERE subvalue.parent_value_hash IN ({keys}) LIMIT 10000"
)


def find_latest_calls(database: Database, task_name: str) -> Sequence[PastCall]:
    """Return the latest recorded calls of a task, by its full name."""
    namespace, _, name = task_name.rpartition(".")
    definitions = database.select(_DEFINITIONS, name, namespace)
    rows = [row for (task_hash,) in definitions for row in database.select(_LATEST, task_hash)]
    rows.sort(key=lambda row: str(row[4]), reverse=True)
    return _make_calls(database, rows[:MAX_PAST_CALLS])


def find_calls_with(database: Database, task_name: str, paths: Sequence[str]) -> Sequence[PastCall]:
    """Return recorded calls of a task that were given one of some files, in whatever state."""
    rows = [
        row
        for path in dict.fromkeys(paths)
        for statement in (_GIVEN, _GIVEN_INSIDE)
        for row in database.select(statement, path, task_name)
    ]
    return _make_calls(database, list({row[0]: row for row in rows}.values()))


def _make_calls(database: Database, rows: Sequence[Any]) -> Sequence[PastCall]:
    sources = dict(database.select_in(_SOURCES, [row[1] for row in rows]))
    types = dict(database.select_in(_TYPES, [row[3] for row in rows]))
    places: dict[str, dict[int | str, str]] = {row[0]: {} for row in rows}
    for call_hash, position, key, value_hash in database.select_in(_ARGUMENTS, list(places)):
        places[call_hash][key if position is None else position] = value_hash
    values = _read_values(database, {value_hash for found in places.values() for value_hash in found.values()})
    return [
        PastCall(
            call_hash,
            task_hash,
            args_hash,
            sources.get(task_hash, ""),
            {place: values[found] for place, found in places[call_hash].items() if found in values},
            types.get(value_hash) == ERROR_TYPE,
        )
        for call_hash, task_hash, args_hash, value_hash, _ in rows
    ]


def _read_values(database: Database, hashes: Iterable[str]) -> dict[str, EncodedValue]:
    keys = list(hashes)
    own = {value_hash: FileSubtype(path) for value_hash, path in database.select_in(_FILES, keys)}
    inside: dict[str, list[EncodedValue]] = {}
    for parent, value_hash, path in database.select_in(_FILES_INSIDE, keys):
        inside.setdefault(parent, []).append(EncodedValue(value_hash, "", "", b"", (), FileSubtype(path)))
    return {
        value_hash: EncodedValue(
            value_hash, type_name, data_format, data, tuple(inside.get(value_hash, ())), own.get(value_hash)
        )
        for value_hash, type_name, data_format, data in database.select_in(_VALUES, keys, MAX_BYTES)
    }
