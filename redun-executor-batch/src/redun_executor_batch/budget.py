"""What AWS Batch may cost at any time: so many jobs and processors, and what is more waits here."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from redun_executor_batch.errors import BatchRefusedError

_LEAST_SHARE = 4
"""Which part of what is allowed has to be free before more of a large group is submitted, so that arrays are large."""


class Budget:
    """How many jobs and processors are in use of those that are allowed.

    Parameters
    ----------
    max_jobs, max_vcpus
        How many are allowed; None for any number.

    Examples
    --------
    >>> budget = Budget(max_jobs=10, max_vcpus=None)
    >>> budget.take([1.0] * 25), budget.take([1.0] * 15, wait=False)
    (10, 0)
    >>> budget.give_back(4.0, 4)
    >>> budget.take([1.0] * 15)
    4
    """

    def __init__(self, max_jobs: int | None, max_vcpus: float | None) -> None:
        self._max_jobs = max_jobs
        self._max_vcpus = max_vcpus
        self._jobs = 0
        self._vcpus = 0.0
        self._is_closed = False
        self._changed = threading.Condition()

    def check(self, vcpus: float) -> None:
        """Fail if a job can never be submitted.

        Raises
        ------
        BatchRefusedError
            When it needs more processors than are allowed at all.
        """
        if self._max_vcpus is not None and vcpus > self._max_vcpus:
            raise BatchRefusedError(f"a job with {vcpus:g} vCPUs is more than max_vcpus = {self._max_vcpus:g} allows")

    def take(self, vcpus: Sequence[float], wait: bool = True) -> int:
        """Take what the first of some jobs need, and return how many jobs that is.

        Parameters
        ----------
        vcpus
            How many processors each job needs.
        wait
            Whether to wait until there is something; else 0 may be the answer, and it is once `close` was called.
        """
        with self._changed:
            while not (count := self._count(vcpus)) and wait and not self._is_closed:
                self._changed.wait()
            self._jobs += count
            self._vcpus += sum(vcpus[:count])
            return count

    def give_back(self, vcpus: float, jobs: int = 1) -> None:
        """Give back what jobs had."""
        with self._changed:
            self._jobs -= jobs
            self._vcpus -= vcpus
            self._changed.notify_all()

    def close(self) -> None:
        """Let nobody wait any more."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    def _count(self, vcpus: Sequence[float]) -> int:
        """Return how many of some jobs fit; 0 if more are to be given back first."""
        count = len(vcpus)
        enough = count
        if self._max_jobs is not None:
            count = min(count, self._max_jobs - self._jobs)
            enough = min(enough, -(-self._max_jobs // _LEAST_SHARE))
        if self._max_vcpus is not None:
            free, fitting = self._max_vcpus - self._vcpus, 0
            while fitting < count and vcpus[fitting] <= free:
                free -= vcpus[fitting]
                fitting += 1
            count = fitting
            enough = min(enough, max(int(self._max_vcpus / _LEAST_SHARE / max(vcpus[0], 0.001)), 1))
        return count if count >= enough else 0
