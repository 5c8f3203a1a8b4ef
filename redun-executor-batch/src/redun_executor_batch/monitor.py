"""Looking after submitted jobs, with few requests.

In every interval at most one request is made per 100 jobs. A large array is asked for as a whole, and its parts only
when more of them have ended than are known to have. Where many jobs have not started, in order of their submission,
those behind them are looked at by turns. What is not known to AWS Batch may be too new; after a while it has vanished.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from redun.errors import ExecutorError
from redun.logging import logger
from redun_executor_batch.api import MAX_DESCRIBED, BatchApi
from redun_executor_batch.endings import FINAL, NOT_STARTED, RUNNING, Ending, read_ending
from redun_executor_batch.ticket import Ticket

_MANY_WAITING = 10
_VANISHED_INTERVALS = 12


class Monitor:
    """Asks AWS Batch about jobs at intervals, from a thread of its own.

    Parameters
    ----------
    api
        AWS Batch.
    interval
        How often it asks, in seconds.
    on_end
        Called with a ticket and how its job ended; None for one that has vanished. Must not block.
    on_turn
        Called once in every interval.
    """

    def __init__(
        self,
        api: BatchApi,
        interval: float,
        on_end: Callable[[Ticket, Ending | None], None],
        on_turn: Callable[[], None],
    ) -> None:
        self._api = api
        self._interval = interval
        self._on_end = on_end
        self._on_turn = on_turn
        self._changed = threading.Condition()
        self._tickets: dict[str, Ticket] = {}
        self._arrays: dict[str, dict[str, Ticket]] = {}
        self._missing: dict[str, float] = {}
        self._turn = 0
        self._is_stopping = False
        self._thread: threading.Thread | None = None

    def watch(self, tickets: Iterable[Ticket], array_id: str | None = None) -> None:
        """Look after the jobs of tickets; those of one array are its parts."""
        with self._changed:
            jobs = {ticket.job_id: ticket for ticket in tickets if ticket.job_id is not None}
            if array_id is None:
                self._tickets.update(jobs)
            else:
                self._arrays[array_id] = jobs
            if self._thread is None:
                self._is_stopping = False
                self._thread = threading.Thread(target=self._run, name="redun-batch-monitor", daemon=True)
                self._thread.start()
            self._changed.notify()

    def forget(self, ticket: Ticket) -> None:
        """Look after a ticket's job no more."""
        with self._changed:
            self._drop(ticket.job_id or "")

    def choose_to_end(self, job_ids: Sequence[str]) -> list[str]:
        """Return the jobs to end so that some jobs do: an array as a whole, if nobody waits for another part of it."""
        wanted = set(job_ids)
        with self._changed:
            whole = {array_id for array_id, parts in self._arrays.items() if wanted.issuperset(parts)}
        return list(dict.fromkeys(array_id if (array_id := _find_array(each)) in whole else each for each in job_ids))

    def stop(self) -> None:
        """End the thread."""
        with self._changed:
            self._is_stopping = True
            self._changed.notify()
            thread, self._thread = self._thread, None
        if thread is not None:
            thread.join()

    def _run(self) -> None:
        while True:
            with self._changed:
                if not self._is_stopping:
                    self._changed.wait_for(lambda: self._is_stopping, self._interval)
                if self._is_stopping:
                    return
            try:
                self._on_turn()
                self.poll()
            except ExecutorError as error:
                logger.warning("AWS Batch can't be asked about jobs now: %s", error)
            except Exception:
                logger.exception("looking after jobs of AWS Batch failed, and goes on")

    def poll(self) -> None:
        """Ask once about what has to be asked."""
        with self._changed:
            tickets = dict(self._tickets)
            arrays = {array_id: dict(parts) for array_id, parts in self._arrays.items()}
        large = {array_id: parts for array_id, parts in arrays.items() if len(parts) > MAX_DESCRIBED}
        for array_id, parts in arrays.items():
            if array_id not in large:
                tickets.update(parts)
        allowed = -(-(len(tickets) + sum(map(len, large.values()))) // MAX_DESCRIBED)
        changed: dict[str, int] = {}
        is_waiting = False
        for chunk, is_extra in self._choose_chunks(list(large), list(tickets)):
            if is_waiting and not is_extra:
                continue
            found = self._api.describe(chunk)
            allowed -= 1
            for job_id in chunk:
                job = found.get(job_id)
                if job_id in large:
                    changed[job_id] = self._count_ended(job_id, job, large[job_id])
                else:
                    self._take(job_id, job, tickets[job_id])
            is_waiting = is_waiting or _are_waiting(
                [found[each] for each in chunk if each in found and each in tickets]
            )
        for array_id, count in changed.items():
            allowed -= self._look_at_parts(large[array_id], count, allowed)

    def _choose_chunks(self, arrays: Sequence[str], jobs: Sequence[str]) -> Iterable[tuple[Sequence[str], bool]]:
        """Yield ids to be asked for together, oldest first; at last one part of the others, whose turn it is."""
        ids = [*arrays, *jobs]
        chunks = [ids[start : start + MAX_DESCRIBED] for start in range(0, len(ids), MAX_DESCRIBED)]
        self._turn += 1
        extra = [chunks.pop(1 + self._turn % (len(chunks) - 1))] if len(chunks) > 1 else []
        yield from ((chunk, False) for chunk in chunks)
        yield from ((chunk, True) for chunk in extra)

    def _count_ended(self, array_id: str, job: Mapping[str, Any] | None, parts: Mapping[str, Ticket]) -> int:
        """Return how many parts of an array have ended that are not known to have."""
        if job is None:
            return len(parts) if self._has_vanished(array_id) else 0
        self._missing.pop(array_id, None)
        if job["status"] in FINAL:
            return len(parts)
        properties = job["arrayProperties"]
        ended = sum(properties.get("statusSummary", {}).get(status, 0) for status in FINAL)
        return max(int(ended) - (int(properties["size"]) - len(parts)), 0)

    def _look_at_parts(self, parts: Mapping[str, Ticket], count: int, allowed: int) -> int:
        """Ask for parts of an array until those that have ended are found; return how many requests that took."""
        ids = list(parts)
        used = 0
        for start in range(0, len(ids), MAX_DESCRIBED):
            if count <= 0 or used >= allowed:
                break
            chunk = ids[start : start + MAX_DESCRIBED]
            found = self._api.describe(chunk)
            used += 1
            count -= sum(self._take(job_id, found.get(job_id), parts[job_id]) for job_id in chunk)
        return used

    def _take(self, job_id: str, job: Mapping[str, Any] | None, ticket: Ticket) -> bool:
        """Take in what is known of a job; return whether it has ended."""
        if job is None:
            if not self._has_vanished(job_id):
                return False
            ending = None
        else:
            self._missing.pop(job_id, None)
            ending = read_ending(job)
            if ending is None:
                if job["status"] == RUNNING and not ticket.future.running() and not ticket.future.done():
                    ticket.future.set_running_or_notify_cancel()
                return False
        with self._changed:
            was_watched = self._drop(job_id)
        if was_watched:
            self._on_end(ticket, ending)
        return True

    def _has_vanished(self, job_id: str) -> bool:
        since = self._missing.setdefault(job_id, time.monotonic())
        return time.monotonic() - since > self._interval * _VANISHED_INTERVALS

    def _drop(self, job_id: str) -> bool:
        self._missing.pop(job_id, None)
        if self._tickets.pop(job_id, None) is not None:
            return True
        array_id = _find_array(job_id)
        parts = self._arrays.get(array_id, {})
        was_watched = parts.pop(job_id, None) is not None
        if was_watched and not parts:
            del self._arrays[array_id]
        return was_watched


def _are_waiting(jobs: Sequence[Mapping[str, Any]]) -> bool:
    """Whether so many jobs at the end have not started that those behind will not have, either."""
    last = jobs[-_MANY_WAITING - 1 :]
    return len(last) > _MANY_WAITING and all(job["status"] in NOT_STARTED for job in last)


def _find_array(job_id: str) -> str:
    return job_id.partition(":")[0]
