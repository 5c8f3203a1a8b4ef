"""How often one may ask, and how long to wait before asking again."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable

_FIRST_WAIT, _LONGEST_WAIT = 0.25, 20.0


class Rate:
    """Lets so many requests pass per second, and a second's worth of them at once.

    Parameters
    ----------
    per_second
        How many.
    clock
        Tells the time in seconds.

    Examples
    --------
    >>> rate = Rate(2, clock=lambda: 100.0)
    >>> [rate.reserve() for _ in range(4)]
    [0.0, 0.0, 0.5, 1.0]
    """

    def __init__(self, per_second: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._step = 1 / per_second
        self._burst = max(per_second, 1.0)
        self._clock = clock
        self._lock = threading.Lock()
        self._next = float("-inf")

    def reserve(self) -> float:
        """Take a place in the line, and return how many seconds later its turn is."""
        with self._lock:
            now = self._clock()
            self._next = max(self._next, now - (self._burst - 1) * self._step)
            wait = max(self._next - now, 0.0)
            self._next += self._step
            return wait

    def is_free(self) -> bool:
        """Take a place if its turn is now; return whether it is."""
        with self._lock:
            now = self._clock()
            self._next = max(self._next, now - (self._burst - 1) * self._step)
            if self._next > now:
                return False
            self._next += self._step
            return True


def choose_wait(failures: int, chance: Callable[[], float] = random.random) -> float:
    """Return how long to wait after so many failures in a row: any time up to a bound that doubles.

    Examples
    --------
    >>> [choose_wait(failures, chance=lambda: 1.0) for failures in (1, 2, 3, 20)]
    [0.25, 0.5, 1.0, 20.0]
    """
    bound = _FIRST_WAIT * 2.0 ** min(failures - 1, 32)
    return min(bound, _LONGEST_WAIT) * chance()
