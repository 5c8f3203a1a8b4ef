"""Texts of users as pictures show them: without control characters, and cut to a length.

Names, values, tags and errors may hold anything. What a format treats specially is escaped by its writer; here goes
what no format should hold: characters that move the cursor, turn the direction of writing round, or are no characters.
"""

from __future__ import annotations

import re

_UNPRINTABLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ud800-\udfff\ufdd0-\ufdef\ufeff\ufffe\uffff]"
)


def make_printable(text: str) -> str:
    r"""Return a text with control characters spelt out; ends of lines and tabs stay.

    Examples
    --------
    >>> make_printable("a\x1b[2Jb\n")
    'a\\x1b[2Jb\n'
    """
    return _UNPRINTABLE.sub(_spell, text.replace("\r\n", "\n"))


def _spell(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def cut(text: str, length: int) -> str:
    """Return a printable text on one line of some length at most, the cut marked.

    Examples
    --------
    >>> cut("one\\ntwo", 20), cut("abcdefgh", 6)
    ('one two', 'abcde…')
    """
    line = " ".join(make_printable(text[: 4 * length + 1]).split())
    return line if len(line) <= length else line[: length - 1] + "…"


def cut_lines(text: str, length: int, command: str) -> str:
    """Return a printable text of some length at most; one that was cut ends in a line that names what shows all of it.

    Examples
    --------
    >>> cut_lines("a\\nb\\nc", 3, "redun log 1")
    'a\\nb\\n[cut: `redun log 1` shows all of it]'
    """
    shown = make_printable(text[: length + 1])
    if len(shown) <= length:
        return shown
    return f"{shown[:length].rstrip()}\n[cut: `{command}` shows all of it]"


def format_seconds(seconds: float) -> str:
    """Return a duration in the unit that suits it.

    Examples
    --------
    >>> [format_seconds(seconds) for seconds in (0.0042, 4.2, 420, 42_000)]
    ['4 ms', '4.2 s', '7 m 00 s', '11 h 40 m']
    """
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} m" if hours else f"{minutes} m {rest:02} s"


def format_times(count: int) -> str:
    r"""Return how often something happened.

    Examples
    --------
    >>> format_times(1640) == "\N{MULTIPLICATION SIGN}1,640"
    True
    """
    return f"\N{MULTIPLICATION SIGN}{count:,}"


def format_count(count: int, noun: str) -> str:
    """Return a number of things.

    Examples
    --------
    >>> format_count(1, "job"), format_count(5000, "job")
    ('1 job', '5,000 jobs')
    """
    return f"{count:,} {noun}" + ("" if count == 1 else "s")
