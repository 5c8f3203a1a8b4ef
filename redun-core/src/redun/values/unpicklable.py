"""Saying which part of a value can't be pickled."""

from __future__ import annotations

import pickle
from collections.abc import Iterable
from types import GeneratorType, ModuleType
from typing import Any

from redun.traceback import is_library, safe_repr

_MAX_DEPTH = 20


def describe_unstorable(value: Any, type_name: str, error: Exception) -> str:
    """Return why a value can't be stored: which part of it, and what pickling that ends in.

    Examples
    --------
    >>> describe_unstorable([1, {"odd": lambda: 1}], "list", TypeError("no functions"))
    "a list can't be stored: no functions, for value[1]['odd'] is a function"
    """
    text = f"a {type_name} can't be stored: {error}"
    if isinstance(value, GeneratorType):
        return f"{text}; give a list of its items"
    if isinstance(error, RecursionError):
        return text
    part = find_unpicklable(value, "value")
    return text if part.startswith("value is ") else f"{text}, for {part}"


def find_cause(error: BaseException) -> BaseException | None:
    """Return an error if it comes from a user's code, so that it helps to see where; None if pickling itself fails."""
    last = error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    return None if last is None or is_library(last.tb_frame.f_code.co_filename) else error


def find_unpicklable(value: Any, name: str, depth: int = 0) -> str:
    """Return which part of a value can't be pickled, as an expression of the value's name, and what it is.

    Examples
    --------
    >>> find_unpicklable({"fine": 1, "odd": [lambda: 1]}, "result")
    "result['odd'][0] is a function"
    """
    if depth < _MAX_DEPTH:
        for suffix, part in _list_parts(value):
            try:
                pickle.dumps(part)
            except Exception:
                return find_unpicklable(part, name + suffix, depth + 1)
    return f"{name} is a {type(value).__qualname__}"


def _list_parts(value: Any) -> Iterable[tuple[str, Any]]:
    if isinstance(value, dict):
        return [(f"[{safe_repr(key, 40)}]", part) for key, part in value.items()]
    if isinstance(value, list | tuple):
        return [(f"[{index}]", part) for index, part in enumerate(value)]
    attributes = [(f".{name}", part) for name, part in getattr(value, "__dict__", {}).items()]
    if isinstance(value, BaseException):
        return [*((f".args[{index}]", part) for index, part in enumerate(value.args)), *attributes]
    return [] if isinstance(value, type | ModuleType) or callable(value) else attributes
