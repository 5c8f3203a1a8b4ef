"""A job as the parent of some expressions that are reduced apart from its others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from redun.context import Context
from redun.scheduler.job import Job
from redun.scheduler.scope import Scope

if TYPE_CHECKING:
    from redun.scheduler.group import CallGroup


class JobEnv:
    """A job as the parent of some expressions that are reduced apart from its others.

    Parameters
    ----------
    job
        The job.
    context
        The context of the calls among them, as for the options and default arguments of a call with its own context.
    replays_errors
        Whether calls among them and below may be answered by recorded errors.
    group
        The group that calls among them and below belong to, if any.
    """

    __slots__ = ("context", "group", "job", "replays_errors", "scope")

    def __init__(
        self, job: Job, context: Context, replays_errors: bool = False, group: CallGroup | None = None
    ) -> None:
        self.job = job
        self.context = context
        self.replays_errors = replays_errors
        self.group = group
        self.scope = Scope(job.open_scope().children)

    def open_scope(self) -> Scope:
        """Return the scope: expressions are reduced apart from the parent job's, jobs are its children."""
        return self.scope

    def __getattr__(self, name: str) -> Any:
        return getattr(self.job, name)
