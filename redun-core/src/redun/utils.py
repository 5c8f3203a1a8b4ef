"""Small helpers that workflows import."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from pickle import loads as pickle_loads
from typing import IO, Any, Generic, TypeVar

from redun.hashing import json_dumps
from redun.source import get_func_source
from redun.traceback import trim_string
from redun.values.base import pickle_dumps
from redun.values.builtin import Bool
from redun.values.nested import iter_nested_value, map_nested_value

K = TypeVar("K")
V = TypeVar("V")

_import_paths: list[str] = []


def pickle_dump(value: Any, stream: IO[bytes]) -> None:
    """Write a value to a stream as redun pickles values.

    Examples
    --------
    >>> import io
    >>> stream = io.BytesIO()
    >>> pickle_dump([1, 2], stream)
    >>> pickle_loads(stream.getvalue())
    [1, 2]
    """
    stream.write(pickle_dumps(value))


def merge_dicts(dicts: Iterable[Mapping[Any, Any]]) -> dict[Any, Any]:
    """Return mappings, such as contexts, merged into one, mappings inside them too; elsewhere the last value wins.

    Raises
    ------
    TypeError
        When one is no mapping.

    Examples
    --------
    >>> merge_dicts([{"a": {"b": 1, "c": 2}}, {"a": {"b": 3}}])
    {'a': {'b': 3, 'c': 2}}
    """
    merged: dict[Any, Any] = {}
    for mapping in dicts:
        if not isinstance(mapping, Mapping):
            raise TypeError(f"a context must be a mapping, not {mapping!r}; the values in it may be expressions")
        for key, value in mapping.items():
            known = merged.get(key)
            nested = isinstance(known, Mapping) and isinstance(value, Mapping)
            merged[key] = merge_dicts([known, value]) if nested else value  # type: ignore[list-item]
    return merged


class MultiMap(Generic[K, V]):
    """A mapping with any number of values under a key, in the order in which they were added.

    Parameters
    ----------
    items
        Pairs of a key and a value to begin with.

    Examples
    --------
    >>> tags = MultiMap([("user", "ann"), ("user", "bob")])
    >>> tags.add("project", "demo")
    >>> tags["user"], tags["other"], list(tags)
    (['ann', 'bob'], [], [('user', 'ann'), ('user', 'bob'), ('project', 'demo')])
    """

    def __init__(self, items: Iterable[tuple[K, V]] = ()) -> None:
        self._values: dict[K, list[V]] = {}
        for key, value in items:
            self.add(key, value)

    def add(self, key: K, value: V) -> None:
        """Add a value under a key."""
        self._values.setdefault(key, []).append(value)

    def __getitem__(self, key: K) -> list[V]:
        return list(self._values.get(key, ()))

    def __contains__(self, key: object) -> bool:
        return key in self._values

    def __len__(self) -> int:
        return sum(map(len, self._values.values()))

    def __iter__(self) -> Iterator[tuple[K, V]]:
        return ((key, value) for key, values in self._values.items() for value in values)


def str2bool(text: str) -> bool:
    """Return the truth value that a text stands for, ``true`` or ``false`` in any case.

    Raises
    ------
    ValueError
        When it is neither.
    """
    return Bool.parse_arg(bool, text)


def add_import_path(path: str) -> None:
    """Let Python look for modules in a folder before all others, and remember it for the processes that run tasks."""
    if path not in _import_paths:
        _import_paths.append(path)
    if path not in sys.path:
        sys.path.insert(0, path)


def get_import_paths() -> list[str]:
    """Return the folders that were added, in order."""
    return list(_import_paths)


def clear_import_paths() -> None:
    """Forget the folders that were added. Python still looks into them."""
    _import_paths.clear()


__all__ = [
    "MultiMap",
    "add_import_path",
    "clear_import_paths",
    "get_func_source",
    "get_import_paths",
    "iter_nested_value",
    "json_dumps",
    "map_nested_value",
    "merge_dicts",
    "pickle_dump",
    "pickle_dumps",
    "pickle_loads",
    "str2bool",
    "trim_string",
]
