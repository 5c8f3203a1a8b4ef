"""Spans of time as people read them."""

from __future__ import annotations


def show_seconds(seconds: float) -> str:
    """Return a span of time in few words.

    Examples
    --------
    >>> [show_seconds(seconds) for seconds in (0.004, 0.25, 12.34, 75, 3725, 200_000)]
    ['0.00 s', '0.25 s', '12.3 s', '1 min 15 s', '1 h 2 min', '2 d 7 h']
    """
    if seconds < 10:
        return f"{seconds:.2f} s"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min"
    return f"{hours // 24} d {hours % 24} h"


def show_clock(seconds: float) -> str:
    """Return a span of time as a clock shows it.

    Examples
    --------
    >>> [show_clock(seconds) for seconds in (0.4, 75, 3725)]
    ['0:00', '1:15', '1:02:05']
    """
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
