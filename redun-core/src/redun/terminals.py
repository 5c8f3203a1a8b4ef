"""What a stream leads to: a terminal or not, and whether colours are wanted there."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TextIO


def is_terminal(stream: TextIO | None) -> bool:
    """Whether a stream leads to a terminal."""
    return stream is not None and not stream.closed and stream.isatty()


def has_colours(stream: TextIO | None, environment: Mapping[str, str] = os.environ) -> bool:
    """Whether what is written to a stream may be coloured: it leads to a terminal, and nobody asked for plain text.

    Plain text is asked for by ``NO_COLOR``, if it is not empty, and by a terminal of type ``dumb``.

    Examples
    --------
    >>> import io
    >>> has_colours(io.StringIO())
    False
    """
    return is_terminal(stream) and not environment.get("NO_COLOR") and environment.get("TERM") != "dumb"
