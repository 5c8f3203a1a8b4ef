"""Records from a file, as a database of their own that lasts as long as their import.

A file may name what comes first last, and it may be damaged anywhere. So all of it is read and checked before anything
is written to a repository, and then it is sent there like the records of any other repository: all of it, or, where
the sending is interrupted, a part that hangs together and is continued by importing the file again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice

from redun.errors import BackendError
from redun_backend_sql.database import Database, Insert, Row, Write
from redun_backend_sql.extension import REASON
from redun_backend_sql.rows import WRITES
from redun_backend_sql.sqlite import SqliteDatabase
from redun_backend_sql.sync.copies import HANDLE, HANDLE_EDGE, TAG_EDIT
from redun_backend_sql.sync.parsing import JOB_CHILD, InvalidRecord, parse_record
from redun_backend_sql.sync.store import ABSENCE

MAX_ROWS = 20_000
"""How many rows are held before they are written."""

MAX_BYTES = 16 * 1024 * 1024
"""How many bytes of lines are held before their rows are written, unless one is longer."""

_INDEXES = {
    "argument": "call_hash",
    "call_node": "task_hash",
    "evaluation": "task_hash",
    "handle": "value_hash",
    "handle_edge": "child_id",
    "job": "execution_id",
    "subvalue": "parent_value_hash",
    "tag_edit": "child_id",
}
_JOBS_WITHOUT_EXECUTION = "SELECT id FROM job WHERE execution_id IS NULL LIMIT 1"
_FIND_EXECUTIONS = (
    "CREATE TABLE tree (id PRIMARY KEY, execution_id)",
    "CREATE INDEX job_parent ON job (parent_id)",
    (
        "INSERT INTO tree WITH RECURSIVE below (id, execution_id) AS (SELECT job_id, id FROM execution "
        "UNION SELECT job.id, below.execution_id FROM below JOIN job ON job.parent_id = below.id) "
        "SELECT id, min(execution_id) FROM below GROUP BY id"
    ),
    "UPDATE job SET execution_id = (SELECT execution_id FROM tree WHERE tree.id = job.id) WHERE execution_id IS NULL",
)
_SUPERSEDE_TAGS = "UPDATE tag SET is_current = 0 WHERE tag_hash IN (SELECT parent_id FROM tag_edit)"
_ABSENT_CHILDREN = (
    "SELECT job_child.child_id, job_child.parent_id FROM job_child LEFT JOIN job ON job.id = job_child.child_id "
    "WHERE job.id IS NULL"
)
_JOBS = "SELECT id FROM job WHERE id IN ({keys})"


@contextmanager
def open_staging(name: str) -> Iterator[Database]:
    """Open an empty database for records, a temporary file that goes when it is closed.

    Parameters
    ----------
    name
        Where the records come from, for messages.
    """
    database = SqliteDatabase("")
    database.name = name
    try:
        for insert in _list_inserts():
            key = ", ".join(insert.key)
            database.execute(f"CREATE TABLE {insert.table} ({', '.join(insert.columns)}, PRIMARY KEY ({key}))")
        yield database
    finally:
        database.close()


def _list_inserts() -> Iterator[Insert]:
    yield from (write for write in WRITES if isinstance(write, Insert))
    yield from (HANDLE, HANDLE_EDGE, TAG_EDIT, REASON, ABSENCE, JOB_CHILD)


def stage_records(database: Database, lines: Iterable[bytes], is_trusted: bool = False) -> None:
    """Read records and put them into a database that `open_staging` made.

    Parameters
    ----------
    database
        The database.
    lines
        A record each; empty ones are passed over.
    is_trusted
        Whether to leave out the checks of addresses.

    Raises
    ------
    BackendError
        When a line is no record, or an address in it is wrong.
    """
    rows: dict[Write, list[Row]] = {}
    count = size = 0
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            for insert, row in parse_record(line, is_trusted):
                rows.setdefault(insert, []).append(row)
                count += 1
        except InvalidRecord as error:
            raise BackendError(f"{database.name}, line {number}: {error}. Nothing was imported.") from None
        size += len(line)
        if count >= MAX_ROWS or size >= MAX_BYTES:
            database.write(rows)
            rows, count, size = {}, 0, 0
    database.write(rows)


def complete_records(database: Database, destination: Database) -> None:
    """Work out what records leave to be worked out, and check that no job is missing.

    Raises
    ------
    BackendError
        When a job has no execution, or names a job below it that is neither there nor in the destination.
    """
    for table, column in _INDEXES.items():
        database.execute(f"CREATE INDEX {table}_{column} ON {table} ({column})")
    database.execute(_SUPERSEDE_TAGS)
    if database.select(_JOBS_WITHOUT_EXECUTION):
        for statement in _FIND_EXECUTIONS:
            database.execute(statement)
    for (job_id,) in database.select(_JOBS_WITHOUT_EXECUTION):
        raise BackendError(f"{database.name} has the Job {job_id} without its execution. Nothing was imported.")
    absent = database.iterate(_ABSENT_CHILDREN)
    while part := dict(islice(absent, MAX_ROWS)):
        known = {key for (key,) in destination.select_in(_JOBS, list(part))}
        for child, parent in part.items():
            if child not in known:
                raise BackendError(
                    f"{database.name} refers to the Job {child}, below {parent}, which it doesn't have: "
                    "it is damaged. Nothing was imported."
                )
