"""Writing what a plan has from one database to another.

Kinds are written in their order, each page of records in one transaction, so that whenever the writing is interrupted
the destination has everything below what it has. An execution comes with its root job still open, then come its other
jobs; the root jobs end last. Whoever continues later finds the execution open, and what is there already in place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import chain

from redun_backend_sql.database import Database, Row
from redun_backend_sql.rows import ARGUMENT_RESULT, CALL_SUBTREE_TASK, EXECUTION, JOB, JOB_END, VALUE
from redun_backend_sql.sync.copies import (
    COPIES,
    INVALID_HANDLE,
    SUPERSEDED_TAG,
    TAG_EDIT,
    Copy,
    Group,
    Groups,
    read_groups,
    read_rows,
)
from redun_backend_sql.sync.kinds import UPSTREAM_ROWS, Kind
from redun_backend_sql.sync.plan import Plan
from redun_backend_sql.sync.store import Store
from redun_backend_sql.sync.subtrees import find_subtrees

PAGE = 2_000
"""How many records are written in one transaction."""

MAX_BYTES = 16 * 1024 * 1024
"""How many bytes of values are written in one transaction, if they are more than one."""

_SIZES = "SELECT value_hash, length(value) FROM value WHERE value_hash IN ({keys})"
_SUBTREES = Copy(CALL_SUBTREE_TASK, "SELECT call_hash, task_hash FROM call_subtree_task WHERE call_hash IN ({keys})")
_ROOT_JOBS = Copy(
    JOB,
    f"SELECT {', '.join(f'job.{column}' for column in JOB.columns)} FROM execution "  # noqa: S608
    "JOB ON job.id = execution.job_id WHERE execution.id IN ({keys})",
)

Report = Callable[[int, int], None]
"""Is told how many records are written, and of how many."""


class Transfer:
    """Writes what a plan wants.

    Parameters
    ----------
    source, destination
        Where records come from, and where they go to.
    plan
        The records.
    report
        Is told about the progress.
    """

    def __init__(self, source: Store, destination: Store, plan: Plan, report: Report) -> None:
        self._source = source.database
        self._destination = destination.database
        self._stores = source, destination
        self._plan = plan
        self._report = report
        self._done = 0
        self._total = plan.total()

    def run(self) -> None:
        """Write everything."""
        self._write_kind(Kind.TASK)
        self._write_values()
        self._write_kind(Kind.HANDLE)
        for ids in self._plan.changed_pages(Kind.HANDLE, PAGE):
            self._destination.write({INVALID_HANDLE: [(False, id) for id in sorted(ids)]})
        self._write_pages(Kind.TAG, self._read_tags)
        self._write_kind(Kind.EVALUATION)
        self._write_calls()
        self._write_executions()
        self._report(self._total, self._total)

    def _write(self, read: Callable[[], Iterator[Group]]) -> None:
        self._destination.write_groups(Groups(read))

    def _write_pages(self, kind: Kind, read: Callable[[Sequence[str]], Iterator[Group]]) -> None:
        for ids in self._plan.pages(kind, PAGE):
            self._write(partial(read, ids))
            self._note_done(len(ids))

    def _write_kind(self, kind: Kind) -> None:
        self._write_pages(kind, partial(read_groups, self._source, COPIES[kind]))

    def _note_done(self, count: int) -> None:
        self._done += count
        self._report(self._done, self._total)

    def _write_values(self) -> None:
        own, *others = COPIES[Kind.VALUE]
        for page in self._plan.pages(Kind.VALUE, PAGE):
            for ids in split_by_size(self._source, page):
                ...
