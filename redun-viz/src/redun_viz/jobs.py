"""The jobs of an execution, and the tree of who made whom."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from redun_viz.graph import Edge, Graph, Node
from redun_viz.text import format_seconds


@dataclass(frozen=True, slots=True)
class Job:
    """One call as it happened.

    Attributes
    ----------
    id, parent_id
        The job, and the one that made it; None for the first one.
    task
        The full name of its task.
    status
        ``"DONE"``, ``"CACHED"``, ``"FAILED"``, ``"RUNNING"`` or ``"LOST"``.
    start, end
        When it began and ended, in seconds since the first job began; the end is None while it runs.
    arguments
        Its arguments on one line.
    """

    id: str
    parent_id: str | None
    task: str
    status: str
    start: float
    end: float | None
    arguments: str = ""

    @property
    def seconds(self) -> float:
        """How long it took; 0 while it runs, and if the clock was set back."""
        return 0.0 if self.end is None else max(0.0, self.end - self.start)


def order_jobs(jobs: Iterable[Job]) -> Sequence[Job]:
    """Return jobs as a tree is read: each before those that it made, and these in the order in which they started.

    Those whose maker is not among them come as if nothing had made them.
    """
    below: dict[str | None, list[Job]] = {}
    found = sorted(jobs, key=lambda job: (job.start, job.id), reverse=True)
    known = {job.id for job in found}
    for job in found:
        below.setdefault(job.parent_id if job.parent_id in known else None, []).append(job)
    ordered: list[Job] = []
    stack = below.get(None, [])
    while stack:
        ordered.append(stack.pop())
        stack += below.get(ordered[-1].id, ())
    return ordered


def draw_jobs(jobs: Sequence[Job]) -> Graph:
    """Return the tree of jobs.

    Parameters
    ----------
    jobs
        The jobs, each after the one that made it; a job whose maker is missing stands at the top.
    """
    known = {job.id for job in jobs}
    nodes = [Node(job.id, "job", job.task, _describe(job), job.task, {job.status: 1}, job.id) for job in jobs]
    edges = [
        Edge(job.parent_id, job.id, "call") for job in jobs if job.parent_id is not None and job.parent_id in known
    ]
    return Graph("Jobs", nodes, edges, is_tree=True)


def _describe(job: Job) -> str:
    taken = "" if job.end is None else "cached" if job.status == "CACHED" else format_seconds(job.seconds)
    return " · ".join(part for part in (taken, job.arguments) if part)
