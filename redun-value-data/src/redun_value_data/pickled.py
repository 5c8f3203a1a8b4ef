"""Frames and series of pandas in pickles, as they are stored where pyarrow is not installed: their rows and columns.

A pickle is read without executing anything, so that what it holds are stand-ins for objects of pandas and numpy. Only
what all versions of pandas have in common is looked for in them: a manager of blocks that has the axes, and arrays.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from redun.values.preview import Inert, read_inert

_MAX_COLUMNS = 20
_CATEGORICAL = "CategoricalIndex"
_LAYOUT = "0.14.1"
"""What pandas calls the layout of a pickled series and, in old versions, of a frame."""


def show_pickled(name: str, data: bytes) -> str | None:
    """Return a line for a pickled frame or series; None if it is none, or is laid out in an unknown way.

    Parameters
    ----------
    name
        The name of its class.
    data
        The pickle.
    """
    manager = read_inert(data).attributes()["_mgr"]
    *columns, rows = manager.arguments[1] if manager.arguments else manager.state[-1][_LAYOUT]["axes"]
    count = _count(rows)
    labels = [_read_labels(axis) for axis in columns]
    if count is None or None in labels:
        return None
    shown = "".join(f", columns={_show_labels(names)}" for names in labels if names is not None)
    return f"{name}(rows={count}{shown})"


def _count(index: Inert) -> int | None:
    """Return how many labels an index has."""
    fields = index.arguments[1]
    if "stop" in fields:
        return len(range(fields["start"], fields["stop"], fields["step"]))
    if index.arguments[0].__name__ == _CATEGORICAL:  # Its categories can't be told from its labels.
        return None
    shapes = (array.state[1] for array in _find_arrays(fields.get("data", fields.get("codes"))))
    return next((shape[-1] for shape in shapes if shape), None)


def _read_labels(index: Inert) -> list[Any] | None:
    """Return the labels of an index, if they are numbers in a row or any objects."""
    fields = index.arguments[1]
    if "stop" in fields:
        return list(islice(range(fields["start"], fields["stop"], fields["step"]), _MAX_COLUMNS + 1))
    if index.arguments[0].__name__ == _CATEGORICAL:
        return None
    items = (array.state[-1] for array in _find_arrays(fields.get("data")))
    return next((found for found in items if isinstance(found, list)), None)


def _find_arrays(value: Any) -> Iterator[Inert]:
    """Yield the arrays of numpy in what an index is made of: as such, or inside an array of pandas."""
    if isinstance(value, Inert):
        if isinstance(value.state, tuple) and len(value.state) > 1 and isinstance(value.state[1], tuple):
            yield value
        yield from _find_arrays((value.arguments, value.state))
    elif isinstance(value, Mapping):
        yield from _find_arrays(tuple(value.values()))
    elif isinstance(value, tuple | list):
        for item in value[:_MAX_COLUMNS]:
            yield from _find_arrays(item)


def _show_labels(labels: list[Any]) -> str:
    more = ", ..." if len(labels) > _MAX_COLUMNS else ""
    return f"[{', '.join(map(repr, labels[:_MAX_COLUMNS]))}{more}]"
