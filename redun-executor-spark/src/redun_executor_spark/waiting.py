"""Calls from when they are handed over until they are settled, and the Spark jobs that are started for them.

A call is *waiting*, then *running* on a worker, then settled. One whose worker is lost waits again, before all others,
until it has been lost too often. A call that is cancelled is settled at once.

A Spark job has *unseen* partitions, whose workers have not connected yet. There are to be about as many of them as
calls wait, up to a limit; they are looked at for each kind of needs on its own.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from itertools import count
from typing import Any, NamedTuple

from redun.errors import CancelledCallError
from redun.executors.base import Call, TaggedFuture, settle
from redun_executor_spark.engines import Needs
from redun_executor_spark.errors import SparkError

MAX_LOSSES = 4
"""How often a call's worker may be lost before the call fails."""


class Entry:
    """A call that is not settled yet.

    Attributes
    ----------
    number : int
        Of the call among all of the executor's.
    losses : int
        How often its worker was lost.
    cancel : callable or None
        Stops it where it runs; None while it waits.
    """

    __slots__ = ("call", "cancel", "future", "losses", "needs", "number")

    def __init__(self, number: int, call: Call, needs: Needs) -> None:
        self.number = number
        self.call = call
        self.needs = needs
        self.future = TaggedFuture()
        self.losses = 0
        self.cancel: Callable[[], None] | None = None


class SparkJob:
    """A Spark job whose partitions make calls.

    Attributes
    ----------
    number : int
        Of the job among all of the executor's.
    unseen : int
        How many of its partitions have not connected yet.
    tag : str
        By which Spark finds it.
    ids : list of int
        What Spark calls it; empty until that is known.
    made : int
        How many calls it has made.
    is_cancelled : bool
        Whether nobody wants it any more.
    """

    def __init__(self, number: int, needs: Needs, size: int, tag: str) -> None:
        self.number = number
        self.needs = needs
        self.unseen = size
        self.tag = tag
        self.ids: list[int] = []
        self.made = 0
        self.is_cancelled = False
        self._seen: set[int] = set()

    @property
    def was_seen(self) -> bool:
        """Whether any of its partitions has connected."""
        return bool(self._seen)

    def see(self, partition: int) -> None:
        """Note that a partition has connected; Spark may start one again."""
        if partition not in self._seen:
            self._seen.add(partition)
            self.unseen -= 1


class Wanted(NamedTuple):
    """How many partitions are wanted for calls of some needs."""

    needs: Needs
    size: int


