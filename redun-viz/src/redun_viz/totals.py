"""What the jobs of each task came to, together: how many, how long, and how many at a time.

Jobs are counted one after the other and not kept, so that a million of them take no more room than a few.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import accumulate

from redun_viz.graph import Edge, Graph, Node
from redun_viz.jobs import Job
from redun_viz.text import format_count, format_seconds

MAX_TASKS = 500
"""How many tasks are told apart; the jobs of all others are counted together."""

OTHER = "(other tasks)"
"""What stands for the tasks beyond that."""

PARTS = 240
"""In how many parts the time of an execution is divided to say how many jobs ran in each."""


@dataclass
class TaskTotal:
    """The jobs of one task.

    Attributes
    ----------
    count
        How many there are.
    statuses
        How many have each status.
    seconds
        How long those took that were not answered from the cache, together.
    first, last
        When the first of them began, and the last of them ended.
    changes
        By how many jobs those that run became more, at the start of each part of the execution's time.
    """

    count: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    first: float = float("inf")
    last: float = 0.0
    changes: list[int] = field(default_factory=lambda: [0] * (PARTS + 1))

    @property
    def running(self) -> Sequence[int]:
        """How many jobs ran in each part of the execution's time."""
        return list(accumulate(self.changes[:PARTS]))


@dataclass
class Totals:
    """The jobs of an execution by task, and how often each task made another one."""

    tasks: dict[str, TaskTotal] = field(default_factory=dict)
    calls: Counter[tuple[str, str]] = field(default_factory=Counter)

    def find_name(self, task: str) -> str:
        """Return the name under which a task is counted."""
        return task if task in self.tasks or len(self.tasks) < MAX_TASKS else OTHER


def count_jobs(jobs: Iterable[tuple[Job, str | None]], seconds: float) -> Totals:
    """Return what jobs come to.

    Parameters
    ----------
    jobs
        The jobs, each with the task of the job that made it; gone through once.
    seconds
        When the execution ended, in seconds since its first job began.
    """
    totals = Totals()
    for job, caller in jobs:
        name = totals.find_name(job.task)
        _count(totals.tasks.setdefault(name, TaskTotal()), job, seconds)
        if caller is not None:
            above = totals.find_name(caller)
            totals.tasks.setdefault(above, TaskTotal())
            totals.calls[above, name] += 1
    return totals


def _count(total: TaskTotal, job: Job, seconds: float) -> None:
    end = seconds if job.end is None else job.end
    total.count += 1
    total.statuses[job.status] += 1
    total.first, total.last = min(total.first, job.start), max(total.last, end)
    if job.status != "CACHED":
        total.seconds += max(0.0, end - job.start)
        total.changes[_find_part(job.start, seconds)] += 1
        total.changes[_find_part(end, seconds) + 1] -= 1


def _find_part(time: float, seconds: float) -> int:
    return 0 if seconds <= 0 else min(PARTS - 1, max(0, int(PARTS * time / seconds)))


def draw_totals(totals: Totals) -> Graph:
    """Return the graph of which task made which."""
    nodes = [
        Node(name, "task", name, _describe(total), name, dict(total.statuses), None, total.count)
        for name, total in totals.tasks.items()
    ]
    edges = [Edge(above, below, "call", "", count) for (above, below), count in totals.calls.items()]
    is_cut = OTHER in totals.tasks
    return Graph("Jobs, by task", nodes, edges, note=f"The first {MAX_TASKS} tasks are told apart." if is_cut else "")


def _describe(total: TaskTotal) -> str:
    return f"{format_count(total.count, 'job')} · {format_seconds(total.seconds)}"
