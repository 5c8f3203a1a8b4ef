"""How two executions differ: tasks that came or went, changed sources and results, what ran, and how long it took.

Calls are matched by the name of their task and the address of their arguments. Both executions are read in that order,
so that the cost in memory does not depend on how many jobs they have.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from heapq import merge
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple

from redun_backend_sql.database import Database
from redun_backend_sql.display import format_duration, format_execution, format_job
from redun_backend_sql.records import (
    ExecutionRow,
    join_name,
    parse_time,
    read_calls,
    read_jobs,
    read_lines,
    read_tags,
    read_values,
    value_of,
)

MAX_SHOWN = 10
"""How many calls of one sort are listed."""

_CALLS = (
    "SELECT task.namespace{bytes}, task.name{bytes}, COALESCE(call_node.args_hash, ''){bytes} AS args_hash, "
    "job.task_hash, job.id, job.call_hash, call_node.value_hash, job.cached, job.start_time, job.end_time "
    "FROM job JOIN task ON task.hash = job.task_hash "
    "LEFT JOIN call_node ON call_node.call_hash = job.call_hash WHERE job.execution_id = ? ORDER BY 1, 2, 3"
)
_BY_BYTES = {"sqlite": "", "postgresql": ' COLLATE "C"'}
"""What makes a kind of database sort texts as Python does."""

_BEFORE, _AFTER = 0, 1


class _Call(NamedTuple):
    key: tuple[str, str, str]
    side: int
    job_id: str
    task_hash: str
    call_hash: str | None
    value_hash: str | None
    cached: bool
    seconds: float


@dataclass
class TaskDiff:
    """What became of the calls of one task in two executions; pairs are of the first one and of the second one.

    Attributes
    ----------
    jobs, ran
        How many jobs there were, and how many of them were not answered from the cache.
    seconds
        How long those took that ran, together.
    hashes
        The definitions that were used.
    """

    jobs: list[int] = field(default_factory=lambda: [0, 0])
    ran: list[int] = field(default_factory=lambda: [0, 0])
    seconds: list[float] = field(default_factory=lambda: [0.0, 0.0])
    hashes: tuple[set[str], set[str]] = field(default_factory=lambda: (set(), set()))


@dataclass
class ExecutionDiff:
    """How two executions differ; of calls, those that are shown, and how many there are.

    Attributes
    ----------
    tasks
        What became of each task, by name.
    changed
        Pairs of calls with the same arguments and other results, by their addresses.
    only
        Jobs whose calls are in one execution only.
    """

    tasks: dict[str, TaskDiff] = field(default_factory=dict)
    changed: list[tuple[str, str]] = field(default_factory=list)
    changed_count: int = 0
    only: tuple[list[str], list[str]] = field(default_factory=lambda: ([], []))
    only_count: list[int] = field(default_factory=lambda: [0, 0])


def compare_executions(database: Database, before: str, after: str) -> ExecutionDiff:
    """Return how an execution differs from another one, by their ids."""
    diff = ExecutionDiff()
    with database.snapshot():
        calls = merge(_read(database, before, _BEFORE), _read(database, after, _AFTER), key=attrgetter("key"))
        for (namespace, name, args_hash), group in groupby(calls, key=attrgetter("key")):
            same = list(group)
            _count(diff.tasks.setdefault(join_name(namespace, name), TaskDiff()), same)
            if args_hash:
                _match(diff, same)
    return diff


def _read(database: Database, execution_id: str, side: int) -> Iterator[_Call]:
    statement = _CALLS.format(bytes=_BY_BYTES[database.dialect])
    for *key, task_hash, job_id, call_hash, value_hash, cached, start, end in database.iterate(statement, execution_id):
        seconds = 0.0 if end is None else (parse_time(end) - parse_time(start)).total_seconds()
        namespace, name, args_hash = key
        yield _Call((namespace, name, args_hash), side, job_id, task_hash, call_hash, value_hash, bool(cached), seconds)


def _count(task: TaskDiff, calls: Iterable[_Call]) -> None:
    for call in calls:
        task.jobs[call.side] += 1
        task.hashes[call.side].add(call.task_hash)
        if not call.cached:
            task.ran[call.side] += 1
            task.seconds[call.side] += call.seconds


def _match(diff: ExecutionDiff, calls: Sequence[_Call]) -> None:
    """Note whether calls with the same arguments are in one execution only, or have other results in each."""
    sides: tuple[list[_Call], list[_Call]] = ([], [])
    for call in calls:
        sides[call.side].append(call)
    before, after = sides
    if not (before and after):
        side = _BEFORE if before else _AFTER
        diff.only_count[side] += 1
        if len(diff.only[side]) < MAX_SHOWN:
            diff.only[side].append(calls[0].job_id)
    elif {call.value_hash for call in before} != {call.value_hash for call in after}:
        diff.changed_count += 1
        first, second = before[0].call_hash, after[-1].call_hash
        if len(diff.changed) < MAX_SHOWN and first and second:
            diff.changed.append((first, second))


def describe_diff(database: Database, before: ExecutionRow, after: ExecutionRow) -> Iterator[str]:
    """Yield the lines that show how an execution differs from another one."""
    diff = compare_executions(database, before.id, after.id)
    tags = read_tags(database, [before.id, after.id])
    for execution in (before, after):
        yield format_execution(execution, tags.get(execution.id, ()))
    yield f"Duration: {_duration(before)} --> {_duration(after)}"
    yield from _describe_tasks(diff)
    yield from _describe_results(database, diff)
    for side, execution in enumerate((before, after)):
        if diff.only_count[side]:
            yield ""
            yield f"Calls in Exec {execution.id[:8]} only: {diff.only_count[side]}"
            lines = read_lines(database, read_jobs(database, diff.only[side]))
            yield from (f"  {format_job(line)}" for line in lines)
            yield from _cut(diff.only_count[side] - len(lines))


def _duration(execution: ExecutionRow) -> str:
    root = execution.root
    return "unknown" if root is None or root.end_time is None else format_duration(root.start_time, root.end_time)


def _describe_tasks(diff: ExecutionDiff) -> Iterator[str]:
    rows = [("TASK", "JOBS", "RAN", "SECONDS", "")]
    for name, task in sorted(diff.tasks.items()):
        before, after = task.hashes
        note = "added" if not before else "removed" if not after else "source changed" if before != after else ""
        seconds = [f"{seconds:.2f}" for seconds in task.seconds]
        if note or task.jobs[0] != task.jobs[1] or task.ran[0] != task.ran[1]:
            rows.append((name, _pair(task.jobs), _pair(task.ran), _pair(seconds), note))
    yield ""
    if len(rows) == 1:
        yield "The same tasks ran as often, with the same sources."
        return
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _pair(values: Sequence[object]) -> str:
    before, after = values
    return f"{before} --> {after}" if before != after else str(before)


def _describe_results(database: Database, diff: ExecutionDiff) -> Iterator[str]:
    if not diff.changed_count:
        return
    calls = {call.call_hash: call for call in read_calls(database, [key for pair in diff.changed for key in pair])}
    values = read_values(database, {call.value_hash for call in calls.values()})
    yield ""
    yield f"Other results for the same arguments: {diff.changed_count}"
    for first, second in diff.changed:
        before, after = (value_of(values, calls[key].value_hash).preview for key in (first, second))
        yield f"  {calls[second].task_name} (call {second[:8]}): {before} --> {after}"
    yield from _cut(diff.changed_count - len(diff.changed))


def _cut(count: int) -> Iterator[str]:
    if count > 0:
        yield f"  ... and {count} more"
