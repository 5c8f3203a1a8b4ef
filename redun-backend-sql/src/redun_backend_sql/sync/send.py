"""Sending the records of one store to another: what push, pull and import have in common.

What is sent depends on where a search begins: at some records, at all executions, or at everything that there is.

A store where nothing happened since it was last sent somewhere has no news, and finding that out must cost next to
nothing. Executions show it themselves (`compare`). Tags can be on anything, so how many there were is remembered by the
sender: if there are as many more as the search has met, none is new elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass

from redun_backend_sql.sync.compare import Comparison
from redun_backend_sql.sync.kinds import TABLES, Kind
from redun_backend_sql.sync.plan import Plan, Report
from redun_backend_sql.sync.store import Store
from redun_backend_sql.sync.transfer import Transfer
from redun_backend_sql.sync.walk import Walk

_EXECUTIONS = "SELECT id FROM execution"
_INVALID_HANDLES = "SELECT hash FROM handle WHERE NOT is_valid"
_TAGS = "SELECT tag_hash FROM tag"
_COUNT_TAGS = "SELECT count(*) FROM tag"
_TASKS_WITHOUT_CALLS = (
    "SELECT hash FROM task WHERE EXISTS (SELECT 1 FROM evaluation WHERE evaluation.task_hash = task.hash) "
    "AND NOT EXISTS (SELECT 1 FROM call_node WHERE call_node.task_hash = task.hash)"
)
_EVALUATIONS = "SELECT eval_hash FROM evaluation WHERE task_hash = ?"


def ignore_progress(done: int, total: int) -> None:
    """Tell nobody about the progress."""


@dataclass(frozen=True)
class Search:
    """How records to be sent are found.

    Attributes
    ----------
    destination
        Where they go to; None if that is not known, so that everything is found.
    is_full
        Whether to look below records that the destination has too.
    is_strict
        Whether the source must have every execution's root job.
    report
        Is told how many records were looked at.
    """

    destination: Store | None = None
    is_full: bool = False
    is_strict: bool = False
    report: Report = ignore_progress

    def start(self, source: Store, plan: Plan, looks_at_tags: bool = True) -> Walk:
        """Return a walk through a store."""
        there = self.destination.database if self.destination is not None else None
        comparison = Comparison(source.database, there, plan, self.is_full, self.is_strict)
        return Walk(source.database, comparison, plan, self.report, looks_at_tags)


Find = Callable[[Search, Store, Plan], None]
"""Finds records in a store and notes them in a plan."""


@dataclass(frozen=True)
class FindSome:
    """Finds some records with all that hangs together with them."""

    roots: Iterable[tuple[Kind, str]]

    def __call__(self, search: Search, source: Store, plan: Plan) -> None:
        """Find them."""
        for kind, key in self.roots:
            plan.add(kind, [key])
        search.start(source, plan).run()


@dataclass
class FindExecutions:
    """Finds all executions with all that hangs together with them, and all tags.

    Attributes
    ----------
    tags
        How many tags the source had when it was last sent to the destination, None if that is not known; after the
        search, how many it has.
    """

    tags: int | None = None

    def __call__(self, search: Search, source: Store, plan: Plan) -> None:
        """Find them."""
        database, known = source.database, None if search.is_full else self.tags
        walk = search.start(source, plan, looks_at_tags=known is not None)
        walk.find(Kind.EXECUTION, database.iterate(_EXECUTIONS))
        walk.find(Kind.HANDLE, database.iterate(_INVALID_HANDLES))
        if known is None:
            walk.find(Kind.TAG, database.iterate(_TAGS))
        walk.run()
        self.tags = int(database.select(_COUNT_TAGS)[0][0])
        if known is not None and self.tags != known + plan.count(Kind.TAG):
            walk.find(Kind.TAG, database.iterate(_TAGS))
            walk.run()
        if plan.total():
            # How a `catch` ended is recorded without a call, so nothing leads there.
            for (task_hash,) in database.select(_TASKS_WITHOUT_CALLS):
                walk.find(Kind.EVALUATION, database.iterate(_EVALUATIONS, task_hash))
            walk.run()


def find_everything(search: Search, source: Store, plan: Plan) -> None:
    """Find all records of a store, whether they hang together with executions or not."""
    walk = search.start(source, plan, looks_at_tags=False)
    for kind, table in TABLES.items():
        walk.find(kind, source.database.iterate(f"SELECT {table.key} FROM {table.name}"))  # noqa: S608
    walk.run()


def send(
    source: Store,
    destination: Store,
    find: Find,
    report: Report = ignore_progress,
    is_full: bool = False,
    is_strict: bool = False,
) -> int:
    """Send records from one store to another.

    Parameters
    ----------
    source, destination
        Where records come from, and where they go to.
    find
        Finds them.
    report
        Is told about the progress.
    is_full
        Whether to look below records that the destination has too.
    is_strict
        Whether the source must have every execution's root job.

    Returns
    -------
    int
        How many records were new to the destination, or had news for it.

    Raises
    ------
    BackendError
        When something is missing on both sides that is referred to, or a database can't be used.
    """
    with closing(Plan()) as plan, source.database.snapshot():
        find(Search(destination, is_full, is_strict, report), source, plan)
        count = plan.total()
        if count:
            Transfer(source, destination, plan, report).run()
        return count
