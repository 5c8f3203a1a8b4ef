"""Recorded calls of a task, to explain why another call of it has to run.

Every query walks an index from its newest end and stops after some rows, so that the cost does not grow with the
database.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timezone
from typing import Any, NamedTuple

from redun.backends.base import ERROR_TYPE, MAX_PAST_CALLS, PastCall
from redun.values.base import FileSubtype
from redun.values.codec import EncodedValue
from redun_backend_sql.database import Database

MAX_DEFINITIONS = 10
"""How many definitions of a task are considered, the latest."""

MAX_BYTES = 100_000
"""How large a value may be to be read."""


class Walks(NamedTuple):
    """Statements that find the newest rows of an index, in the words of one kind of database.

    Attributes
    ----------
    definitions
        Hashes of the definitions of a task, by its name and namespace.
    latest
        Calls of a definition, by its hash.
    given, given_inside
        Calls that were given a file as an argument or inside of one, by its path and the task's full name.
    """

    definitions: str
    latest: str
    given: str
    given_inside: str


_COLUMNS = "call_node.call_hash, call_node.task_hash, call_node.args_hash, call_node.value_hash, call_node.timestamp"

_MAX_GIVEN = 10_000  # Calls of any task: those of the wanted one may be few among very many.
_ON_SQLITE = Walks(
    definitions=f"SELECT hash FROM task WHERE name = ? AND namespace = ? ORDER BY rowid DESC LIMIT {MAX_DEFINITIONS}",  # noqa: S608
    latest=f"SELECT {_COLUMNS} FROM call_node WHERE task_hash = ? ORDER BY rowid DESC LIMIT {MAX_PAST_CALLS}",  # noqa: S608
    given=(
        f"SELECT {_COLUMNS} FROM ("  # noqa: S608
        "SELECT argument.call_hash AS call_hash FROM file CROSS JOIN argument ON argument.value_hash = file.value_hash "
        f"WHERE file.path = ? ORDER BY file.rowid DESC, argument.rowid DESC LIMIT {_MAX_GIVEN}) AS used "
        "CROSS JOIN call_node ON call_node.call_hash = used.call_hash "
        f"WHERE call_node.task_name = ? LIMIT {MAX_PAST_CALLS}"
    ),
    given_inside=(
        f"SELECT {_COLUMNS} FROM ("  # noqa: S608
        "SELECT argument.call_hash AS call_hash FROM file CROSS JOIN subvalue ON subvalue.value_hash = file.value_hash "
        "CROSS JOIN argument ON argument.value_hash = subvalue.parent_value_hash "
        "WHERE file.path = ? ORDER BY file.rowid DESC, subvalue.rowid DESC, argument.rowid DESC "
        f"LIMIT {_MAX_GIVEN}) AS used CROSS JOIN call_node ON call_node.call_hash = used.call_hash "
        f"WHERE call_node.task_name = ? LIMIT {MAX_PAST_CALLS}"
    ),
)

# PostgreSQL numbers no rows, but an index keeps equal keys in the order of their places in the table, and new rows go
# to its last pages. It is walked backwards where the order is asked for and the key is a range, though of one value.
_MAX_STATES, _MAX_USES, _MAX_LATEST = 1_000, 1_000, 2_000
_STATES = (
    "(SELECT value_hash FROM file WHERE path >= $1 AND path <= $1 "  # noqa: S608
    f"ORDER BY path DESC LIMIT {_MAX_STATES}) AS state"
)
_HOLDERS = (
    "LATERAL (SELECT parent_value_hash AS value_hash FROM subvalue "  # noqa: S608
    "WHERE value_hash >= state.value_hash AND value_hash <= state.value_hash "
    f"ORDER BY value_hash DESC LIMIT {_MAX_USES}) AS holder"
)
_USES = (
    "LATERAL (SELECT call_hash FROM argument "  # noqa: S608
    "WHERE value_hash >= {given}.value_hash AND value_hash <= {given}.value_hash "
    f"ORDER BY value_hash DESC LIMIT {_MAX_USES}) AS used"
)
_CALLS = f"LATERAL (SELECT {_COLUMNS} FROM call_node WHERE call_hash = used.call_hash AND task_name = $2 LIMIT 1)"  # noqa: S608

_ON_POSTGRESQL = Walks(
    definitions=(
        "SELECT hash FROM task WHERE name ~>=~ $1 AND name ~<=~ $1 AND namespace = $2 "  # noqa: S608
        f"ORDER BY name USING ~>~ LIMIT {MAX_DEFINITIONS}"
    ),
    latest=(
        f"SELECT * FROM (SELECT {_COLUMNS} FROM call_node WHERE task_hash >= $1 AND task_hash <= $1 "  # noqa: S608
        f"ORDER BY task_hash DESC LIMIT {_MAX_LATEST}) AS call_node ORDER BY timestamp DESC LIMIT {MAX_PAST_CALLS}"
    ),
    given=(
        f"SELECT call_node.* FROM {_STATES} CROSS JOIN {_USES.format(given='state')} "  # noqa: S608
        f"CROSS JOIN {_CALLS} AS call_node LIMIT {MAX_PAST_CALLS}"
    ),
    given_inside=(
        f"SELECT call_node.* FROM {_STATES} CROSS JOIN {_HOLDERS} CROSS JOIN {_USES.format(given='holder')} "  # noqa: S608
        f"CROSS JOIN {_CALLS} AS call_node LIMIT {MAX_PAST_CALLS}"
    ),
)
_DEFINITIONS = "SELECT hash FROM task WHERE name = ? AND namespace = ?"
_BEFORE = (
    f"SELECT {_COLUMNS} FROM call_node WHERE task_hash = ? AND timestamp < ? "  # noqa: S608
    f"ORDER BY timestamp DESC LIMIT {MAX_PAST_CALLS}"
)
_CALL = f"SELECT {_COLUMNS} FROM call_node WHERE call_hash = ?"  # noqa: S608
_SOURCES = "SELECT hash, source FROM task WHERE hash IN ({keys})"
_ARGUMENTS = "SELECT call_hash, arg_position, arg_key, value_hash FROM argument WHERE call_hash IN ({keys})"
_VALUES = (
    "SELECT value_hash, type, format, CASE WHEN length(value) <= ? THEN value END FROM value "
    "WHERE value_hash IN ({keys})"
)
_TYPES = "SELECT value_hash, type FROM value WHERE value_hash IN ({keys})"
_FILES = "SELECT value_hash, path FROM file WHERE value_hash IN ({keys})"
_FILES_INSIDE = (
    "SELECT subvalue.parent_value_hash, file.value_hash, file.path FROM subvalue "
    "JOIN file ON file.value_hash = subvalue.value_hash WHERE subvalue.parent_value_hash IN ({keys}) LIMIT 10000"
)


def find_walks(dialect: str) -> Walks:
    """Return the statements for a kind of database."""
    return {"sqlite": _ON_SQLITE, "postgresql": _ON_POSTGRESQL}[dialect]


def find_latest_calls(database: Database, task_name: str) -> Sequence[PastCall]:
    """Return the latest recorded calls of a task, by its full name."""
    namespace, _, name = task_name.rpartition(".")
    walks = find_walks(database.dialect)
    definitions = database.select(walks.definitions, name, namespace)
    rows = [row for (task_hash,) in definitions for row in database.select(walks.latest, task_hash)]
    rows.sort(key=lambda row: str(row[4]), reverse=True)
    return _make_calls(database, rows[:MAX_PAST_CALLS])


def find_calls_before(database: Database, task_name: str, time: datetime) -> Sequence[PastCall]:
    """Return recorded calls of a task that ended before some time, by the task's full name; the latest first."""
    namespace, _, name = task_name.rpartition(".")
    text = time.astimezone(timezone.utc).strftime("%Y-%m-%d %H:%M:%S.%f")
    definitions = [key for (key,) in database.select(_DEFINITIONS, name, namespace)]
    rows = [row for key in definitions for row in database.select(_BEFORE, key, text)]
    rows.sort(key=lambda row: str(row[4]), reverse=True)
    return _make_calls(database, rows[:MAX_PAST_CALLS])


def find_call(database: Database, call_hash: str) -> PastCall:
    """Return a recorded call by its address."""
    [call] = _make_calls(database, database.select(_CALL, call_hash))
    return call


def find_calls_with(database: Database, task_name: str, paths: Sequence[str]) -> Sequence[PastCall]:
    """Return recorded calls of a task that were given one of some files, in whatever state."""
    walks = find_walks(database.dialect)
    rows = [
        row
        for path in dict.fromkeys(paths)
        for statement in (walks.given, walks.given_inside)
        for row in database.select(statement, path, task_name)
    ]
    return _make_calls(database, list({row[0]: row for row in rows}.values()))


def _make_calls(database: Database, rows: Sequence[Any]) -> Sequence[PastCall]:
    sources = dict(database.select_in(_SOURCES, [row[1] for row in rows]))
    definitions = _read_values(database, {row[1] for row in rows})
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
            definitions[task_hash].data if task_hash in definitions else b"",
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
            value_hash, type_name, data_format, data or b"", tuple(inside.get(value_hash, ())), own.get(value_hash)
        )
        for value_hash, type_name, data_format, data in database.select_in(_VALUES, keys, MAX_BYTES)
    }
