"""Failure reports on terminals."""

import io
import logging

import pytest

from redun.traceback import Part
from redun_cli.styles import STYLES, style_terminals


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def write(monkeypatch):
    """A function that logs a line with a part to a stream and returns what arrives there."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")

    def log(stream, part=None, styled=2):
        logger = logging.Logger("styled")
        handler = logging.StreamHandler(stream)
        handler.setFormatter(logging.Formatter("[redun] %(message)s"))
        logger.addHandler(handler)
        for _ in range(styled):
            style_terminals(logger)
        logger.error("%s", "text", extra={"part": part} if part else None)
        return stream.getvalue()

    return log


def test_every_part_has_a_style():
    """No line of a report is forgotten."""
    assert set(STYLES) == set(Part)


@pytest.mark.parametrize("part", Part)
def test_lines_of_reports_are_styled_on_terminals(write, part):
    """On a terminal, a line of a report is styled, once, and keeps its text."""
    shown = write(Terminal(), part)

    assert shown.startswith("\x1b[")
    assert shown.endswith("[redun] text\x1b[0m\n")
    assert shown.count("\x1b[0m") == 1


def test_other_lines_stay_plain(write):
    """Lines that are not of a report stay as they are."""
    assert write(Terminal()) == "[redun] text\n"


@pytest.mark.parametrize("part", [None, Part.ERROR])
def test_pipes_and_files_get_plain_text(write, part):
    """What is no terminal gets plain text."""
    assert write(io.StringIO(), part) == "[redun] text\n"


@pytest.mark.parametrize(("variable", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_environment_may_ask_for_plain_text(write, monkeypatch, variable, value):
    """A terminal that can't, or a user who won't have colours, gets plain text."""
    monkeypatch.setenv(variable, value)

    assert write(Terminal(), Part.ERROR) == "[redun] text\n"


def test_handlers_without_stream_or_formatter_are_fine():
    """Handlers of other kinds are left alone, one without formatter gets styled lines."""
    logger = logging.Logger("styled")
    logger.addHandler(logging.NullHandler())
    logger.addHandler(logging.StreamHandler(Terminal()))

    style_terminals(logger)
    logger.error("text", extra={"part": Part.ERROR})

    assert "text" in logger.handlers[1].stream.getvalue()
