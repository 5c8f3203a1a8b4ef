"""Small helpers that workflows import."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


def merge_dicts(dicts: Iterable[Mapping[Any, Any]]) -> dict[Any, Any]:
    """Return mappings merged into one, mappings inside them too; elsewhere the last value wins.

    Examples
    --------
    >>> merge_dicts([{"a": {"b": 1, "c": 2}}, {"a": {"b": 3}}])
    {'a': {'b': 3, 'c': 2}}
    """
    merged: dict[Any, Any] = {}
    for mapping in dicts:
        for key, value in mapping.items():
            known = merged.get(key)
            nested = isinstance(known, Mapping) and isinstance(value, Mapping)
            merged[key] = merge_dicts([known, value]) if nested else value  # type: ignore[list-item]
    return merged
