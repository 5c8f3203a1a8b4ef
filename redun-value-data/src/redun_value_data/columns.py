"""Columns of Arrow, hashed chunk by chunk, so that where chunks end does not count. See `redun_value_data.content`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import types

from redun_value_data.arrays import make_nan_equal
from redun_value_data.content import Digest

Chunks = Sequence[Any]

_INSIDE = ""
"""What the type of a column inside another one is called: the name of the outer one tells it."""


def add_column(digest: Digest, name: str, arrow_type: Any, chunks: Chunks) -> None:
    """Add a column to a digest.

    Parameters
    ----------
    digest
        The digest.
    name
        What the type is called.
    arrow_type
        The type of Arrow that the chunks have.
    chunks
        The arrays, one after the other.
    """
    digest.note("column", name, sum(map(len, chunks)))
    if types.is_null(arrow_type):
        return
    for chunk in chunks:
        digest.add(_is_valid(chunk))
    if isinstance(arrow_type, pa.BaseExtensionType):
        add_column(digest, _INSIDE, arrow_type.storage_type, [chunk.storage for chunk in chunks])
    elif types.is_dictionary(arrow_type):
        decoded = [chunk.dictionary_decode() for chunk in chunks]
        add_column(digest, _INSIDE, arrow_type.value_type, decoded)
    elif _is_text(arrow_type):
        _add_texts(digest, chunks)
    elif types.is_list(arrow_type) or types.is_large_list(arrow_type) or types.is_fixed_size_list(arrow_type):
        for chunk in chunks:
            lengths = pc.fill_null(pc.list_value_length(chunk), 0)
            digest.add(np.asarray(lengths.to_numpy(zero_copy_only=False), "<i8"))
        add_column(digest, _INSIDE, arrow_type.value_type, [_flatten(chunk) for chunk in chunks])
    elif types.is_struct(arrow_type):
        _add_fields(digest, arrow_type, chunks)
    elif types.is_boolean(arrow_type) or types.is_primitive(arrow_type) or _is_wide(arrow_type):
        for chunk in chunks:
            digest.add(_read_items(arrow_type, chunk))
    else:
        digest.add_pickle([item for chunk in chunks for item in chunk.to_pylist()])


def _is_valid(chunk: Any) -> Any:
    return np.asarray(chunk.is_valid().to_numpy(zero_copy_only=False), np.uint8)


def _is_text(arrow_type: Any) -> bool:
    views = [getattr(types, f"is_{kind}_view", None) for kind in ("string", "binary")]
    tests = (types.is_string, types.is_large_string, types.is_binary, types.is_large_binary, *filter(None, views))
    return any(test(arrow_type) for test in tests)


def _is_wide(arrow_type: Any) -> bool:
    return bool(types.is_fixed_size_binary(arrow_type) or types.is_decimal(arrow_type))


def _add_texts(digest: Digest, chunks: Chunks) -> None:
    """Add texts: the lengths of all of them, then their bytes."""
    plain = [pc.fill_null(chunk.cast(pa.large_binary()), b"") for chunk in chunks]
    spans = []
    for chunk in plain:
        _, offsets, data = chunk.buffers()
        bounds = np.frombuffer(offsets, "<i8")[chunk.offset : chunk.offset + len(chunk) + 1] if len(chunk) else [0]
        digest.add(np.diff(bounds).astype("<i8"))
        spans.append((data, int(bounds[0]), int(bounds[-1])))
    for data, start, end in spans:
        if end > start:
            digest.add(memoryview(data)[start:end])


def _flatten(chunk: Any) -> Any:
    """Return all that the lists of a chunk hold; what is behind absent lists is left out."""
    if types.is_fixed_size_list(chunk.type) and chunk.null_count:
        chunk = chunk.filter(chunk.is_valid())
    return chunk.flatten()


def _add_fields(digest: Digest, arrow_type: Any, chunks: Chunks) -> None:
    parts = [chunk.flatten() for chunk in chunks]
    for index in range(arrow_type.num_fields):
        inner = arrow_type.field(index)
        digest.note(inner.name)
        add_column(digest, _INSIDE, inner.type, [part[index] for part in parts])


def _read_items(arrow_type: Any, chunk: Any) -> Any:
    """Return the items of a chunk as bytes, with zeros where they are absent."""
    if types.is_boolean(arrow_type):
        return np.asarray(pc.fill_null(chunk, False).to_numpy(zero_copy_only=False), np.uint8)
    width = arrow_type.bit_width // 8
    data = chunk.buffers()[1]
    if not len(chunk) or data is None:
        return b""
    flat = np.frombuffer(data, np.uint8, len(chunk) * width, chunk.offset * width)
    items: np.ndarray[Any, Any] = flat.reshape(len(chunk), width)
    if chunk.null_count:
        items = np.where(_is_valid(chunk)[:, None] == 1, items, np.uint8(0))
    if types.is_floating(arrow_type):
        return make_nan_equal(items.reshape(-1).view(f"<f{width}")).view(np.uint8)
    return np.ascontiguousarray(items)
