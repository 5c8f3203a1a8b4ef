"""Things to do later, on the scheduler's thread."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from itertools import count


class Timers:
    """Functions to call at some time, by a clock in seconds."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()

    def add(self, when: float, action: Callable[[], None]) -> None:
        """Call a function once, as soon as the clock shows `when`."""
        heapq.heappush(self._heap, (when, next(self._order), action))

    def run_due(self, now: float) -> None:
        """Call the functions whose time has come, in the order of their times."""
        while self._heap and self._heap[0][0] <= now:
            heapq.heappop(self._heap)[2]()

    @property
    def next_time(self) -> float | None:
        """When the next function is due; None if there is none."""
        return self._heap[0][0] if self._heap else None

    def __bool__(self) -> bool:
        return bool(self._heap)
