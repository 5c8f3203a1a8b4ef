"""Which of some records another repository lacks, or knows less of.

Most records never change: it has them or it doesn't. The others:

- An *execution* whose root job has ended is settled: another repository has it as a whole once the root job has ended
  there too, which is why that is written last. Of one that is open on both sides, how many jobs there are and how many
  have ended tells whether there is news.
- A *job* ends once. One that was taken for dead may still come to a call.
- An *evaluation* has one result. Where two repositories disagree, the one wins that made its call later.
- A *handle* can become invalid, and valid again. Where two repositories disagree it is invalid: a call too many does no
  harm.

Whoever knows less learns; nothing is taken back.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, NamedTuple

from redun.errors import BackendError
from redun_backend_sql.database import Database
from redun_backend_sql.sync.kinds import TABLES, Kind
from redun_backend_sql.sync.plan import Plan

_ROOTS = (
    "SELECT execution.id, job.id, job.end_time, job.call_hash FROM execution "
    "LEFT JOIN job ON job.id = execution.job_id WHERE execution.id IN ({keys})"
)
_PROGRESS = (
    "SELECT execution_id, count(*), count(end_time) FROM job WHERE execution_id IN ({keys}) GROUP BY execution_id"
)
_JOB_ENDS = "SELECT id, end_time, call_hash FROM job WHERE id IN ({keys})"
_VALIDITY = "SELECT hash, is_valid FROM handle WHERE hash IN ({keys})"
_EVALUATIONS = "SELECT eval_hash, value_hash, task_hash, args_hash FROM evaluation WHERE eval_hash IN ({keys})"
_NEWEST_CALLS = (
    "SELECT args_hash, max(timestamp) FROM call_node WHERE task_hash = ? AND args_hash IN ({keys}) GROUP BY args_hash"
)
_SUBTREES = "SELECT DISTINCT call_hash FROM call_subtree_task WHERE call_hash IN ({keys})"


class End(NamedTuple):
    """How a job ended: when, if it did, and with which call, if it came to one."""

    time: str | None
    call_hash: str | None

    def tells_more(self, other: End) -> bool:
        """Whether this is news to somebody who knows of another end; a job that was taken for dead may end yet."""
        return (self.time is not None and other.time is None) or (
            self.call_hash is not None and other.call_hash is None
        )


class Root(NamedTuple):
    """How far an execution is: its root job, if that is recorded, and how that ended."""

    job_id: str | None
    end: End


class Comparison:
    """Finds out which of some records a destination lacks, or knows less of, and notes them in a plan.

    Parameters
    ----------
    source
        Where records come from.
    destination
        Where they go to; None if nothing is known of that, and everything is wanted.
    plan
        What is wanted.
    is_full
        Whether to look below records that the destination has too.
    is_strict
        Whether an execution without its root job is an error; a run that was killed at its very beginning leaves one.
    """

    def __init__(
        self, source: Database, destination: Database | None, plan: Plan, is_full: bool = False, is_strict: bool = False
    ) -> None:
        self._source = source
        self._destination = destination
        self._plan = plan
        self._is_full = is_full
        self._is_strict = is_strict
        self._special: Mapping[Kind, Callable[[Sequence[str]], Collection[str]]] = {
            Kind.HANDLE: self._compare_handles,
            Kind.EVALUATION: self._compare_evaluations,
            Kind.CALL: self._compare_calls,
            Kind.JOB: self._compare_jobs,
            Kind.EXECUTION: self._compare_executions,
        }

    def compare(self, kind: Kind, ids: Sequence[str]) -> Sequence[str]:
        """Note what is wanted of some records, and return those below which the walk goes on.

        Raises
        ------
        BackendError
            When neither side has a record.
        """
        compare = self._special.get(kind)
        followed = compare(ids) if compare is not None else self._compare_presence(kind, ids)
        return ids if self._is_full else list(followed)

    def _there(self, statement: str, ids: Sequence[str], *first: Any) -> Sequence[Any]:
        return self._destination.select_in(statement, ids, *first) if self._destination is not None else ()

    def _want(self, kind: Kind, ids: Sequence[str], here: Collection[str]) -> None:
        for key in ids:
            if key not in here:
                raise BackendError(
                    f"{self._source.name} refers to the {kind.value} {key}, which it doesn't have: it is damaged"
                )
        self._plan.want(kind, ids)

    def _compare_presence(self, kind: Kind, ids: Sequence[str]) -> Sequence[str]:
        table = TABLES[kind]
        statement = f"SELECT {table.key} FROM {table.name} WHERE {table.key} IN ({{keys}})"  # noqa: S608
        there = {key for (key,) in self._there(statement, ids)}
        lacking = [key for key in ids if key not in there]
        self._want(kind, lacking, {key for (key,) in self._source.select_in(statement, lacking)} if lacking else ())
        return lacking

    def _compare_calls(self, ids: Sequence[str]) -> Sequence[str]:
        lacking = self._compare_presence(Kind.CALL, ids)
        if self._is_full:
            # The destination may have got calls from a program that leaves out the tasks below them.
            known = list(set(ids).difference(lacking))
            there = {key for (key,) in self._there(_SUBTREES, known)}
            here = {key for (key,) in self._source.select_in(_SUBTREES, known)}
            self._plan.change(Kind.CALL, here - there)
        return lacking

    def _compare_handles(self, ids: Sequence[str]) -> Sequence[str]:
        here = dict(self._source.select_in(_VALIDITY, ids))
        there = dict(self._there(_VALIDITY, ids))
        lacking = [key for key in ids if key not in there]
        self._want(Kind.HANDLE, lacking, here)
        self._plan.change(Kind.HANDLE, [key for key, is_valid in there.items() if is_valid and not here.get(key, True)])
        return lacking

    def _compare_evaluations(self, ids: Sequence[str]) -> Sequence[str]:
        # They are asked for by what their key would be; not every call has one.
        here = {key: row for key, *row in self._source.select_in(_EVALUATIONS, ids)}
        there = {key: row for key, *row in self._there(_EVALUATIONS, list(here))}
        wanted = [key for key in here if key not in there]
        disputed = [key for key, row in there.items() if row[0] != here[key][0]]
        if disputed:
            assert self._destination is not None
            calls = [(here[key][1], here[key][2]) for key in disputed]
            ours, theirs = _find_newest(self._source, calls), _find_newest(self._destination, calls)
            times = [(ours.get(call, ""), theirs.get(call, "")) for call in calls]
            wanted += [key for key, (our, their) in zip(disputed, times, strict=True) if our > their]
        self._plan.want(Kind.EVALUATION, wanted)
        return wanted

    def _compare_jobs(self, ids: Sequence[str]) -> Sequence[str]:
        here = {key: End(*end) for key, *end in self._source.select_in(_JOB_ENDS, ids)}
        there = {key: End(*end) for key, *end in self._there(_JOB_ENDS, ids)}
        lacking = [key for key in ids if key not in there]
        ended = [key for key, end in there.items() if key in here and here[key].tells_more(end)]
        self._want(Kind.JOB, lacking, here)
        self._plan.change(Kind.JOB, ended)
        return lacking + ended

    def _compare_executions(self, ids: Sequence[str]) -> Sequence[str]:
        here = {key: Root(job_id, End(*end)) for key, job_id, *end in self._source.select_in(_ROOTS, ids)}
        there = {key: Root(job_id, End(*end)) for key, job_id, *end in self._there(_ROOTS, ids)}
        lacking = [key for key in ids if key not in there]
        whole = {key for key, root in here.items() if root.job_id is not None}
        if not self._is_strict:
            lacking = [key for key in lacking if key in whole]
        known = [key for key in there if key in here]
        changed = [key for key in known if here[key].end.tells_more(there[key].end)]
        open_here = [key for key in known if here[key].end.time is None and there[key].end.time is None]
        changed += self._list_progressed(open_here)
        self._want(Kind.EXECUTION, lacking, whole)
        self._plan.change(Kind.EXECUTION, changed)
        return lacking + changed

    def _list_progressed(self, ids: Sequence[str]) -> Sequence[str]:
        """Return those executions, open on both sides, of which the source knows more."""
        if not ids:
            return ()
        there = {key: progress for key, *progress in self._there(_PROGRESS, ids)}
        return [
            key
            for key, *progress in self._source.select_in(_PROGRESS, ids)
            if any(ours > theirs for ours, theirs in zip(progress, there.get(key, (0, 0)), strict=True))
        ]


def _find_newest(database: Database, keys: Sequence[tuple[str, str]]) -> Mapping[tuple[str, str], str]:
    """Return when calls were last made, by pairs of task and arguments."""
    wanted: dict[str, list[str]] = {}
    for task_hash, args_hash in keys:
        wanted.setdefault(task_hash, []).append(args_hash)
    return {
        (task_hash, args_hash): time
        for task_hash, args_hashes in wanted.items()
        for args_hash, time in database.select_in(_NEWEST_CALLS, args_hashes, task_hash)
    }
