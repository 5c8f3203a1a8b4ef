"""Which jobs an execution waited for: its critical path.

The path is found backwards from the end. A job ended when the last of the jobs below it did, so that one is on the
path; what the job waited for before that one began is the one that ended last before then, and so on. The time in
which nothing below a job was waited for is its own. So the path is a sequence of spans of time, each of one job, that
follow one another without gaps from the start to the end of the first job: making anything in it shorter may make the
execution shorter, and making anything else shorter does not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from redun_viz.jobs import Job


class Span(NamedTuple):
    """A stretch of time in which an execution waited for a job itself, and not for one below it."""

    job_id: str
    start: float
    end: float


def find_critical_path(jobs: Sequence[Job], root_id: str, now: float) -> Sequence[Span]:
    """Return the spans of the critical path, the first one first.

    Parameters
    ----------
    jobs
        All jobs below the root, and the root.
    root_id
        The job whose time is explained.
    now
        When what still runs is taken to end, in seconds since the first job began.

    Examples
    --------
    >>> main = Job("a", None, "main", "DONE", 0, 9)
    >>> below = [Job("b", "a", "load", "DONE", 1, 4), Job("c", "a", "fit", "DONE", 4, 8)]
    >>> [(span.job_id, span.end - span.start) for span in find_critical_path([main, *below], "a", 9)]
    [('a', 1), ('b', 3), ('c', 4), ('a', 1)]
    """
    below = _order_children(jobs, now)
    root = next(job for job in jobs if job.id == root_id)
    spans: list[Span] = []
    # What is to be explained, the latest time on top: the job, its start and end, until when, and the next child.
    stack = [(root, root.start, _end_of(root, now), _end_of(root, now), 0)]
    while stack:
        job, start, end, until, index = stack.pop()
        children = below.get(job.id, ())
        while index < len(children) and not _fits(children[index], start, end, until, now):
            index += 1
        if index == len(children):
            _add(spans, job, start, until)
            continue
        child = children[index]
        child_start, child_end = max(start, child.start), min(end, _end_of(child, now))
        _add(spans, job, child_end, until)
        stack.append((job, start, end, child_start, index + 1))
        stack.append((child, child_start, child_end, child_end, 0))
    return spans[::-1]


def _order_children(jobs: Sequence[Job], now: float) -> Mapping[str, Sequence[Job]]:
    """Return the jobs below each, those that ended last first; jobs that took no time explain none."""
    below: dict[str, list[Job]] = {}
    for job in jobs:
        if job.parent_id is not None and _end_of(job, now) > job.start:
            below.setdefault(job.parent_id, []).append(job)
    for children in below.values():
        children.sort(key=lambda job: (_end_of(job, now), job.start), reverse=True)
    return below


def _fits(child: Job, start: float, end: float, until: float, now: float) -> bool:
    """Whether a job ended by a time, within the one above it; clocks of several machines may disagree about that."""
    child_end = min(end, _end_of(child, now))
    return max(start, child.start) < child_end <= until


def _end_of(job: Job, now: float) -> float:
    return max(job.start, now if job.end is None else job.end)


def _add(spans: list[Span], job: Job, start: float, end: float) -> None:
    if end > start:
        spans.append(Span(job.id, start, end))
