"""Texts from elsewhere on a terminal: what they hold beside characters must not move the cursor or clear the screen."""

from __future__ import annotations

import re

from redun.error_text import make_printable

_COLOUR = re.compile(r"\x1b\[[0-9;:]*m")
_SEQUENCE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_].*?(?:\x07|\x1b\\|$)|[ -/]*[0-~])|\x1b", re.DOTALL)
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def clean_name(text: str) -> str:
    """Return a text on one line, without what a terminal would obey.

    Examples
    --------
    >>> clean_name("a\\x1b[31mb\\x1b]0;title\\x07\\nc\\td")
    'abc d'
    """
    return _CONTROL.sub("", _SEQUENCE.sub("", make_printable(text))).replace("\t", " ")


def clean_line(line: bytes) -> str:
    """Return a line that a program wrote, with its colours and without anything else that a terminal would obey.

    Of what was written over, such as a progress bar, the last state counts.

    Examples
    --------
    >>> clean_line(b"10%\\r\\x1b[2J\\x1b[32m20%\\r")
    '\\x1b[32m20%\\x1b[0m'
    """
    text = line.rstrip(b"\r").rpartition(b"\r")[2].decode(errors="backslashreplace")
    if "\x1b" not in text:
        return _CONTROL.sub("", text)
    parts, start = [], 0
    for found in _COLOUR.finditer(text):
        parts += [_clean_part(text[start : found.start()]), found.group()]
        start = found.end()
    parts.append(_clean_part(text[start:]))
    return "".join(parts) + ("\x1b[0m" if len(parts) > 1 else "")


def _clean_part(text: str) -> str:
    return _CONTROL.sub("", _SEQUENCE.sub("", text))
