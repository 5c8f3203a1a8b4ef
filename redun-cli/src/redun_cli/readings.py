"""How texts of a command line are read as values of a type.

A *reading* takes one text, any number of them, or a fixed number. Types that need more than words, such as mappings and
dataclasses, are given as JSON, whose parts are read by the types of their parts in turn.
"""

from __future__ import annotations

import collections.abc
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields, is_dataclass
from datetime import date, datetime
from enum import Enum
from inspect import Parameter
from pathlib import Path
from types import FunctionType, NoneType, UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from redun.task import Task
from redun.values.base import ProxyValue, Value
from redun.values.registry import get_type_registry

MANY = -1
"""The count of a reading that takes any number of texts."""

_COLLECTIONS: Mapping[Any, Callable[[list[Any]], Any]] = {
    list: list,
    set: set,
    frozenset: frozenset,
    collections.abc.Sequence: list,
    collections.abc.MutableSequence: list,
    collections.abc.Collection: list,
    collections.abc.Iterable: list,
    collections.abc.Set: set,
    collections.abc.MutableSet: set,
}
_MAPPINGS = (dict, collections.abc.Mapping, collections.abc.MutableMapping)


class BadItem(ValueError):
    """One of several texts is no value of the type of the items."""

    def __init__(self, text: str, problem: Exception) -> None:
        super().__init__(str(problem))
        self.text = text


@dataclass(frozen=True)
class Reading:
    """How texts become a value.

    Attributes
    ----------
    convert
        Makes the value of a text, or of a list of texts if there are several; raises if they stand for none.
    count
        How many texts there are: None for one, `MANY` for any number, or a number.
    choices
        The texts that there are to choose from, if they can be listed.
    """

    convert: Callable[[Any], Any]
    count: int | None = None
    choices: Sequence[str] | None = None


def choose_reading(annotation: Any) -> Reading | None:
    """Return how a parameter of a type is read from texts, or None if it can't be.

    Parameters
    ----------
    annotation
        The type; no text.
    """
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return choose_reading(arguments[0])
    if isinstance(annotation, TypeVar):
        members = annotation.__constraints__ or (annotation.__bound__ or Any,)
        return _read_union(members)
    if origin in (Union, UnionType):
        return _read_union([member for member in arguments if member is not NoneType])
    if origin is Literal:
        return _read_literal(arguments)
    if annotation in (Any, Parameter.empty):
        return Reading(str)
    collect = _COLLECTIONS.get(origin or annotation)
    if collect is not None:
        return _read_collection(arguments[0] if arguments else str, collect)
    if (origin or annotation) is tuple:
        return _read_tuple(arguments)
    if (origin or annotation) in _MAPPINGS:
        return Reading(lambda text: from_json(annotation, _load_object(text)))
    if (origin or annotation) in (Callable, collections.abc.Callable):
        return Reading(lambda text: get_type_registry().parse_arg(FunctionType, text))
    kind = origin or annotation
    return _read_class(kind) if isinstance(kind, type) else None


def _read_class(kind: type) -> Reading | None:
    if issubclass(kind, Enum):
        return Reading(lambda text: get_type_registry().parse_arg(kind, text), choices=list(kind.__members__))
    if kind is date:
        return Reading(date.fromisoformat)
    if kind is bytes:
        return Reading(str.encode)
    if kind in (int, float, complex, str) or issubclass(kind, Path):
        return Reading(kind)
    if kind in (bool, datetime) or (issubclass(kind, Value) and not issubclass(kind, Task)):
        return Reading(lambda text: get_type_registry().parse_arg(kind, text))
    proxy = get_type_registry().get_type(kind, use_default=False)
    if proxy is not None and issubclass(proxy, ProxyValue) and _reads_texts(proxy):
        return Reading(lambda text: get_type_registry().parse_arg(kind, text))
    if is_dataclass(kind):
        return Reading(lambda text: from_json(kind, _load_object(text)))
    return None


def _reads_texts(proxy: type[ProxyValue]) -> bool:
    """Whether a class that looks after a foreign type says what a text stands for, which the type itself need not."""
    return proxy.parse_arg.__func__ is not ProxyValue.parse_arg.__func__  # type: ignore[attr-defined]


def _read_union(members: Sequence[Any]) -> Reading | None:
    """Return a reading as the first type that takes the texts; plain text, which takes any, comes last."""
    ordered = sorted(members, key=lambda member: member in (str, bytes, Any, Path))
    readings = [reading for reading in map(choose_reading, ordered) if reading is not None]
    if len(readings) < 2:
        return readings[0] if readings else None
    counts = {reading.count for reading in readings}
    several = len(counts) > 1 or counts != {None}

    def convert(texts: Any) -> Any:
        problems = []
        for reading in readings:
            try:
                return _convert(reading, texts) if several else reading.convert(texts)
            except Exception as error:  # Value types are written by users.
                problems.append(str(error))
        raise ValueError("; ".join(problems))

    choices = [choice for reading in readings for choice in reading.choices or ()]
    is_closed = all(reading.choices for reading in readings)
    return Reading(convert, MANY if several else None, choices if is_closed else None)


