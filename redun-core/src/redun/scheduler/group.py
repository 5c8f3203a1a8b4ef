"""Groups of calls that end together: those below one `catch_all` with a policy of its own.

A group is *open* until the first of its expressions fails; then it is *closed*: none of its calls starts any more, and
those that run are waited for, or stopped. A call that is needed from outside of the group, too, is *kept*: it goes on,
with everything below it. Groups lie inside one another; what is closed is closed for all groups inside.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from redun.errors import StoppedCallError
from redun.promise import Promise, wait_promises
from redun.scheduler.job import Job, list_ancestors
from redun.scheduler.job_env import JobEnv
from redun.traceback import safe_repr

Close = Callable[["CallGroup"], "Sequence[Promise[Any]]"]
"""Ends what a closed group does not allow any more, and returns the promises of its calls that go on."""


class CallGroup:
    """Calls that end together.

    Parameters
    ----------
    outer
        The group that it lies in, if any.
    close
        Called when the group has been closed.

    Attributes
    ----------
    cause : str
        Why it is closed; empty while it is open.
    problem : StoppedCallError or None
        What its calls that have not started fail with, once it is closed.
    ended : Promise
        Fulfilled when no call runs any more that has to be waited for.
    """

    __slots__ = ("_close", "_kept", "cause", "ended", "outer", "problem")

    def __init__(self, outer: CallGroup | None, close: Close) -> None:
        self.outer = outer
        self.cause = ""
        self.problem: StoppedCallError | None = None
        self.ended: Promise[Any] = wait_promises([])
        self._close = close
        self._kept: set[Job] = set()

    def note(self, settled: Promise[Any]) -> None:
        """Close the group if one of its expressions has failed of itself."""
        if settled.is_fulfilled or isinstance(settled.error, StoppedCallError) or self.problem is not None:
            return
        self.cause = f"because a call beside it failed: {safe_repr(settled.error)}"
        self.problem = StoppedCallError(f"not started, {self.cause}")
        self.ended = wait_promises(self._close(self))

    def keep(self, job: Job) -> None:
        """Let a call of the group go on that is needed from outside of it."""
        self._kept.add(job)

    def has(self, job: Job) -> bool:
        """Whether a job ends with the group."""
        return self in list_groups(job) and not self.keeps(job)

    def keeps(self, job: Job | JobEnv) -> bool:
        """Whether a job belongs to a call that is kept."""
        if not self._kept:
            return False
        job = job.job if isinstance(job, JobEnv) else job
        return job in self._kept or any(above in self._kept for above in list_ancestors(job))


def list_groups(job: Job | JobEnv) -> Iterator[CallGroup]:
    """Yield the groups that a job belongs to, the innermost first."""
    group = job.group
    while group is not None:
        yield group
        group = group.outer


def find_problem(job: Job | JobEnv) -> StoppedCallError | None:
    """Return why nothing of a job may start any more; None if it may."""
    for group in list_groups(job):
        if group.problem is not None and not group.keeps(job):
            return group.problem
    return None


def note_need(job: Job, twin: Job) -> None:
    """Note that a job needs the call that another one makes, which goes on for it in whatever group that is."""
    own = set(list_groups(job))
    for group in list_groups(twin):
        if group not in own:
            group.keep(twin)
