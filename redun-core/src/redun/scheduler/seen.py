"""Which tasks the store has evaluations of, so that calls of a new or edited task need no look-up."""

from __future__ import annotations

import time
from collections.abc import Sequence

from redun.backends.base import Backend
from redun.scheduler.job import Job

PATIENCE = 5.0
"""For how long a task counts as never evaluated; other processes may write to the same store. In seconds."""


class SeenTasks:
    """Asks a store once for each task whether it has any evaluation of it, and again after a while if it has none.

    Parameters
    ----------
    backend
        The store.
    """

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._seen: set[str] = set()
        self._unseen_until: dict[str, float] = {}

    def add(self, task_hash: str) -> None:
        """Note that there are evaluations of a task."""
        self._seen.add(task_hash)

    def keep_seen(self, jobs: Sequence[Job]) -> Sequence[Job]:
        """Return those jobs whose task has evaluations in the store."""
        tasks = {job.task.hash for job in jobs} - self._seen
        if not tasks:
            return jobs
        now = time.monotonic()
        unknown = [task_hash for task_hash in tasks if self._unseen_until.get(task_hash, 0.0) <= now]
        if unknown:
            self._seen.update(self._backend.find_tasks(unknown))
            self._unseen_until.update(dict.fromkeys(unknown, now + PATIENCE))
        return [job for job in jobs if job.task.hash in self._seen]