class WaitingCalls:
    """The calls of an executor that are not settled, and the Spark jobs that run for them.

    Parameters
    ----------
    count_limit
        Returns how many partitions may wait for workers at most.
    """

    def __init__(self, count_limit: Callable[[], int]) -> None:
        self._count_limit = count_limit
        self._changed = threading.Condition()
        self._waiting: dict[Needs, deque[Entry]] = defaultdict(deque)
        self._open: dict[Future[Any], Entry] = {}
        self._jobs: dict[int, SparkJob] = {}
        self._idle: dict[Needs, int] = defaultdict(int)
        self._numbers = count()
        self._is_closing = False

    def add(self, calls: Sequence[tuple[Call, Needs]]) -> list[Future[Any]]:
        """Take calls, and return their futures."""
        entries = [Entry(next(self._numbers), call, needs) for call, needs in calls]
        with self._changed:
            for entry in entries:
                self._waiting[entry.needs].append(entry)
                self._open[entry.future] = entry
            self._changed.notify_all()
        for entry in entries:
            entry.future.add_done_callback(self._forget)
        return [entry.future for entry in entries]

    def start_job(self, wanted: Wanted, name: str) -> SparkJob:
        """Note a Spark job that is about to run."""
        with self._changed:
            number = next(self._numbers)
            job = self._jobs[number] = SparkJob(number, wanted.needs, wanted.size, f"{name}-{number}")
        return job

    def see(self, number: int, partition: int) -> SparkJob | None:
        """Note that a partition has connected; return its job, None if that is over."""
        with self._changed:
            job = self._jobs.get(number)
            if job is not None:
                job.see(partition)
                self._changed.notify_all()
            return job

    def end_job(self, job: SparkJob, error: SparkError | None) -> None:
        """Note that a Spark job is over; if it failed before any worker came, so do the calls that wait for it."""
        with self._changed:
            self._jobs.pop(job.number, None)
            hopeless = []
            if error is not None and not job.was_seen:
                hopeless = list(self._waiting.pop(job.needs, ()))
            self._changed.notify_all()
        self._fail(hopeless, error)

    def take(self, needs: Needs, patience: float) -> Entry | None:
        """Return the next call, which runs now; wait for one for some time, unless workers are to come.

        Parameters
        ----------
        needs
            Of the calls that the worker makes.
        patience
            How long to wait, in seconds.
        """
        deadline = time.monotonic() + patience
        with self._changed:
            while True:
                waiting = self._waiting[needs]
                while waiting:
                    entry = waiting.popleft()
                    if _begin(entry):
                        return entry
                left = deadline - time.monotonic()
                if left <= 0 or self._is_closing or self._count_unseen(needs):
                    return None
                self._idle[needs] += 1
                self._changed.wait(left)
                self._idle[needs] -= 1

    def give_back(self, entry: Entry, error: SparkError) -> None:
        """Let a call whose worker was lost wait again, or fail if that was once too often."""
        entry.cancel = None
        entry.losses += 1
        if entry.losses >= MAX_LOSSES or entry.future.done():
            self.settle(entry, error=error)
            return
        with self._changed:
            self._waiting[entry.needs].appendleft(entry)
            self._changed.notify_all()

    def settle(self, entry: Entry, result: Any = None, error: BaseException | None = None) -> None:
        """Settle a call."""
        entry.cancel = None
        settle(entry.future, result, error)

    def cancel(self, future: Future[Any]) -> bool:
        """Stop a call; return whether it does not go on."""
        if future.cancel():
            return True
        entry = self._open.get(future)
        if entry is None or not settle(future, error=CancelledCallError("the call was cancelled while it ran")):
            return False
        stop = entry.cancel
        if stop is not None:
            stop()
        return True

    def wait_until_settled(self) -> None:
        """Wait until every call has finished, failed or was cancelled."""
        with self._changed:
            self._changed.wait_for(lambda: not self._open)

    def list_jobs(self) -> list[SparkJob]:
        """Return the Spark jobs that run."""
        with self._changed:
            return list(self._jobs.values())

    def iter_wanted(self, interval: float) -> Iterator[None]:
        """Yield when partitions are wanted, as calls come, until `close`.

        Parameters
        ----------
        interval
            How long calls are gathered before partitions are asked for, in seconds.
        """
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._is_closing or self._list_wanted())
                self._changed.wait_for(lambda: self._is_closing, interval)
                if self._is_closing:
                    return
            yield

    def wait_for_jobs(self, seconds: float) -> None:
        """Wait for some time until no Spark job runs."""
        with self._changed:
            self._changed.wait_for(lambda: not self._jobs, seconds)

    def list_wanted(self) -> list[Wanted]:
        """Return what partitions are to be started. Not for each that connects: many are started together."""
        with self._changed:
            return self._list_wanted()

    def fail_waiting(self, error: BaseException) -> None:
        """Let all calls fail that wait."""
        with self._changed:
            failing = [entry for waiting in self._waiting.values() for entry in waiting]
            self._waiting.clear()
        self._fail(failing, error)

    def close(self) -> None:
        """Let nobody wait for calls any more."""
        with self._changed:
            self._is_closing = True
            self._changed.notify_all()

    def _list_wanted(self) -> list[Wanted]:
        wanted = []
        for needs, waiting in self._waiting.items():
            if not waiting:
                continue
            target = min(len(waiting), self._count_limit())
            missing = target - self._count_unseen(needs) - self._idle[needs]
            if missing > 0 and 2 * missing >= target:
                wanted.append(Wanted(needs, missing))
        return wanted

    def _fail(self, entries: Iterable[Entry], error: BaseException | None) -> None:
        for entry in entries:
            if _begin(entry):
                settle(entry.future, error=error)

    def _count_unseen(self, needs: Needs) -> int:
        return sum(job.unseen for job in self._jobs.values() if job.needs == needs)

    def _forget(self, future: Future[Any]) -> None:
        """Note that a call is settled, by whomever."""
        with self._changed:
            self._open.pop(future, None)
            if not self._open:
                self._changed.notify_all()


def _begin(entry: Entry) -> bool:
    """Mark a call as running; return whether it is still wanted."""
    future = entry.future
    if future.done() and not future.cancelled():  # Somebody has settled it.
        return False
    return future.running() or future.set_running_or_notify_cancel()