def _convert(reading: Reading, texts: Sequence[str]) -> Any:
    """Return the value of any number of texts, by a reading that may take only some numbers of them."""
    if reading.count is None:
        if len(texts) != 1:
            raise ValueError(f"expected one value, not {len(texts)}")
        return reading.convert(texts[0])
    if reading.count not in (MANY, len(texts)):
        raise ValueError(f"expected {reading.count} values, not {len(texts)}")
    return reading.convert(texts)


def _read_literal(values: Sequence[Any]) -> Reading:
    by_text = {str(value): value for value in values}

    def convert(text: str) -> Any:
        if text not in by_text:
            raise ValueError(f"choose from {', '.join(by_text)}")
        return by_text[text]

    return Reading(convert, choices=list(by_text))


def _read_collection(item_type: Any, collect: Callable[[list[Any]], Any]) -> Reading | None:
    item = choose_reading(item_type)
    if item is None or item.count is not None:
        return None
    return Reading(lambda texts: collect([_read_item(item, text) for text in texts]), MANY, item.choices)


def _read_tuple(types: Sequence[Any]) -> Reading | None:
    if not types or (len(types) == 2 and types[1] is Ellipsis):
        return _read_collection(types[0] if types else str, tuple)
    items = [reading for reading in map(choose_reading, types) if reading is not None and reading.count is None]
    if len(items) < len(types):
        return None
    return Reading(
        lambda texts: tuple(_read_item(item, text) for item, text in zip(items, texts, strict=True)), len(items)
    )


def _read_item(item: Reading, text: str) -> Any:
    try:
        return item.convert(text)
    except Exception as error:  # Value types are written by users.
        raise BadItem(text, error) from error


def _load_object(text: str) -> dict[str, Any]:
    value = json.loads(text)
    if not isinstance(value, dict):
        raise ValueError("expected a JSON object")
    return value


def from_json(annotation: Any, value: Any) -> Any:
    """Return the value of a type that a JSON value stands for.

    Objects become mappings and dataclasses, arrays become lists, tuples and sets, and texts whatever texts on a command
    line become. What no type is given for stays as it is.

    Raises
    ------
    ValueError
        When it stands for none.

    Examples
    --------
    >>> from_json(dict[str, tuple[int, ...]], {"a": [1, 2]})
    {'a': (1, 2)}
    """
    origin, arguments = get_origin(annotation), get_args(annotation)
    kind = origin or annotation
    if origin is Annotated:
        return from_json(arguments[0], value)
    if origin in (Union, UnionType):
        return _any_from_json(arguments, value)
    if origin is Literal:
        if value not in arguments:
            raise ValueError(f"{value!r} is none of {', '.join(map(repr, arguments))}")
        return value
    if kind in _MAPPINGS and isinstance(value, dict):
        item_type = arguments[1] if len(arguments) == 2 else Any
        return {key: from_json(item_type, item) for key, item in value.items()}
    if is_dataclass(kind) and isinstance(value, dict):
        return _dataclass_from_json(kind, value)
    if (kind in _COLLECTIONS or kind is tuple) and isinstance(value, list):
        return _items_from_json(kind, arguments, value)
    return _scalar_from_json(annotation, value)


def _any_from_json(members: Sequence[Any], value: Any) -> Any:
    problems = []
    for member in sorted(members, key=lambda member: member in (str, Any)):
        try:
            return from_json(member, value)
        except Exception as error:  # Value types are written by users.
            problems.append(str(error))
    raise ValueError("; ".join(problems))


def _items_from_json(kind: Any, types: Sequence[Any], values: Sequence[Any]) -> Any:
    if kind is tuple and types and types[-1] is not Ellipsis:
        if len(types) != len(values):
            raise ValueError(f"expected {len(types)} items, not {len(values)}")
        return tuple(map(from_json, types, values))
    item_type = types[0] if types else Any
    return _COLLECTIONS.get(kind, tuple)([from_json(item_type, item) for item in values])


def _dataclass_from_json(kind: Any, values: Mapping[str, Any]) -> Any:
    known = {field.name: field for field in fields(kind) if field.init}
    unknown = [name for name in values if name not in known]
    if unknown:
        raise ValueError(f"there is no field {unknown[0]!r}; there are {', '.join(known)}")
    required = [name for name, field in known.items() if field.default is MISSING and field.default_factory is MISSING]
    missing = [name for name in required if name not in values]
    if missing:
        raise ValueError(f"field {missing[0]!r} is missing")
    types = get_type_hints(kind, include_extras=True)
    return kind(**{name: _field_from_json(name, types[name], value) for name, value in values.items()})


def _field_from_json(name: str, annotation: Any, value: Any) -> Any:
    try:
        return from_json(annotation, value)
    except Exception as error:  # Value types are written by users.
        raise ValueError(f"field {name!r}: {error}") from error


def _scalar_from_json(annotation: Any, value: Any) -> Any:
    if annotation is Any or (annotation in (None, NoneType) and value is None):
        return value
    if annotation is float and type(value) is int:
        return float(value)
    if annotation in (str, int, float, bool, list, dict):
        if type(value) is not annotation:
            raise ValueError(f"{json.dumps(value)} is no {annotation.__name__}")
        return value
    reading = choose_reading(annotation)
    if reading is None or not isinstance(value, str):
        raise ValueError(f"{json.dumps(value)} is no {getattr(annotation, '__name__', annotation)}")
    return reading.convert(value)
