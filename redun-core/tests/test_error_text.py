"""Any exception can be shown."""

import sys
from itertools import pairwise

import pytest

from redun.error_text import MAX_LINE, MAX_LINES, format_error


class BrokenText(Exception):
    def __str__(self):
        raise RuntimeError("no")

    __repr__ = __str__


class BrokenAttributes(Exception):
    def __getattribute__(self, name):
        raise RuntimeError("no")


class Exits(Exception):
    def __str__(self):
        raise SystemExit(1)


def raised(func):
    try:
        func()
    except BaseException as error:
        return error


def fail():
    raise KeyError("k")


def fail_because():
    try:
        fail()
    except KeyError as error:
        raise ValueError("bad") from error


def fail_while_handling():
    try:
        fail()
    except KeyError:
        raise ValueError("bad")  # noqa: B904


def fail_hiding():
    try:
        fail()
    except KeyError:
        raise ValueError("bad") from None


@pytest.mark.parametrize(
    ("error", "lines"),
    [
        (ValueError("größe 工作"), ["ValueError: größe 工作"]),
        (ValueError(), ["ValueError"]),
        (ValueError("a\n\nb\n"), ["ValueError: a", "", "b"]),
        (SystemExit(3), ["SystemExit: 3"]),
        (BrokenText(), [f"{__name__}.BrokenText: <exception str() failed>"]),
        (Exits(), [f"{__name__}.Exits: <exception str() failed>"]),
        (None, ["NoneType: None"]),
    ],
)
def test_type_and_message_are_shown(error, lines):
    """An exception is shown by type and message, line by line, even if it can't say what its message is."""
    assert list(format_error(error)) == lines


def test_exception_that_answers_nothing_is_shown():
    """An exception all of whose attributes fail is shown by its type."""
    (line,) = format_error(BrokenAttributes())

    assert "BrokenAttributes" in line


def test_long_messages_are_cut_in_the_middle():
    """Of a message with many lines the first and last are shown, of a long line the start."""
    many = list(format_error(ValueError("\n".join(map(str, range(1000))))))
    (long,) = format_error(ValueError("x" * 1_000_000))

    assert (many[0], many[1], many[-1], len(many)) == ("ValueError: 0", "1", "999", MAX_LINES + 1)
    assert "... (940 lines left out) ..." in many
    assert len(long) < MAX_LINE + 50
    assert long.endswith("... (1000012 characters)")


@pytest.mark.parametrize(
    ("func", "words"),
    [
        (fail_because, ["ValueError: bad", "Caused by KeyError: 'k'"]),
        (fail_while_handling, ["ValueError: bad", "While handling KeyError: 'k'"]),
        (fail_hiding, ["ValueError: bad"]),
    ],
)
def test_causes_follow_with_their_place(func, words):
    """What an exception was caused by follows in one line with the place, unless that is hidden."""
    place = f" ({__file__}:{fail.__code__.co_firstlineno + 1} in fail)"

    assert list(format_error(raised(func))) == [words[0], *(f"{word}{place}" for word in words[1:])]


def test_causes_in_a_circle_end():
    """Exceptions that cause each other are shown once each, and a long chain of causes is cut."""
    first, second = ValueError("a"), KeyError("b")
    first.__cause__, second.__cause__ = second, first
    errors = [ValueError(str(number)) for number in range(1000)]
    for error, cause in pairwise(errors):
        error.__cause__ = cause

    assert list(format_error(first)) == ["ValueError: a", "Caused by KeyError: 'b'"]
    assert len(list(format_error(errors[0]))) < 20


@pytest.mark.skipif(sys.version_info < (3, 11), reason="groups came with Python 3.11")
def test_members_of_a_group_are_listed():
    """The exceptions of a group are listed under it, groups in it indented, many of them cut."""
    inner = ExceptionGroup("inner", [raised(fail)])  # noqa: F821
    group = BaseExceptionGroup("outer", [KeyboardInterrupt(), inner, *map(ValueError, range(20))])  # noqa: F821

    lines = list(format_error(group))

    assert lines[:4] == [
        "BaseExceptionGroup: outer (22 sub-exceptions)",
        "  1. KeyboardInterrupt",
        "  2. ExceptionGroup: inner (1 sub-exception)",
        f"       1. KeyError: 'k' ({__file__}:{fail.__code__.co_firstlineno + 1} in fail)",
    ]
    assert lines[-1] == "  ... and 12 more"
