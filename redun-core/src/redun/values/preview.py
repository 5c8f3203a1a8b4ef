"""Showing stored values without running the code that a pickle may contain.

Unpickling executes whatever the bytes say, so displays must not do it. Here a pickle is read by an unpickler that
resolves no name: every class and function in it becomes an inert stand-in that only remembers what it was given. A
few types of the standard library that do nothing but hold data are real.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Mapping
from datetime import date, datetime, time, timedelta, timezone
from io import BytesIO
from itertools import chain
from operator import itemgetter
from typing import Any

from redun.errors import PluginError
from redun.logging import logger
from redun.traceback import trim_string
from redun.values.base import MIME_TYPE_PICKLE
from redun.values.codec import MIME_TYPE_GRAPH

MAX_LENGTH = 200
MAX_BYTES = 1_000_000
_MAX_DEPTH = 60
_HASH_DIGITS = frozenset("0123456789abcdef")

_HARMLESS: Mapping[tuple[str, str], Any] = {
    (kind.__module__, kind.__qualname__): kind for kind in (set, frozenset, complex, date, timedelta, timezone)
}


class Inert:
    """Stands for an object in a pickle: knows the name of its class, what it was made of, and its state.

    Attributes
    ----------
    arguments : tuple
        What its class was called with.
    state : Mapping or None
        Its attributes.
    items : list
        What was appended to it, if it is a kind of collection.
    """

    arguments: tuple[Any, ...]
    state: Any
    items: list[Any]

    def __new__(cls, *arguments: Any, **_: Any) -> Inert:
        made = super().__new__(cls)
        made.arguments, made.state, made.items = arguments, None, []
        return made

    def __init__(self, *arguments: Any, **_: Any) -> None:
        return

    def __call__(self, *arguments: Any, **_: Any) -> Inert:
        return type(self)(*self.arguments, *arguments)

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def __setitem__(self, key: Any, value: Any) -> None:
        self.items.append((key, value))

    def append(self, item: Any) -> None:
        """Remember an item, as a list would."""
        self.items.append(item)

    add = append

    def extend(self, items: Any) -> None:
        """Remember items, as a list would."""
        self.items.extend(items)

    def attributes(self) -> Mapping[str, Any]:
        """Return the attributes, of instances with slots too."""
        parts = self.state if isinstance(self.state, tuple) else (self.state,)
        return {str(key): value for part in parts if isinstance(part, Mapping) for key, value in part.items()}


class _InertUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in _HARMLESS:
            return _HARMLESS[module, name]
        if (module, name) in _IN_PLACE:
            return _IN_PLACE[module, name]
        return _make_inert_class(module, name)

    def persistent_load(self, pid: Any) -> Any:
        return pid


def _make_inert_class(module: str, name: str) -> type[Inert]:
    return type(name, (Inert,), {"__module__": module})


def _get_inert_attribute(holder: Any, name: Any) -> type[Inert]:
    """Stand for an attribute, as pickles refer to nested classes and methods of classes."""
    owner = holder.__name__ if isinstance(holder, type) else type(holder).__name__
    return _make_inert_class("", f"{owner}.{name}")


def _make_time(kind: Any) -> Any:
    """Return a function that makes points in time; one in an inert time zone is made without it."""

    def make(*arguments: Any) -> Any:
        return kind(*(argument for argument in arguments if not isinstance(argument, Inert)))

    return make


_IN_PLACE: Mapping[tuple[str, str], Any] = {
    ("builtins", "getattr"): _get_inert_attribute,
    ("copyreg", "_reconstructor"): lambda cls, _base, _state: cls(),
    ("datetime", "datetime"): _make_time(datetime),
    ("datetime", "time"): _make_time(time),
}


def read_inert(data: bytes) -> Any:
    """Return a pickled value with inert stand-ins in place of everything that is no plain data.

    Raises
    ------
    ValueError
        When the bytes are no pickle.
    """
    try:
        return _InertUnpickler(BytesIO(data)).load()
    except Exception as error:
        raise ValueError(f"the bytes can't be read: {type(error).__name__}") from error


def read_stored(data_format: str, data: bytes) -> Any:
    """Return a stored value as `read_inert` does, whether it was pickled or stored as a graph of expressions.

    Raises
    ------
    ValueError
        When the bytes are in another format, absent, or too many to be shown.
    """
    if data_format not in (MIME_TYPE_PICKLE, MIME_TYPE_GRAPH) or not data or len(data) > MAX_BYTES:
        raise ValueError(f"{len(data)} bytes of format {data_format} are not read for display")
    value = read_inert(data)
    if data_format == MIME_TYPE_PICKLE:
        return value
    if not isinstance(value, list) or not value:
        raise ValueError("the bytes hold no graph")
    return value[-1]


def preview(
    type_name: str, data_format: str, data: bytes, max_length: int = MAX_LENGTH, value_hash: str | None = None
) -> str:
    """Return a stored value on one line, as its representation would be, cut to a length.

    Parameters
    ----------
    type_name, data_format, data
        The value as it is stored.
    max_length
        How long the line may get, in characters.
    value_hash
        The value's address, which identifies it where its bytes are not shown.
    """
    shown = _ask_plugins(type_name, data)
    if shown is None and data and len(data) <= MAX_BYTES and data_format in (MIME_TYPE_PICKLE, MIME_TYPE_GRAPH):
        try:
            shown = format_inert(read_stored(data_format, data), max_length)
        except Exception:  # Whatever a foreign or damaged value leads to, a display goes on.
            shown = f"{type_name.rpartition('.')[2]}(unreadable, size={len(data)})"
    elif shown is None:
        shown = summarize(type_name, value_hash, len(data))
    return trim_string(shown, max_length)


def summarize(type_name: str, value_hash: str | None, size: int | None = None) -> str:
    """Return a line for a value that is not read.

    Examples
    --------
    >>> summarize("builtins.list", "7bc9b6e02dac5c672b997d1bc846267161c0c170", 2_000_000)
    'list(hash=7bc9b6e0, size=2000000)'
    """
    known = [] if value_hash is None else [f"hash={_shorten(value_hash)}"]
    known += [] if size is None else [f"size={size}"]
    return f"{type_name.rpartition('.')[2]}({', '.join(known)})"


def _ask_plugins(type_name: str, data: bytes) -> str | None:
    from redun.plugins.host import get_host

    render = get_host().decider("redun_render_value")
    if render is None:
        return None
    try:
        shown = render(type_name=type_name, data=data)
    except PluginError as error:
        logger.warning("%s", error)
        return None
    return None if shown is None else str(shown)


def format_inert(value: Any, max_length: int = MAX_LENGTH) -> str:
    """Return the representation of an inert value, cut to a length. No more of the value is visited than is shown."""
    shown = ""
    for piece in _pieces(value, max_length, _MAX_DEPTH):
        shown += piece
        if len(shown) > max_length:
            break
    return trim_string(shown, max_length)


def _pieces(value: Any, room: int, depth: int) -> Iterator[str]:
    """Yield a representation piece by piece; what is nested too deep is left out."""
    if isinstance(value, str | bytes):
        yield repr(value[: room + 1])
    elif not depth:
        yield "..."
    elif type(value) is list:
        yield from _enclosed("[", value, "]", room, depth)
    elif type(value) is tuple:
        yield from _enclosed("(", value, ",)" if len(value) == 1 else ")", room, depth)
    elif type(value) is set:
        yield from _enclosed("{", value, "}", room, depth) if value else ("set()",)
    elif type(value) is frozenset:
        yield from _enclosed("frozenset({", value, "})", room, depth) if value else ("frozenset()",)
    elif type(value) is dict:
        yield "{"
        yield from _pairs(value.items(), ": ", repr_keys=True, room=room, depth=depth)
        yield "}"
    elif isinstance(value, Inert):
        yield from _inert_pieces(value, room, depth)
    elif isinstance(value, type) and issubclass(value, Inert):
        yield value.__name__
    else:
        yield repr(value)


def _inert_pieces(value: Inert, room: int, depth: int) -> Iterator[str]:
    attributes, arguments = value.attributes(), value.arguments
    name = type(value).__name__
    if name in ("TaskExpression", "SchedulerExpression") and len(arguments) >= 3:
        yield from _call_pieces(arguments[0], arguments[1], arguments[2], room, depth)
        return
    if {"task_name", "args", "kwargs"} <= set(attributes):
        args, kwargs = (_read_nested(attributes[key]) for key in ("args", "kwargs"))
        yield from _call_pieces(attributes["task_name"], args, kwargs, room, depth)
        return
    yield f"{name}("
    yield from _join(_pieces(item, room, depth - 1) for item in chain(arguments, value.items))
    shown = {key: _shorten(item) for key, item in attributes.items() if not key.startswith("_")}
    if shown and (arguments or value.items):
        yield ", "
    yield from _pairs(shown.items(), "=", repr_keys=False, room=room, depth=depth)
    yield ")"


def _call_pieces(name: Any, args: Any, kwargs: Any, room: int, depth: int) -> Iterator[str]:
    yield f"{name}("
    args = args if isinstance(args, tuple | list) else ()
    kwargs = kwargs if isinstance(kwargs, Mapping) else {}
    yield from _join(_pieces(item, room, depth - 1) for item in args)
    if args and kwargs:
        yield ", "
    named = sorted(((str(key), item) for key, item in kwargs.items()), key=itemgetter(0))
    yield from _pairs(named, "=", repr_keys=False, room=room, depth=depth)
    yield ")"


def _read_nested(data: Any) -> Any:
    """Read a pickle inside a pickle, as old expressions keep their arguments."""
    return read_inert(data) if isinstance(data, bytes) else data


def _shorten(value: Any) -> Any:
    is_hash = isinstance(value, str) and len(value) == 40 and _HASH_DIGITS.issuperset(value)
    return value[:8] if is_hash else value


def _enclosed(start: str, items: Any, end: str, room: int, depth: int) -> Iterator[str]:
    yield start
    yield from _join(_pieces(item, room, depth - 1) for item in items)
    yield end


def _pairs(items: Any, between: str, repr_keys: bool, room: int, depth: int) -> Iterator[str]:
    for index, (key, item) in enumerate(items):
        if index:
            yield ", "
        if repr_keys:
            yield from _pieces(key, room, depth - 1)
        else:
            yield str(key)
        yield between
        yield from _pieces(item, room, depth - 1)


def _join(parts: Any) -> Iterator[str]:
    for index, part in enumerate(parts):
        if index:
            yield ", "
        yield from part
