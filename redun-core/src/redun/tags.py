"""Tags: pairs of a key and a JSON value, as users write and read them."""

from __future__ import annotations

import json
from math import isfinite
from typing import Any

from redun.hashing import json_dumps
from redun.traceback import trim_string

VERSION_KEY = "redun.version"
PROJECT_KEY = "project"
DOC_KEY = "doc"
USER_KEY = "user"
CONTEXT_KEY = "redun.context"

ANY_VALUE: Any = object()
"""Stands for whatever value a tag has, where tags are searched by their key alone."""

MAX_LENGTH = 50

_LITERALS = {"true": True, "false": False, "null": None}


def str2literal(text: str) -> Any:
    """Return the number, truth value or null that a text stands for.

    Raises
    ------
    ValueError
        When it stands for none.

    Examples
    --------
    >>> str2literal("10"), str2literal("1e3"), str2literal("true"), str2literal("null")
    (10, 1000.0, True, None)
    """
    if text in _LITERALS:
        return _LITERALS[text]
    try:
        return int(text)
    except ValueError:
        number = float(text)
    if not isfinite(number):
        raise ValueError(f"{text!r} is no number that JSON has")
    return number


def parse_tag_value(text: str) -> Any:
    """Return the JSON value that a user means by a text.

    Raises
    ------
    ValueError
        When the text begins like a list, a mapping or a quoted text in JSON and is none.

    Examples
    --------
    >>> parse_tag_value("prod"), parse_tag_value("1.5"), parse_tag_value('["a", 1]'), parse_tag_value("")
    ('prod', 1.5, ['a', 1], None)
    """
    if not text:
        return None
    if text[0] in '[{"':
        try:
            return json.loads(text)
        except ValueError as error:
            raise ValueError(f"tag value {text!r} begins like JSON and can't be read: {error}") from None
    try:
        return str2literal(text)
    except ValueError:
        return text


def parse_tag_key_value(key_value: str, value_required: bool = True) -> tuple[str, Any]:
    """Return the key and the value of a tag that is written as ``key=value``.

    Parameters
    ----------
    key_value
        The text.
    value_required
        Whether there must be a value; otherwise a key alone goes with `ANY_VALUE`.

    Raises
    ------
    ValueError
        When there is no key, or a value is missing or can't be read.

    Examples
    --------
    >>> parse_tag_key_value("env=prod"), parse_tag_key_value("env", value_required=False)[1] is ANY_VALUE
    (('env', 'prod'), True)
    """
    key, separator, text = key_value.partition("=")
    if not key or (value_required and not separator):
        raise ValueError(f"tag {key_value!r} must be written as key=value")
    return key, parse_tag_value(text) if separator else ANY_VALUE


def format_tag_value(value: Any) -> str:
    """Return a text that `parse_tag_value` reads as a value: a plain word as it is, everything else as JSON.

    Examples
    --------
    >>> format_tag_value("prod"), format_tag_value("10"), format_tag_value([1, "a b"])
    ('prod', '"10"', '[1,"a b"]')
    """
    if isinstance(value, str) and not any(character in value for character in " ,") and _is_plain(value):
        return value
    return json_dumps(value)


def _is_plain(text: str) -> bool:
    try:
        return bool(parse_tag_value(text) == text)
    except ValueError:
        return False


def format_tag_key_value(key: str, value: Any, max_length: int = MAX_LENGTH) -> str:
    """Return a tag as ``key=value``, cut to a length.

    Examples
    --------
    >>> format_tag_key_value("env", "prod"), format_tag_key_value("doc", "a long text", 10)
    ('env=prod', 'doc="a ...')
    """
    return trim_string(f"{key}={format_tag_value(value)}", max_length)
