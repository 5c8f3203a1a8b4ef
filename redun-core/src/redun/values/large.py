"""Encodings of large values, each of which is kept once while executions run.

A value that many calls take, or that is the result of one call and an argument of the next, is encoded for each.
Where it is large, they share the encoding. One is *in use* while anything but this module refers to it; the others are
forgotten when the next one comes, when records have been written, and all of them when no execution runs any more.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from redun.values.codec import EncodedValue

LARGE = 2**20
"""From how many bytes on an encoding is shared."""

_CONSTANT = (bytes, str)
_OWN_REFERENCES = 2
"""The references to an encoding that is not in use: of its entry, and of the call that counts them."""


class _Entry:
    """An encoding, and those objects that it is of and that never change."""

    __slots__ = ("encoded", "objects")

    def __init__(self, encoded: EncodedValue) -> None:
        self.encoded = encoded
        self.objects: list[Any] = []


_lock = threading.Lock()
_executions = 0
_entries: dict[str, _Entry] = {}
known_objects: dict[int, _Entry] = {}
"""Objects that never change and whose encodings are in use, by their `id`; mostly none."""


def find_encoding(value: Any) -> EncodedValue | None:
    """Return the encoding of a large object, if the object never changes and its encoding is in use."""
    entry = known_objects.get(id(value))
    return None if entry is None else entry.encoded


def share_encoding(value: Any, encoded: EncodedValue) -> EncodedValue:
    """Return the encoding to use in place of a new one of the same value, while executions run."""
    with _lock:
        if not _executions:
            return encoded
        entry = _entries.get(encoded.value_hash)
        if entry is None or entry.encoded[1:3] != encoded[1:3]:
            _forget_unused()
            entry = _entries[encoded.value_hash] = _Entry(encoded)
        if type(value) in _CONSTANT and id(value) not in known_objects:
            entry.objects.append(value)  # As long as it is here, no other object has its id.
            known_objects[id(value)] = entry
        return entry.encoded


def forget_unused() -> None:
    """Let go of encodings that nothing uses any more."""
    if _entries:
        with _lock:
            _forget_unused()


def _forget_unused() -> None:
    for value_hash, entry in list(_entries.items()):
        if sys.getrefcount(entry.encoded) <= _OWN_REFERENCES:
            del _entries[value_hash]
            for value in entry.objects:
                known_objects.pop(id(value), None)


@contextmanager
def sharing_encodings() -> Iterator[None]:
    """Share the encodings of large values while any execution of this process runs."""
    global _executions
    with _lock:
        _executions += 1
    try:
        yield
    finally:
        with _lock:
            _executions -= 1
            if not _executions:
                _entries.clear()
                known_objects.clear()
