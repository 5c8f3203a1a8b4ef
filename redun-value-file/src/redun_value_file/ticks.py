"""The clock of file systems, which moves on in ticks: within one, a file can change and keep its times."""

from __future__ import annotations

import sys
import time

_COARSE_CLOCK = 5  # CLOCK_REALTIME_COARSE, by which Linux sets times of files; Python has no name for it.
_COARSE_TICK_NS = 2_000_000_000
_MARGIN_NS = 2_000_000


def _measure_tick() -> int:
    try:
        seconds = time.clock_getres(_COARSE_CLOCK) if sys.platform == "linux" else 0.016
    except OSError:
        seconds = 0.016
    return int(seconds * 1e9) + _MARGIN_NS


TICK_NS = _measure_tick()
"""How long a tick is at most, in nanoseconds."""


def is_recent(now: int, *times: int) -> bool:
    """Whether a file with some times could be changed from now on without one of them becoming another.

    Parameters
    ----------
    now
        When the file was looked at, or a moment before, in nanoseconds since the epoch.
    *times
        Its times, likewise.
    """
    # Some file systems count whole seconds.
    return any(now - time < (TICK_NS if time % 1_000_000_000 else _COARSE_TICK_NS) for time in times)
