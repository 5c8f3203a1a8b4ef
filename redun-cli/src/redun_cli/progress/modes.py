"""In which way the progress of a run is shown."""

from __future__ import annotations

import os
from collections.abc import Mapping
from enum import Enum
from typing import TextIO

from redun.terminals import is_terminal


class ProgressMode(str, Enum):
    """What a user may ask for.

    ``AUTO``: live on a terminal that can show it, plain everywhere else. ``LIVE``: a display that is drawn again and
    again, below the log lines. ``PLAIN``: log lines, and the table of jobs from time to time. ``NONE``: log lines.
    """

    AUTO = "auto"
    LIVE = "live"
    PLAIN = "plain"
    NONE = "none"


_STDERR = 2


def choose_mode(
    asked: ProgressMode, stream: TextIO | None, environment: Mapping[str, str] = os.environ
) -> ProgressMode:
    """Return the way that is possible on a stream: one of the three that are not ``AUTO``.

    A live display needs a terminal, and one that moves its cursor, on the error stream of the process itself.
    """
    if asked in (ProgressMode.PLAIN, ProgressMode.NONE):
        return asked
    moves_cursor = os.name == "posix" and environment.get("TERM") != "dumb"
    can_draw = moves_cursor and is_terminal(stream) and stream is not None and stream.fileno() == _STDERR
    return ProgressMode.LIVE if can_draw else ProgressMode.PLAIN
