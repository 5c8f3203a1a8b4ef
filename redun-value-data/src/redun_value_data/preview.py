"""Showing stored arrays, frames and tables on one line, by reading their formats; nothing is unpickled.

Arrays are shown without numpy. What is stored as Arrow IPC is read by pyarrow, and shown by its size where that is not
installed.
"""

from __future__ import annotations

import ast
import json
import struct
from itertools import islice
from typing import Any

from redun.values.preview import MAX_LENGTH
from redun_value_data.pickled import show_pickled

_NPY_MAGIC = b"\x93NUMPY"
_ARROW_START = b"\xff\xff\xff\xff"
_PICKLE_START = b"\x80"
_SHOWN = 6
_MAX_COLUMNS = 20
_ITEMS = {
    "b1": "?", "i1": "b", "u1": "B", "i2": "h", "u2": "H", "i4": "i", "u4": "I", "i8": "q", "u8": "Q",
    "f2": "e", "f4": "f", "f8": "d",
}  # fmt: skip


def show(type_name: str, data: bytes) -> str | None:
    """Return a line for a stored value; None if it is not in one of the formats, or can't be read.

    Parameters
    ----------
    type_name
        The name of its type.
    data
        Its bytes.
    """
    name = type_name.rpartition(".")[2]
    try:
        if data.startswith(_NPY_MAGIC):
            return _show_array(name, data)
        if data.startswith(_ARROW_START):
            return _show_table(name, data)
        if data.startswith(_PICKLE_START):
            return show_pickled(name, data)
    except Exception:  # Whatever damaged bytes lead to, a display goes on.
        return None
    return None


def _show_array(name: str, data: bytes) -> str:
    is_short = data[6] == 1
    start = 10 if is_short else 12
    (length,) = struct.unpack("<H" if is_short else "<I", data[8:start])
    header = ast.literal_eval(data[start : start + length].decode("utf-8"))
    descr, shape = header["descr"], header["shape"]
    items = _read_items(descr, data[start + length :]) if isinstance(descr, str) else None
    shown = "" if items is None else f", {_show_items(items, _count(shape))}"
    return f"{name}(shape={shape}, dtype={descr if isinstance(descr, str) else 'fields'}{shown})"


def _count(shape: tuple[int, ...]) -> int:
    total = 1
    for length in shape:
        total *= length
    return total


def _read_items(descr: str, data: bytes) -> list[Any] | None:
    letter = _ITEMS.get(descr[1:])
    if letter is None:
        return None
    order = ">" if descr[0] == ">" else "<"
    item = struct.Struct(order + letter)
    return [value for (value,) in islice(item.iter_unpack(data[: len(data) // item.size * item.size]), _SHOWN)]


def _show_items(items: list[Any], count: int) -> str:
    return f"[{', '.join(map(repr, items[:_SHOWN]))}{', ...' if count > len(items[:_SHOWN]) else ''}]"


def _show_table(name: str, data: bytes) -> str | None:
    try:
        import pyarrow as pa
    except ImportError:
        return None
    with pa.ipc.open_stream(pa.py_buffer(data)) as reader:
        schema = reader.schema
        batches = list(reader)
    rows = sum(batch.num_rows for batch in batches)
    labels = json.loads((schema.metadata or {}).get(b"redun", b"{}"))
    texts = labels.get("columns", {}).get("texts")
    first = next((batch for batch in batches if batch.num_rows), None)
    shown = []
    size = 0
    for position, field in enumerate(schema):
        if field.name == "index" and "index" in labels:
            continue
        label = texts[position] if texts else field.name
        items = [] if first is None else first.column(position).slice(0, _SHOWN).to_pylist()
        shown.append(f"{label}: {field.type} {_show_items(items, rows)}")
        size += len(shown[-1])
        if size > MAX_LENGTH or len(shown) == _MAX_COLUMNS:
            break
    return f"{name}({', '.join(['rows=' + str(labels.get('rows', rows)), *shown])})"
