"""Reading the rows of records from one database as another one takes them.

The rows of a page of records come in groups of a bounded number, however many rows belong to one record.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import NamedTuple

from redun_backend_sql.database import Database, Insert, Row, Update, Write
from redun_backend_sql.extension import REASON
from redun_backend_sql.rows import (
    ARGUMENT,
    ARGUMENT_RESULT,
    CALL_EDGE,
    CALL_NODE,
    CALL_SUBTREE_TASK,
    EVALUATION,
    EXECUTION,
    FILE,
    JOB,
    SUBVALUE,
    TAG,
    TASK,
    VALUE,
)
from redun_backend_sql.sync.kinds import Kind

HANDLE = Insert("handle", ("hash", "fullname", "value_hash", "key", "is_valid"), ("hash",))
HANDLE_EDGE = Insert("handle_edge", ("parent_id", "child_id"), ("parent_id", "child_id"))
INVALID_HANDLE = Update("handle", ("is_valid",), "hash")
TAG_EDIT = Insert("tag_edit", ("parent_id", "child_id"), ("parent_id", "child_id"))
SUPERSEDED_TAG = Update("tag", ("is_current",), "tag_hash")

GROUP = 10_000
"""How many rows a group has at most."""

_KEPT = 10
"""How many groups are read before they are written, so that what they are written to is not kept waiting."""

Group = Mapping[Write, Sequence[Row]]


class Copy(NamedTuple):
    """A table that has rows of a kind of records: what is written, and how it is read for some records."""

    insert: Insert
    statement: str


def _copy(insert: Insert, key: str) -> Copy:
    # An enumeration is no text to PostgreSQL.
    columns = ", ".join(insert.columns).replace("entity_type", "CAST(entity_type AS VARCHAR)")
    return Copy(insert, f"SELECT {columns} FROM {insert.table} WHERE {key} IN ({{keys}})")  # noqa: S608


COPIES: Mapping[Kind, Sequence[Copy]] = {
    Kind.VALUE: (
        _copy(VALUE, "value_hash"),
        _copy(FILE, "value_hash"),
        _copy(SUBVALUE, "parent_value_hash"),
        _copy(TASK, "hash"),
    ),
    Kind.TASK: (_copy(TASK, "hash"),),
    Kind.HANDLE: (_copy(HANDLE, "hash"), _copy(HANDLE_EDGE, "child_id")),
    Kind.TAG: (_copy(TAG, "tag_hash"), _copy(TAG_EDIT, "child_id")),
    Kind.EVALUATION: (_copy(EVALUATION, "eval_hash"),),
    Kind.CALL: (
        _copy(CALL_NODE, "call_hash"),
        _copy(ARGUMENT, "call_hash"),
        Copy(
            ARGUMENT_RESULT,
            "SELECT argument_result.arg_hash, argument_result.result_call_hash FROM argument "
            "JOIN argument_result ON argument_result.arg_hash = argument.arg_hash "
            "WHERE argument.call_hash IN ({keys})",
        ),
        _copy(CALL_EDGE, "parent_id"),
        _copy(CALL_SUBTREE_TASK, "call_hash"),
    ),
    Kind.JOB: (_copy(JOB, "id"),),
    Kind.EXECUTION: (_copy(EXECUTION, "id"),),
}
"""Where the rows of records are, in the order in which they are written."""

REASONS = _copy(REASON, "job_id")
"""Why jobs ran, where a database has tables beside the schema."""


def read_groups(database: Database, copies: Sequence[Copy], ids: Sequence[str]) -> Iterator[Group]:
    """Yield the rows that records have in some tables, in groups."""
    for copy in copies:
        rows = database.iterate_in(copy.statement, ids)
        while part := list(islice(rows, GROUP)):
            yield {copy.insert: part}


class Groups(Iterable[Group]):
    """Groups of rows that are read whenever they are wanted; the first few are kept, and if that is all, all of them.

    Parameters
    ----------
    read
        Reads them.
    """

    def __init__(self, read: Callable[[], Iterator[Group]]) -> None:
        self._read = read
        first = list(islice(read(), _KEPT + 1))
        self._kept = first if len(first) <= _KEPT else None

    def __iter__(self) -> Iterator[Group]:
        return self._read() if self._kept is None else iter(self._kept)
