"""How fast calls come to their ends, and how long the rest will take.

What is known of each task comes from this run, as soon as some of its calls have ended: so many in the latest seconds.
Until then it comes from history: how long its calls have taken on average. Tasks whose calls wait for others count only
until they have led to some.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

WINDOW_SECONDS = 15.0
"""Over how long a time the rate is measured."""

_MIN_SECONDS = 0.5

Counts = Mapping[str, Mapping[str, int]]


class Estimate(NamedTuple):
    """How many calls end in a second, and in how many seconds all will have ended; None where nothing is known."""

    rate: float | None = None
    remaining: float | None = None


@dataclass
class Pace:
    """Learns from counts how fast calls come to their ends.

    Parameters
    ----------
    durations
        How long calls have taken on average in earlier runs, in seconds, by task.
    """

    durations: Mapping[str, float] = field(default_factory=dict)
    _samples: deque[tuple[float, Mapping[str, int]]] = field(default_factory=deque)
    _begun: dict[str, float] = field(default_factory=dict)

    def note(self, counts: Counts, now: float) -> None:
        """Take in how many jobs of each task are in each status, at a time in seconds."""
        for name, by_status in counts.items():
            if name not in self._begun and (by_status["RUNNING"] or _count_run(by_status)):
                self._begun[name] = now
        self._samples.append((now, {name: _count_run(by_status) for name, by_status in counts.items()}))
        while now - self._samples[1 if len(self._samples) > 1 else 0][0] >= WINDOW_SECONDS:
            self._samples.popleft()

    def estimate(self, counts: Counts, parents: Collection[str], now: float) -> Estimate:
        """Return how fast it goes, and how long it will take from now on if nothing new turns up.

        Parameters
        ----------
        counts
            How many jobs of each task are in each status.
        parents
            The tasks whose calls have led to others.
        now
            The time, in seconds.
        """
        if not self._samples:
            return Estimate()
        running, waiting = [0.0], 0.0
        is_known = True
        for name, by_status in counts.items():
            left = by_status["PENDING"] + by_status["RUNNING"]
            if not left or (name in parents and by_status["RUNNING"]):
                continue
            seconds = self._estimate_task(name, left, now)
            if seconds is None:
                is_known = False
            elif by_status["RUNNING"]:
                running.append(seconds)
            else:
                waiting += seconds
        remaining = max(running) + waiting
        return Estimate(self._measure_rate(counts, now), remaining if is_known and remaining > 0 else None)

    def _measure_rate(self, counts: Counts, now: float) -> float | None:
        start, before = self._samples[0]
        ended = sum(_count_run(by_status) for by_status in counts.values()) - sum(before.values())
        return ended / (now - start) if ended and now - start >= _MIN_SECONDS else None

    def _estimate_task(self, name: str, left: int, now: float) -> float | None:
        """Return in how many seconds the jobs of a task that are left will have ended."""
        start, before = self._samples[0]
        last = self._samples[-1][1].get(name, 0)
        ended = last - before.get(name, 0)
        begun = self._begun.get(name)
        if ended and begun is not None:
            return left * max(now - max(start, begun), _MIN_SECONDS) / ended
        known = self.durations.get(name)
        if known is None:
            return None
        return max(known - (now - begun if begun is not None else 0.0), 0.0)


def _count_run(by_status: Mapping[str, int]) -> int:
    return by_status["DONE"] + by_status["FAILED"]
