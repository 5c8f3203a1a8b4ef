"""Records of the call graph as they are shown: plain data, read many at a time by the driver alone.

`redun log` works on these. The classes in `models`, which users query with, know more and cost half a second to import.
Values come without their bytes when those are too many to be shown.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timezone
from typing import Any, NamedTuple

from redun.backends.base import ERROR_TYPE
from redun.values.preview import MAX_BYTES, preview, summarize
from redun_backend_sql.database import Database
from redun_backend_sql.extension import VALUE_NOTE
from redun_backend_sql.owners import find_lost

MAX_ARGUMENTS = 50
"""How many arguments of a call are read, the first ones."""

MAX_LINE_BYTES = 10_000
"""How large a value may be to be read for a part of a line."""

_EXECUTIONS = "SELECT id, args, job_id, updated_time FROM execution WHERE id IN ({keys})"
_JOBS = (
    "SELECT job.id, job.start_time, job.end_time, job.cached, job.call_hash, job.parent_id, job.execution_id, "
    "job.task_hash, task.name, task.namespace, value.type FROM job "
    "LEFT JOIN task ON task.hash = job.task_hash "
    "LEFT JOIN call_node ON call_node.call_hash = job.call_hash "
    "LEFT JOIN value ON value.value_hash = call_node.value_hash WHERE job.id IN ({keys})"
)
_PROGRESS = (
    "SELECT execution_id, count(end_time), count(*) FROM job WHERE execution_id IN ({keys}) GROUP BY execution_id"
)
_CALLS = "SELECT call_hash, task_name, task_hash, value_hash, timestamp FROM call_node WHERE call_hash IN ({keys})"
_TASKS = "SELECT hash, name, namespace, source FROM task WHERE hash IN ({keys})"
_ARGUMENTS = (
    "SELECT arg_hash, call_hash, arg_position, arg_key, value_hash FROM argument WHERE call_hash IN ({keys}) "
    "ORDER BY call_hash, arg_position IS NULL, arg_position, arg_key"
)
_VALUES = (
    "SELECT value_hash, type, format, length(value), CASE WHEN length(value) <= ? THEN value END FROM value "
    "WHERE value_hash IN ({keys})"
)
_NOTES = f"SELECT value_hash, preview, dropped FROM {VALUE_NOTE.table} WHERE value_hash IN ({{keys}})"  # noqa: S608
_FILES = "SELECT value_hash, path FROM file WHERE value_hash IN ({keys})"
_TAGS = (
    "SELECT DISTINCT entity_id, key, CAST(value AS TEXT) AS text FROM tag WHERE entity_id IN ({keys}) AND is_current "
    "ORDER BY key, text"
)

Tags = Sequence[tuple[str, Any]]


class ValueNote(NamedTuple):
    """What is known of a value whose bytes are not in its row: a line to show, and when they were dropped."""

    preview: str
    dropped: datetime | None


class ValueRow(NamedTuple):
    """A value; `data` is None when there are too many bytes to be shown, and empty when they are not in the row."""

    value_hash: str
    type_name: str
    format: str
    size: int
    data: bytes | None
    note: ValueNote | None = None

    @property
    def preview(self) -> str:
        """The value on one line, read without running any code in it."""
        if self.data is None:
            return summarize(self.type_name, self.value_hash, self.size)
        if self.data:
            return preview(self.type_name, self.format, self.data, value_hash=self.value_hash)
        return self.note.preview if self.note is not None else summarize(self.type_name, self.value_hash)


class FileRow(NamedTuple):
    """A file in one of its states, by the address of that state."""

    value_hash: str
    path: str


class Place(NamedTuple):
    """Where a call has an argument, by position or by name."""

    arg_hash: str
    position: int | None
    key: str | None
    value_hash: str


class ArgumentRow(NamedTuple):
    """An argument of a call, by position or by name."""

    arg_hash: str
    call_hash: str
    position: int | None
    key: str | None
    value: ValueRow


class CallRow(NamedTuple):
    """A finished call."""

    call_hash: str
    task_name: str
    task_hash: str
    value_hash: str
    timestamp: datetime


class TaskRow(NamedTuple):
    """A definition of a task."""

    hash: str
    name: str
    namespace: str
    source: str

    @property
    def fullname(self) -> str:
        """The namespace and name, joined by a dot."""
        return join_name(self.namespace, self.name)


class JobRow(NamedTuple):
    """One call as it happened in one execution; `result_type` is None as long as it has no result.

    `is_lost` says of one that has not ended that the process is gone that ran it.
    """

    id: str
    start_time: datetime
    end_time: datetime | None
    cached: bool
    call_hash: str | None
    parent_id: str | None
    execution_id: str
    task_hash: str
    task_name: str
    result_type: str | None
    is_lost: bool = False

    @property
    def status(self) -> str:
        """``RUNNING``, ``LOST``, ``FAILED``, ``CACHED`` or ``DONE``."""
        status = decide_status(self.end_time is not None, self.call_hash is not None, self.cached, self.result_type)
        return "LOST" if status == "RUNNING" and self.is_lost else status


class ExecutionRow(NamedTuple):
    """One run of a workflow; `root` is None when it was killed before its first job was recorded.

    Of a lost one `progress` says how many of its jobs had ended, and how many had begun.
    """

    id: str
    args: str
    job_id: str
    updated_time: datetime | None
    root: JobRow | None
    progress: tuple[int, int] | None = None

    @property
    def status(self) -> str:
        """``RUNNING``, ``LOST``, ``FAILED`` or ``DONE``."""
        return decide_execution_status(self.root.status if self.root is not None else None)


class JobLine(NamedTuple):
    """A job with what a line shows of it; `arguments` is None as long as it has no call."""

    job: JobRow
    arguments: Sequence[ArgumentRow] | None
    tags: Tags


def decide_status(has_ended: bool, has_call: bool, is_cached: bool, result_type: str | None) -> str:
    """Return what became of a job.

    Examples
    --------
    >>> decide_status(True, True, False, "builtins.int"), decide_status(True, True, True, "redun.ErrorValue")
    ('DONE', 'FAILED')
    """
    if result_type == ERROR_TYPE:
        return "FAILED"
    if not has_ended:
        return "RUNNING"
    if not has_call:
        return "FAILED"
    return "CACHED" if is_cached else "DONE"


def decide_execution_status(root: str | None) -> str:
    """Return what became of an execution, given the status of its root job; None if it has none."""
    return "FAILED" if root is None else "DONE" if root == "CACHED" else root


def join_name(namespace: str, name: str) -> str:
    """Return the full name of a task."""
    return f"{namespace}.{name}" if namespace else name


def parse_time(value: Any) -> datetime:
    """Return a point in time that a database gave, with its zone; SQLite keeps texts, in UTC.

    Examples
    --------
    >>> parse_time("2026-01-02 03:04:05.600000").isoformat()
    '2026-01-02T03:04:05.600000+00:00'
    """
    time = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    return time if time.tzinfo is not None else time.replace(tzinfo=timezone.utc)


def read_executions(database: Database, ids: Sequence[str]) -> Sequence[ExecutionRow]:
    """Return executions with their root jobs, in the order of their ids; those that are missing are left out."""
    rows = {row[0]: row for row in database.select_in(_EXECUTIONS, ids)}
    roots = {job.id: job for job in read_jobs(database, [row[2] for row in rows.values()])}
    found = [rows[key] for key in ids if key in rows]
    lost = [job.execution_id for job in roots.values() if job.status == "LOST"]
    progress = {key: (int(ended), int(begun)) for key, ended, begun in database.select_in(_PROGRESS, lost)}
    return [
        ExecutionRow(
            key, args, job_id, None if alive is None else parse_time(alive), roots.get(job_id), progress.get(key)
        )
        for key, args, job_id, alive in found
    ]


def read_jobs(database: Database, ids: Sequence[str]) -> Sequence[JobRow]:
    """Return jobs in the order of their ids; those that are missing are left out."""
    rows = database.select_in(_JOBS, ids)
    lost = find_lost(database, {row[6] for row in rows if row[2] is None})
    found = {row[0]: _make_job(row, row[6] in lost) for row in rows}
    return [found[key] for key in ids if key in found]


def _make_job(row: Sequence[Any], is_lost: bool) -> JobRow:
    key, start, end, cached, call_hash, parent, execution, task_hash, name, namespace, result_type = row
    fullname = join_name(namespace, name) if name is not None else task_hash[:8]
    ended = None if end is None else parse_time(end)
    return JobRow(
        key,
        parse_time(start),
        ended,
        bool(cached),
        call_hash,
        parent,
        execution,
        task_hash,
        fullname,
        result_type,
        is_lost,
    )


def read_calls(database: Database, call_hashes: Sequence[str]) -> Sequence[CallRow]:
    """Return calls in the order of their addresses; those that are missing are left out."""
    rows = database.select_in(_CALLS, call_hashes)
    found = {row[0]: CallRow(row[0], row[1], row[2], row[3], parse_time(row[4])) for row in rows}
    return [found[key] for key in call_hashes if key in found]


def read_tasks(database: Database, hashes: Sequence[str]) -> Sequence[TaskRow]:
    """Return definitions of tasks in the order of their hashes; those that are missing are left out."""
    found = {row[0]: TaskRow(*row) for row in database.select_in(_TASKS, hashes)}
    return [found[key] for key in hashes if key in found]


def read_values(database: Database, hashes: Iterable[str], max_bytes: int = MAX_BYTES) -> Mapping[str, ValueRow]:
    """Return values by their addresses, those that are larger than some bytes without these."""
    rows = database.select_in(_VALUES, list(hashes), max_bytes)
    notes = _read_notes(database, [row[0] for row in rows if row[3] == 0])
    return {
        key: ValueRow(key, type_name, data_format, size, None if data is None else bytes(data), notes.get(key))
        for key, type_name, data_format, size, data in rows
    }


def _read_notes(database: Database, hashes: Sequence[str]) -> Mapping[str, ValueNote]:
    if not hashes or VALUE_NOTE.table not in database.tables():
        return {}
    return {
        key: ValueNote(shown, None if dropped is None else datetime.fromtimestamp(dropped, timezone.utc))
        for key, shown, dropped in database.select_in(_NOTES, hashes)
    }


def read_arguments(
    database: Database, call_hashes: Sequence[str], max_bytes: int = MAX_BYTES
) -> Mapping[str, Sequence[ArgumentRow]]:
    """Return the arguments of calls by the address of the call: those by position first, then by name."""
    places = read_places(database, call_hashes)
    values = read_values(database, {place.value_hash for found in places.values() for place in found}, max_bytes)
    return {
        key: [
            ArgumentRow(place.arg_hash, key, place.position, place.key, value_of(values, place.value_hash))
            for place in found
        ]
        for key, found in places.items()
    }


def read_places(database: Database, call_hashes: Sequence[str]) -> Mapping[str, Sequence[Place]]:
    """Return the places of the arguments of calls by the address of the call, in the order of `read_arguments`."""
    places: dict[str, list[Place]] = {key: [] for key in call_hashes}
    for arg_hash, call_hash, position, key, value_hash in database.select_in(_ARGUMENTS, call_hashes):
        if len(places[call_hash]) < MAX_ARGUMENTS:
            places[call_hash].append(Place(arg_hash, position, key, value_hash))
    return places


def read_files(database: Database, hashes: Sequence[str]) -> Sequence[FileRow]:
    """Return files in the order of their addresses; those that are missing are left out."""
    found = {row[0]: FileRow(*row) for row in database.select_in(_FILES, hashes)}
    return [found[key] for key in hashes if key in found]


def value_of(values: Mapping[str, ValueRow], value_hash: str) -> ValueRow:
    """Return a value of those that were read; if its row is missing in the database, something that says so."""
    return values.get(value_hash) or ValueRow(value_hash, "missing", "", 0, None)


def read_tags(database: Database, entity_ids: Sequence[str]) -> Mapping[str, Tags]:
    """Return the current tags of entities by their ids, sorted by key; entities without tags are left out."""
    tags: dict[str, list[tuple[str, Any]]] = {}
    for entity_id, key, value in database.select_in(_TAGS, entity_ids):
        tags.setdefault(entity_id, []).append((key, json.loads(value)))
    return tags


def read_lines(database: Database, jobs: Sequence[JobRow]) -> Sequence[JobLine]:
    """Return jobs with what a line shows of each."""
    arguments = read_arguments(database, [job.call_hash for job in jobs if job.call_hash is not None], MAX_LINE_BYTES)
    tags = read_tags(database, [job.id for job in jobs])
    return [
        JobLine(job, None if job.call_hash is None else arguments[job.call_hash], tags.get(job.id, ())) for job in jobs
    ]
