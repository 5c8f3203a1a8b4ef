"""What an execution does about others that use the same store at the same time.

It is *alone* until another execution is noticed, and again when the last of them has gone. Alone, it does nothing but
look. Otherwise it claims the calls that it makes; a call that another execution has claimed is *parked* until that one
has recorded a result, which then answers it, or has given the call up.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress

from redun.backends.base import Batch
from redun.backends.sharing import BEAT_SECONDS, Share
from redun.errors import BackendError
from redun.scheduler.calls import CallTable
from redun.scheduler.job import Job
from redun.scheduler.status import StatusBoard

CHECK_SECONDS = 0.2
"""How often an execution looks whether it is alone, and whether parked calls can go on."""

ALERT_DELAY = 0.2
"""How long results wait to be recorded while others may wait for them, in seconds."""

NOTICE_SECONDS = 1.0
"""How long an execution that begins waits at most for others to notice it, in seconds."""

_NOTICE_PAUSE = 0.02


class Rivals:
    """The other executions on the store, as one execution sees them.

    Parameters
    ----------
    calls
        Knows which calls a recorded result can answer.
    list_running
        Returns the calls that are being made.
    ready
        Where calls go that are to be decided on.
    board
        Shows what waits.
    publish
        Writes all records to the store, and sets how long later ones may wait; None for as long as usual.
    """

    def __init__(
        self,
        calls: CallTable,
        list_running: Callable[[], Iterable[Job]],
        ready: deque[Job],
        board: StatusBoard,
        publish: Callable[[float | None], None],
    ) -> None:
        self._share: Share | None = None
        self._calls = calls
        self._list_running = list_running
        self._ready = ready
        self._board = board
        self._publish = publish
        self._known: set[str] = set()
        self._claimed: dict[str, Job] = {}
        self._parked: list[Job] = []
        self._next_beat = time.monotonic() + BEAT_SECONDS
        self.next_check = float("inf")

    @property
    def has_parked(self) -> bool:
        """Whether calls wait for other executions."""
        return bool(self._parked)

    def meet(self, share: Share | None) -> None:
        """Take part in a store, once those that are there already have noticed; that is not waited for long.

        Parameters
        ----------
        share
            This execution's part in the store; None if the store can't be shared.
        """
        if share is None:
            return
        self._share, self.next_check = share, time.monotonic()
        waiting = dict(share.find_rivals())
        self._known = set(waiting)
        if waiting:
            self._publish(ALERT_DELAY)
        deadline = time.monotonic() + NOTICE_SECONDS
        while waiting and time.monotonic() < deadline:
            time.sleep(_NOTICE_PAUSE)
            now = share.find_rivals()
            waiting = {rival: seen for rival, seen in waiting.items() if now.get(rival) == seen}

    def look_around(self) -> None:
        """Notice other executions, if it is time; have parked calls decided on that they do not make any more."""
        share, now = self._share, time.monotonic()
        if share is None or now < self.next_check:
            return
        self.next_check = now + CHECK_SECONDS
        rivals = set(share.find_rivals())
        has_newcomers = not rivals <= self._known
        if has_newcomers or bool(rivals) != bool(self._known):
            self._publish(ALERT_DELAY if rivals else None)
        self._known = rivals
        if has_newcomers:
            self._claim(list(filter(self._calls.is_shared, self._list_running())))
        if has_newcomers or now >= self._next_beat:
            self._next_beat = now + BEAT_SECONDS
            share.beat()
        if self._parked:
            waiting, self._parked = self._parked, []
            still = set(self._park(waiting))
            unparked = [job for job in waiting if job not in still]
            self._give_back(unparked)
            self._calls.notice_recorded(unparked)
            self._ready.extend(unparked)

    def keep_own(self, jobs: Sequence[Job]) -> Sequence[Job]:
        """Claim calls; leave out those that other executions are making, and those that they just made."""
        if not self._known:
            return jobs
        shared = list(filter(self._calls.is_shared, jobs))
        left = set(self._park(shared))
        for job in left:
            self._board.log_parked(job)
        # Results are recorded before claims are released, so a claimed call that is not recorded now is ours to make.
        recorded = self._calls.notice_recorded([job for job in shared if job not in left])
        self._give_back(recorded)
        self._ready.extend(recorded)
        left.update(recorded)
        return [job for job in jobs if job not in left]

    def note_written(self, batch: Batch) -> None:
        """Release the claims on calls whose results are in the store now, or that came to nothing."""
        if not self._claimed or self._share is None:
            return
        written = {evaluation.eval_hash for evaluation in batch.evaluations}
        self._release([key for key, job in self._claimed.items() if key in written or _has_failed(job)])

    def __enter__(self) -> Rivals:
        return self

    def __exit__(self, *error: object) -> None:
        """Note that the execution has ended."""
        if self._share is not None:
            with suppress(BackendError):  # Then others see that the process is gone.
                self._share.leave()

    def _claim(self, jobs: Sequence[Job]) -> set[str]:
        if not jobs or self._share is None:
            return set()
        new = {job.eval_hash: job for job in jobs if job.eval_hash not in self._claimed}
        denied = set(self._share.claim(list(new)))
        self._claimed.update((key, job) for key, job in new.items() if key not in denied)
        return denied

    def _give_back(self, jobs: Iterable[Job]) -> None:
        """Release the claims on calls that the store may answer now; what has to be made after all is claimed again."""
        self._release([job.eval_hash for job in jobs if job.eval_hash in self._claimed])

    def _release(self, keys: Sequence[str]) -> None:
        if keys and self._share is not None:
            self._share.release(keys)
            for key in keys:
                del self._claimed[key]

    def _park(self, jobs: Sequence[Job]) -> list[Job]:
        """Claim some calls; return those that other executions are making, which are parked."""
        denied = self._claim(jobs)
        parked = [job for job in jobs if job.eval_hash in denied]
        self._parked.extend(parked)
        return parked


def _has_failed(job: Job) -> bool:
    return job.outcome is not None and job.outcome.error is not None
