"""Exceptions as lines of text, whatever is in them: long messages, groups, causes, methods that fail."""

from __future__ import annotations

import builtins
import traceback
from collections.abc import Iterator, Sequence
from typing import Any

MAX_LINES = 60
"""How many lines of a message are shown; of a longer one the first and the last."""

MAX_LINE = 2_000
"""How long a line may get, in characters."""

_MAX_MEMBERS = 10
_MAX_DEPTH = 4
_GROUP: Any = getattr(builtins, "BaseExceptionGroup", ())
_FROM_PROCESS = "_RemoteTraceback"


def format_error(error: Any) -> Iterator[str]:
    """Yield the lines that show an exception: type and message, members of a group, and what it was caused by.

    Examples
    --------
    >>> print(*format_error(ValueError("first\\nsecond")), sep="\\n")
    ValueError: first
    second
    """
    yield from _format_nested(error, _MAX_DEPTH)
    seen = {id(error)}
    for _ in range(_MAX_MEMBERS):
        word, error = _find_cause(error)
        if error is None or id(error) in seen or type(error).__name__ == _FROM_PROCESS:
            return
        seen.add(id(error))
        first, *rest = _format_nested(error, 1)
        yield f"{word} {first}{_format_origin(error)}"
        yield from rest


def read_attribute(error: Any, name: str) -> Any:
    """Return an attribute of an exception; None if it has none, or can't say."""
    try:
        return getattr(error, name, None)
    except Exception:  # Of a property that somebody else wrote.
        return None


def _find_cause(error: Any) -> tuple[str, Any]:
    cause = read_attribute(error, "__cause__")
    if cause is not None:
        return "Caused by", cause
    is_hidden = read_attribute(error, "__suppress_context__")
    return "While handling", None if is_hidden else read_attribute(error, "__context__")


def _format_nested(error: Any, depth: int) -> Iterator[str]:
    yield from shorten_lines(_format_one(error))
    if not issubclass(type(error), _GROUP) or not depth:
        return
    for number, member in enumerate(error.exceptions[:_MAX_MEMBERS], 1):
        first, *rest = _format_nested(member, depth - 1)
        yield f"  {number}. {first}{_format_origin(member)}"
        yield from (f"     {line}" for line in rest)
    if len(error.exceptions) > _MAX_MEMBERS:
        yield f"  ... and {len(error.exceptions) - _MAX_MEMBERS} more"


def _format_one(error: Any) -> Sequence[str]:
    try:
        text = "".join(traceback.format_exception_only(type(error), error))
    except Exception as failure:
        text = f"{type(error).__name__}: <that can't be shown: {type(failure).__name__}>"
    return make_printable(text).rstrip("\n").split("\n")


def make_printable(text: str) -> str:
    """Return a text that every stream takes: halves of characters, as in undecodable file names, are escaped.

    Examples
    --------
    >>> make_printable("größe" + chr(0xDCFF))
    'größe\\\\udcff'
    """
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _format_origin(error: BaseException) -> str:
    """Return where an exception was raised."""
    entry = read_attribute(error, "__traceback__")
    if entry is None:
        return ""
    while entry.tb_next is not None:
        entry = entry.tb_next
    code = entry.tb_frame.f_code
    return f" ({code.co_filename}:{entry.tb_lineno} in {code.co_name})"


def shorten_lines(lines: Sequence[str]) -> Sequence[str]:
    """Return lines with the middle of a long text and the ends of long lines left out, and that said."""
    if len(lines) > MAX_LINES:
        half = MAX_LINES // 2
        lines = [*lines[:half], f"... ({len(lines) - 2 * half} lines left out) ...", *lines[-half:]]
    return [line if len(line) <= MAX_LINE else f"{line[:MAX_LINE]}... ({len(line)} characters)" for line in lines]
