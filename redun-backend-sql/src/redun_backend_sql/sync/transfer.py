"""Writing what a plan has from one database to another.

Kinds are written in their order, each page of records in one transaction, so that whenever the writing is interrupted
the destination has everything below what it has. An execution comes with its root job still open, then come its other
jobs; the root jobs end last. Whoever continues later finds the execution open, and what is there already in place.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain

from redun_backend_sql.database import Database, Row
from redun_backend_sql.rows import ARGUMENT_RESULT, CALL_SUBTREE_TASK, EXECUTION, JOB, JOB_END
from redun_backend_sql.sync.copies import (
    COPIES,
    INVALID_HANDLE,
    REASONS,
    SUPERSEDED_TAG,
    TAG_EDIT,
    Group,
    Groups,
    read_groups,
)
from redun_backend_sql.sync.kinds import Kind
from redun_backend_sql.sync.plan import Plan, Report
from redun_backend_sql.sync.store import Store
from redun_backend_sql.sync.subtrees import find_subtrees

PAGE = 2_000
"""How many records are written in one transaction."""

_ROOT_JOBS = (
    f"SELECT {', '.join(f'job.{column}' for column in JOB.columns)} FROM execution "  # noqa: S608
    "JOIN job ON job.id = execution.job_id WHERE execution.id IN ({keys})"
)
_EXECUTIONS = f"SELECT {', '.join(EXECUTION.columns)} FROM execution WHERE id IN ({{keys}})"  # noqa: S608
_JOBS = f"SELECT {', '.join(JOB.columns)} FROM job WHERE id IN ({{keys}})"  # noqa: S608
_LATE_ROWS = (
    "SELECT argument.arg_hash, argument_result.result_call_hash FROM argument "
    "JOIN argument_result ON argument_result.arg_hash = argument.arg_hash "
    "WHERE argument_result.result_call_hash = ? AND argument.call_hash IN ({keys})"
)

_UNTIMED_EXECUTION = replace(EXECUTION, changed=())
_END, _PARENT = JOB.columns.index("end_time"), JOB.columns.index("parent_id")
_UPDATED = EXECUTION.columns.index("updated_time")


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
        self._stores = source, destination
        self._source: Database = source.database
        self._destination: Database = destination.database
        self._plan = plan
        self._report = report
        self._done = 0
        self._total = plan.total()

    def run(self) -> None:
        """Write everything."""
        self._write_values()
        # Those that are values too came with these, unless only the value was there.
        for ids in self._plan.pages(Kind.TASK, PAGE):
            self._write(partial(read_groups, self._source, COPIES[Kind.TASK], ids))
        self._write_kind(Kind.HANDLE)
        for ids in self._plan.changed_pages(Kind.HANDLE, PAGE):
            self._destination.write({INVALID_HANDLE: [(False, key) for key in sorted(ids)]})
            self._note_done(ids)
        self._write_pages(Kind.TAG, self._read_tags)
        self._write_kind(Kind.EVALUATION)
        self._write_calls()
        self._write_executions()

    def _write(self, read: Callable[[], Iterator[Group]]) -> None:
        self._destination.write_groups(Groups(read))

    def _write_pages(self, kind: Kind, read: Callable[[Sequence[str]], Iterator[Group]]) -> None:
        for ids in self._plan.pages(kind, PAGE):
            self._write(partial(read, ids))
            self._note_done(ids)

    def _write_kind(self, kind: Kind) -> None:
        self._write_pages(kind, partial(read_groups, self._source, COPIES[kind]))

    def _note_done(self, ids: Collection[str]) -> None:
        self._done += len(ids)
        self._report(self._done, self._total)

    def _write_values(self) -> None:
        source, destination = self._stores
        others = COPIES[Kind.VALUE][1:]
        for page in self._plan.pages(Kind.VALUE, PAGE):
            for ids in source.split_by_size(page):
                values = destination.place(source.read_values(ids))
                self._write(lambda: chain([values], read_groups(self._source, others, ids)))  # noqa: B023
                self._note_done(ids)

    def _read_tags(self, ids: Sequence[str]) -> Iterator[Group]:
        for group in read_groups(self._source, COPIES[Kind.TAG], ids):
            yield group
            if TAG_EDIT in group:
                yield {SUPERSEDED_TAG: sorted({(False, parent) for parent, _ in group[TAG_EDIT]})}

    def _write_calls(self) -> None:
        late = sorted(self._find_late())
        self._write_pages(Kind.CALL, partial(self._read_calls, frozenset(late)))
        self._destination.write({ARGUMENT_RESULT: late})
        subtrees = [copy for copy in COPIES[Kind.CALL] if copy.insert is CALL_SUBTREE_TASK]
        for ids in self._plan.changed_pages(Kind.CALL, PAGE):
            self._write(partial(read_groups, self._source, subtrees, ids))
            self._note_done(ids)

    def _find_late(self) -> Iterator[Row]:
        for call, upstream in self._plan.late(Kind.CALL):
            yield from map(tuple, self._source.select_in(_LATE_ROWS, [call], upstream))

    def _read_calls(self, late: Collection[Row], ids: Sequence[str]) -> Iterator[Group]:
        for group in read_groups(self._source, COPIES[Kind.CALL], ids):
            if late and ARGUMENT_RESULT in group:
                yield {ARGUMENT_RESULT: [row for row in group[ARGUMENT_RESULT] if tuple(row) not in late]}
            else:
                yield group
        yield {CALL_SUBTREE_TASK: find_subtrees(self._source, self._destination, ids)}

    def _write_executions(self) -> None:
        for ids in self._execution_pages():
            roots = self._source.select_in(_ROOT_JOBS, ids)
            executions = self._source.select_in(_EXECUTIONS, ids)
            self._destination.write(
                {
                    JOB: sorted(map(_open_job, roots)),
                    EXECUTION: sorted(row for row in executions if row[_UPDATED] is not None),
                    _UNTIMED_EXECUTION: sorted(row for row in executions if row[_UPDATED] is None),
                }
            )
        self._write_pages(Kind.JOB, self._read_jobs)
        for ids in self._plan.changed_pages(Kind.JOB, PAGE):
            jobs = self._source.select_in(_JOBS, ids)
            self._destination.write({JOB_END: sorted(_end_job(job) for job in jobs if job[_PARENT] is not None)})
            self._note_done(ids)
        for ids in self._execution_pages():
            roots = self._source.select_in(_ROOT_JOBS, ids)
            self._destination.write({JOB_END: sorted(_end_job(root) for root in roots if root[_END] is not None)})
            self._note_done(ids)

    def _execution_pages(self) -> Iterator[Sequence[str]]:
        yield from self._plan.pages(Kind.EXECUTION, PAGE)
        yield from self._plan.changed_pages(Kind.EXECUTION, PAGE)

    def _read_jobs(self, ids: Sequence[str]) -> Iterator[Group]:
        jobs = self._source.select_in(_JOBS, ids)
        yield {JOB: sorted(job if job[_PARENT] is not None else _open_job(job) for job in jobs)}
        if all(store.has_extension for store in self._stores):
            yield from read_groups(self._source, [REASONS], ids)


def _open_job(job: Row) -> Row:
    """Return the row of a job as it was before it ended."""
    return (*job[:_END], None, job[3], False, None, *job[_PARENT:])


def _end_job(job: Row) -> Row:
    return (job[_END], job[4], job[5], job[0])
