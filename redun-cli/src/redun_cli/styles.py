"""Failure reports on terminals: the user's own lines and the error stand out, libraries step back."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import click

from redun.terminals import has_colours
from redun.traceback import Part

STYLES: Mapping[Part, Mapping[str, Any]] = {
    Part.JOB: {"fg": "cyan"},
    Part.FRAME: {"bold": True},
    Part.LIBRARY: {"dim": True},
    Part.SOURCE: {"bold": True},
    Part.VARIABLE: {"fg": "yellow"},
    Part.ERROR: {"fg": "red", "bold": True},
    Part.LOG: {"dim": True},
    Part.SUMMARY: {"bold": True},
}


class StyledFormatter(logging.Formatter):
    """Styles the lines of failure reports, and leaves all others as another formatter makes them.

    Parameters
    ----------
    plain
        The other formatter.
    """

    def __init__(self, plain: logging.Formatter) -> None:
        super().__init__()
        self._plain = plain

    def format(self, record: logging.LogRecord) -> str:
        text = self._plain.format(record)
        style = STYLES.get(getattr(record, "part", None))  # type: ignore[arg-type]
        return text if style is None else click.style(text, **style)


def style_terminals(logger: logging.Logger) -> None:
    """Style what a logger's handlers write to terminals; idempotent.

    Without a terminal, with ``NO_COLOR`` set or on a dumb terminal, everything stays plain.
    """
    for handler in logger.handlers:
        if not has_colours(getattr(handler, "stream", None)) or isinstance(handler.formatter, StyledFormatter):
            continue
        handler.setFormatter(StyledFormatter(handler.formatter or logging.Formatter()))
