"""Questions to the call graph: which records a user means, and where a file comes from.

Answers are the plain records of `records`. Every question is answered by short walks along indexes, so that it costs
about the same in a database of any size.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from itertools import chain, islice
from typing import Any, NamedTuple

from redun_backend_sql.database import Database
from redun_backend_sql.lineage import Use, find_use, list_holders, list_makers, list_newest, list_readers
from redun_backend_sql.records import (
    CallRow,
    ExecutionRow,
    FileRow,
    JobRow,
    TaskRow,
    ValueRow,
    read_calls,
    read_executions,
    read_jobs,
    read_tasks,
    read_values,
)

MIN_PREFIX = 2
MAX_RECORDS = 100
"""How many records of one kind a prefix finds at most."""

MAX_EXECUTIONS = 10_000
"""Of how many executions, those recorded last, the newest are listed."""

_STATES, _STATES_TOGETHER = 500, 50

_NEWEST = (
    "SELECT id FROM (SELECT execution.id AS id, job.start_time AS start_time FROM execution "
    "LEFT JOIN job ON job.id = execution.job_id{recent}) AS latest "
    "ORDER BY start_time IS NULL, start_time DESC, id LIMIT ? OFFSET ?"
)
_TASKS_NAMED = "SELECT hash FROM task WHERE name = ? ORDER BY namespace, hash LIMIT ?"
_TASKS_NAMED_FULLY = "SELECT hash FROM task WHERE name = ? AND namespace = ? ORDER BY hash LIMIT ?"

Record = ExecutionRow | JobRow | CallRow | TaskRow | ValueRow | FileRow

_KINDS: Sequence[tuple[str, str, Callable[[Database, Sequence[str]], Sequence[Record]]]] = (
    ("execution", "id", read_executions),
    ("job", "id", read_jobs),
    ("call_node", "call_hash", read_calls),
    ("task", "hash", read_tasks),
)


class FileUse(NamedTuple):
    """That a job made a file or read it.

    Attributes
    ----------
    path
        The path.
    value_hash
        The address of the file's state at that time.
    job
        The job.
    is_producer
        Whether the job made the file; otherwise it read it.
    """

    path: str
    value_hash: str
    job: JobRow
    is_producer: bool


def list_executions(database: Database, limit: int | None = None, offset: int = 0) -> Sequence[ExecutionRow]:
    """Return executions, newest first.

    Parameters
    ----------
    database
        The database.
    limit
        How many. When there are very many, these are the newest of those that were recorded last; None for all.
    offset
        How many to leave out before.
    """
    order = f" ORDER BY execution.{database.row_order} DESC LIMIT {MAX_EXECUTIONS}"
    recent = "" if limit is None or limit + offset > MAX_EXECUTIONS else order
    end = 2**62 if limit is None else limit
    rows = database.select(_NEWEST.replace("{recent}", recent), end, offset)
    return read_executions(database, [key for (key,) in rows])


def count_jobs(database: Database, execution_id: str) -> int:
    """Return how many jobs an execution has."""
    [(count,)] = database.select("SELECT count(*) FROM job WHERE execution_id = ?", execution_id)
    return int(count)


def parse_place(key: str) -> int | None:
    """Return how many executions are newer than the one that a key names by its place; None if it names none so.

    Examples
    --------
    >>> parse_place("-"), parse_place("~2"), parse_place("3f2a9c")
    (0, 2, None)
    """
    return int(key[1:] or 0) if key == "-" or (key.startswith("~") and key[1:].isdecimal()) else None


def find_records(database: Database, key: str) -> Sequence[Record]:
    """Return what a user may mean by a key.

    Parameters
    ----------
    database
        The database.
    key
        ``-`` for the latest execution, ``~n`` for the one n before it, the start of an id or hash, or a task's name,
        with or without its namespace.
    """
    place = parse_place(key)
    if place is not None:
        return list_executions(database, 1, place)
    found: list[Record] = []
    if len(key) >= MIN_PREFIX:
        for table, column, read in _KINDS:
            found += read(database, _find_prefix(database, table, column, key))
        if not found:
            hashes = _find_prefix(database, "value", "value_hash", key)
            found += read_values(database, hashes).values()
    known = {record.hash for record in found if isinstance(record, TaskRow)}
    return [*found, *(task for task in find_tasks(database, key) if task.hash not in known)]


def find_ids(database: Database, prefix: str, limit: int) -> Sequence[str]:
    """Return ids of executions and jobs that start with a text; without any text, half of each, the latest."""
    if prefix:
        found = [*_find_prefix(database, "execution", "id", prefix), *_find_prefix(database, "job", "id", prefix)]
        return found[:limit]
    statement = f"SELECT id FROM {{table}} ORDER BY {database.row_order} DESC LIMIT ?"  # noqa: S608
    tables = ("execution", "job")
    return [key for table in tables for (key,) in database.select(statement.replace("{table}", table), limit // 2)]


def _find_prefix(database: Database, table: str, column: str, prefix: str) -> Sequence[str]:
    condition, parameters = database.match_prefix(column, prefix)
    statement = f"SELECT {column} FROM {table} WHERE {condition} ORDER BY {column} LIMIT ?"  # noqa: S608
    return [row[0] for row in database.select(statement, *parameters, MAX_RECORDS)]


def find_tasks(database: Database, name: str) -> Sequence[TaskRow]:
    """Return the definitions of a task, by its name with or without its namespace."""
    namespace, dot, own_name = name.rpartition(".")
    statement, parameters = (_TASKS_NAMED_FULLY, (own_name, namespace)) if dot else (_TASKS_NAMED, (own_name,))
    return read_tasks(database, [key for (key,) in database.select(statement, *parameters, MAX_RECORDS)])


def find_first_job(database: Database, task_hash: str) -> JobRow | None:
    """Return the first job of a task, of those that were recorded first."""
    rows = database.select_ordered("id", "job", "task_hash", task_hash, MAX_RECORDS, newest=False)
    jobs = read_jobs(database, [key for (key,) in rows])
    return min(jobs, key=lambda job: job.start_time, default=None)


def find_value_maker(database: Database, value_hash: str) -> JobRow | None:
    """Return the latest job that made a value; one that passed it on did not."""
    use = find_use(database, list_makers(database, list_holders(database, value_hash)), True)
    return None if use is None else read_jobs(database, [use.job_id])[0]


def find_value_use(database: Database, value_hash: str) -> JobRow | None:
    """Return the latest job that made a value, or else that received it."""
    holders = list_holders(database, value_hash)
    use = find_use(database, list_makers(database, holders), True)
    use = use or find_use(database, list_readers(database, holders), False)
    return None if use is None else read_jobs(database, [use.job_id])[0]


def find_file(database: Database, path: str) -> FileUse | None:
    """Return the latest job that made a file, in whatever state; or else the latest that read it.

    A call that passed on what a call below it returned, or what it was given, did not make the file. The path is
    looked for as given, and as it may have been written relative to the working directory.
    """
    states = list(
        chain.from_iterable(
            list_newest(database, "file", "value_hash", "path", spelling, _STATES) for spelling in _spell(path)
        )
    )
    for is_producer, list_calls in ((True, list_makers), (False, list_readers)):
        found = next(filter(None, _find_uses(database, states, is_producer, list_calls)), None)
        if found is not None:
            use, state = found
            return FileUse(path, state, read_jobs(database, [use.job_id])[0], is_producer)
    return None


def _find_uses(
    database: Database, states: Sequence[str], is_producer: bool, list_calls: Callable[[Database, Any], list[str]]
) -> Iterator[tuple[Use, str] | None]:
    """Yield the best use of a file in some of its states, then in the next ones, and so on."""
    remaining = iter(states)
    while some := list(islice(remaining, _STATES_TOGETHER)):
        uses = (
            (find_use(database, list_calls(database, list_holders(database, state)), is_producer), state)
            for state in some
        )
        yield max(((use, state) for use, state in uses if use is not None), default=None)


def _spell(path: str) -> Sequence[str]:
    """Return the ways in which a workflow may have written a path."""
    spellings = [path, os.path.normpath(path)]
    if "://" not in path:
        relative, absolute = os.path.relpath(path), os.path.abspath(path)
        spellings += [relative, f"./{relative}", absolute, f"file://{absolute}"]
    return list(dict.fromkeys(spellings))
