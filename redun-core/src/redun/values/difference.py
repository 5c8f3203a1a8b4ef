"""Finding where two stored values differ, without running the code that a pickle may contain.

Values are compared as `redun.values.preview` reads them, part by part. A place inside a value is written as in Python:
``config["a"][3]`` is an item of an item, ``.name`` an attribute of an object.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from redun.masking import MASK, looks_secret, mask_secrets
from redun.values.preview import Inert, format_inert

MAX_PAIRS = 100_000
"""How many pairs of parts are compared at most."""

_MAX_DEPTH = 60
_MAX_KEY = 1_000
_MAX_LEAF = 10_000
_MAX_PATH = 500
_ABSENT = "(absent)"
_Pair = tuple[tuple[str, ...], Any, Any]


class Change(NamedTuple):
    """One place at which two values differ.

    Attributes
    ----------
    path
        The place.
    old, new
        What was there and what is there now, each on one line.
    file
        The path of the file, if the same file is in that place and its content changed.
    """

    path: str
    old: str
    new: str
    file: str = ""

    def format(self) -> str:
        """Return the change on one line, secrets masked.

        Examples
        --------
        >>> Change("a[3]", "1", "2").format()
        'a[3]: 1 --> 2'
        """
        if self.file:
            return f"{self.path}: file {self.file!r} changed (hash {self.old} --> {self.new})"
        if looks_secret(self.path):
            return f"{self.path}: {MASK} --> {MASK}"
        return f"{self.path}: {mask_secrets(self.old)} --> {mask_secrets(self.new)}"


class _Absent:
    """Stands for a part that only the other value has."""


def find_changes(old: Any, new: Any, name: str = "", max_length: int = 80) -> Iterator[Change]:
    """Yield where two values differ, in the order of their parts.

    Parameters
    ----------
    old, new
        The values as `redun.values.preview.read_inert` returns them.
    name
        How the whole value is called.
    max_length
        How long each representation may get, in characters.

    Examples
    --------
    >>> [change.format() for change in find_changes({"a": [1, 2]}, {"a": [1, 3]}, "config")]
    ["config['a'][1]: 2 --> 3"]
    """
    for steps, before, after in _find_differences(old, new):
        path = name + "".join(steps)
        first, second = _locate(before), _locate(after)
        if _is_resized(before, after):
            yield _describe_resized(path, before, after, max_length)
        elif first and first == second:
            hashes = [str(item.attributes()["hash"])[:8] for item in (before, after)]
            yield Change(path, hashes[0], hashes[1], first)
        elif first and second:
            yield Change(path, format_inert(first, _MAX_PATH), format_inert(second, _MAX_PATH))
        else:
            yield Change(path, _show(before, max_length), _show(after, max_length))


def _find_differences(old: Any, new: Any) -> Iterator[_Pair]:
    """Yield the pairs of parts that differ; lists of different lengths are not looked into."""
    stack: list[_Pair] = [((), old, new)]
    compared: set[tuple[int, int]] = set()
    visited = 0
    while stack and visited < MAX_PAIRS:
        visited += 1
        steps, before, after = stack.pop()
        parts = _pair_parts(before, after) if len(steps) < _MAX_DEPTH else None
        if parts is None:
            if _is_resized(before, after) or not _is_equal(before, after):
                yield steps, before, after
        elif (id(before), id(after)) not in compared:
            compared.add((id(before), id(after)))
            stack.extend(((*steps, step), first, second) for step, first, second in reversed(parts))


def _pair_parts(old: Any, new: Any) -> Sequence[tuple[str, Any, Any]] | None:
    """Return the parts of two values of a kind side by side, or None if they are compared as a whole."""
    first, second = _list_parts(old), _list_parts(new)
    if first is None or second is None or _kind(old) != _kind(new) or _is_resized(old, new) or _locate(old):
        return None
    steps = dict.fromkeys([*first, *second])
    return [(step, first.get(step, _Absent), second.get(step, _Absent)) for step in steps]


def _list_parts(value: Any) -> Mapping[str, Any] | None:
    """Return the parts of a value by the step that leads to them, or None if it has none."""
    if isinstance(value, list | tuple):
        return {f"[{index}]": item for index, item in enumerate(value)}
    if isinstance(value, dict):
        return {f"[{format_inert(key, _MAX_KEY)}]": item for key, item in value.items()}
    if isinstance(value, Inert):
        parts = {f"({index})": item for index, item in enumerate(value.arguments)}
        parts.update((f"[{index}]", item) for index, item in enumerate(value.items))
        parts.update((f".{name}", item) for name, item in value.attributes().items())
        return parts
    return None


def _kind(value: Any) -> Any:
    return (type(value).__module__, type(value).__name__)


def _is_resized(old: Any, new: Any) -> bool:
    return isinstance(old, list | tuple) and type(old) is type(new) and len(old) != len(new)


def _locate(value: Any) -> str:
    """Return the path of a value that stands for a file, a set of files or a directory; else nothing."""
    if not isinstance(value, Inert):
        return ""
    attributes = value.attributes()
    location = attributes.get("path", attributes.get("pattern"))
    return location if isinstance(location, str) and isinstance(attributes.get("hash"), str) else ""


def _is_equal(old: Any, new: Any) -> bool:
    if _kind(old) != _kind(new) or (old is _Absent) != (new is _Absent):
        return False
    return bool(_leaf(old) == _leaf(new))


def _leaf(value: Any) -> Any:
    """Return what a part is compared by."""
    if isinstance(value, str | bytes):
        return value
    if isinstance(value, set | frozenset):
        return sorted(format_inert(item, _MAX_LEAF) for item in value)
    return format_inert(value, _MAX_LEAF)


def _is_same(old: Any, new: Any) -> bool:
    return next(_find_differences(old, new), None) is None


def _describe_resized(path: str, old: Sequence[Any], new: Sequence[Any], max_length: int) -> Change:
    """Return the change of a list that got longer or shorter: the items between those that stayed at its ends."""
    shorter = min(len(old), len(new))
    start = next((index for index in range(shorter) if not _is_same(old[index], new[index])), shorter)
    rest = shorter - start
    kept = next((index for index in range(rest) if not _is_same(old[-1 - index], new[-1 - index])), rest)
    before, after = (items[start : len(items) - kept] for items in (old, new))
    if len(before) <= 1 and len(after) <= 1:
        shown = [_show(items[0] if items else _Absent, max_length) for items in (before, after)]
        return Change(f"{path}[{start}]", shown[0], shown[1])
    shown = [_show(items or _Absent, max_length) for items in (before, after)]
    return Change(f"{path}[{start}:]", shown[0], shown[1])


def _show(value: Any, max_length: int) -> str:
    return _ABSENT if value is _Absent else format_inert(value, max_length)
