"""Finding everything that hangs together with some records.

The walk goes from records that are asked for to all that they refer to, a batch of one kind at a time. What the
destination has already, it has with everything below (`kinds`), so the walk goes no further there; but what is attached
to it may be new: tags, and states of handles. That is looked for on everything that is met.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any

from redun.hashing import hash_eval
from redun.tags import CONTEXT_KEY
from redun_backend_sql.database import Database
from redun_backend_sql.sync.compare import Comparison
from redun_backend_sql.sync.kinds import ATTACHED, REFERENCES, TABLES, Kind, Order, Reference
from redun_backend_sql.sync.plan import Plan, Report

BATCH = 2_000
"""How many ids are looked at together."""

_CONTEXTS = "SELECT value FROM tag WHERE key = ? AND tag_hash IN ({keys})"
_VALUES = "SELECT value_hash FROM value WHERE value_hash IN ({keys})"
_CALL_KEYS = "SELECT task_hash, args_hash FROM call_node WHERE call_hash IN ({keys})"
_OPEN_TASKS = "SELECT DISTINCT task_hash FROM job WHERE id IN ({keys}) AND call_hash IS NULL"
_EVALUATIONS_WITHOUT_CALL = (
    "SELECT task_hash, args_hash FROM evaluation WHERE task_hash = ? "
    "EXCEPT SELECT task_hash, args_hash FROM call_node WHERE task_hash = ?"
)


class Walk:
    """Finds what is to be written, and notes it in a plan.

    Parameters
    ----------
    source
        Where records come from.
    comparison
        What the destination lacks.
    plan
        Has the records to begin with.
    report
        Is told how many records were looked at.
    looks_at_tags
        Whether to find the tags of everything that is met.
    """

    def __init__(
        self, source: Database, comparison: Comparison, plan: Plan, report: Report, looks_at_tags: bool = True
    ) -> None:
        self._source = source
        self._comparison = comparison
        self._plan = plan
        self._report = report
        self._met = 0
        self._attachable = {kind for kind in (Kind.TAG, Kind.HANDLE) if self._has(kind)}
        if not looks_at_tags:
            self._attachable.discard(Kind.TAG)
        self._open_tasks: set[str] = set()

    def run(self) -> None:
        """Walk on until nothing new is found.

        Raises
        ------
        BackendError
            When something is referred to that neither side has.
        """
        while sum(self._advance(kind) for kind in Kind):
            pass

    def _advance(self, kind: Kind) -> bool:
        ids = self._plan.take(kind, BATCH)
        if not ids:
            return False
        self._met += len(ids)
        self._report(self._met, 0)
        followed = self._comparison.compare(kind, ids)
        # An edit of a tag may be new where the tag is not.
        for reference in REFERENCES[kind]:
            self._follow(kind, reference, ids if kind is Kind.TAG else followed)
        if kind is Kind.TAG:
            self._find_contexts(followed)
        elif kind is Kind.CALL:
            self._find_evaluations(self._source.iterate_in(_CALL_KEYS, followed))
        elif kind is Kind.JOB:
            self._find_evaluations_without_call(followed)
        for reference in ATTACHED.get(kind, ()):
            if reference.target in self._attachable:
                self._follow(kind, reference, ids)
        return True

    def _has(self, kind: Kind) -> bool:
        return bool(self._source.select(f"SELECT 1 FROM {TABLES[kind].name} LIMIT 1"))  # noqa: S608

    def find(self, kind: Kind, rows: Iterable[Sequence[Any]]) -> None:
        """Note records by the ids that some rows begin with, however many rows these are."""
        rows = iter(rows)
        while part := list(islice(rows, BATCH)):
            self._plan.add(kind, {row[0] for row in part})

    def _follow(self, kind: Kind, reference: Reference, ids: Sequence[str]) -> None:
        rows = self._source.iterate_in(reference.statement, ids)
        while part := list(islice(rows, BATCH)):
            self._plan.add(reference.target, {row[1] for row in part})
            if reference.order is not Order.ANY:
                self._plan.need(kind, part, reference.order)

    def _find_contexts(self, tags: Sequence[str]) -> None:
        """Find the contexts that calls are tagged with; some programs record only their address."""
        addresses = [json.loads(cell) for (cell,) in self._source.select_in(_CONTEXTS, tags, CONTEXT_KEY)]
        texts = [address for address in addresses if isinstance(address, str)]
        self._plan.add(Kind.VALUE, [address for (address,) in self._source.select_in(_VALUES, texts)])

    def _find_evaluations(self, keys: Iterable[Sequence[str]]) -> None:
        self.find(Kind.EVALUATION, ((hash_eval(task_hash, args_hash),) for task_hash, args_hash in keys))

    def _find_evaluations_without_call(self, jobs: Sequence[str]) -> None:
        """Find what tasks returned whose calls then never ended, because their run was killed or is going on."""
        tasks = {task_hash for (task_hash,) in self._source.select_in(_OPEN_TASKS, jobs)} - self._open_tasks
        self._open_tasks |= tasks
        for task_hash in tasks:
            self._find_evaluations(self._source.iterate(_EVALUATIONS_WITHOUT_CALL, task_hash, task_hash))
