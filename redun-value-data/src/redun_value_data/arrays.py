"""Arrays of numpy: hashed by shape, type and items, stored as npy."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import numpy as np

from redun_value_data.content import MIME_TYPE_NPY, ContentValue, Digest, NotDescribedError

_PLAIN_TYPES = (np.ndarray, np.memmap)
_BLOCK_ITEMS = 65_536
_PLAIN_KINDS = frozenset("biufcmMSUV")
_EXTENDED = (np.dtype(np.longdouble), np.dtype(np.clongdouble))
_EXACT = (np.dtype(np.float64), np.dtype(np.complex128))


class ArrayValue(ContentValue):
    """An array of numpy."""

    type = np.ndarray
    type_name = "numpy.ndarray"
    data_format = MIME_TYPE_NPY

    def describe(self, digest: Digest) -> None:
        array = self.instance
        if not is_plain(array.dtype):
            raise NotDescribedError
        if type(array) in _PLAIN_TYPES:
            add_array(digest, array)
        elif type(array) is np.ma.MaskedArray and not array.dtype.fields:
            _add_masked(digest, array)
        else:
            raise NotDescribedError

    def dump(self) -> bytes:
        array = self.instance
        if type(array) not in _PLAIN_TYPES or not is_plain(array.dtype):
            raise NotDescribedError
        return dump_array(array)

    @classmethod
    def load(cls, data: bytes) -> Any:
        return load_array(data)


def is_plain(dtype: Any) -> bool:
    """Whether items of a type are described by their bytes: no objects, and no extended precision."""
    if dtype.fields:
        return all(is_plain(field[0]) for field in dtype.fields.values())
    if dtype.subdtype:
        return is_plain(dtype.base)
    return dtype.kind in _PLAIN_KINDS and (dtype.newbyteorder("=") not in _EXTENDED or dtype in _EXACT)


def add_array(digest: Digest, array: Any) -> None:
    """Add an array of plain items to a digest."""
    if array.dtype.fields:
        digest.note("fields", list(array.shape), len(array.dtype.names))
        for name in array.dtype.names:
            digest.note(name)
            add_array(digest, array[name])
        return
    little = array.dtype.newbyteorder("<")
    digest.note("array", little.str, list(array.shape))
    flags: Any = ["external_loop", "buffered", "zerosize_ok"]
    blocks: Any = np.nditer(array, flags, order="C", op_dtypes=[little], casting="equiv", buffersize=_BLOCK_ITEMS)
    for block in blocks:
        if block.size:
            digest.add(make_nan_equal(block).view(np.uint8) if little.itemsize else b"")


def _add_masked(digest: Digest, array: Any) -> None:
    mask, items = np.ma.getmaskarray(array), array.data.copy()
    items[mask] = np.zeros((), items.dtype)
    digest.note("masked")
    add_array(digest, mask)
    add_array(digest, items)
    add_array(digest, np.asarray(array.fill_value))


def make_nan_equal(block: Any) -> Any:
    """Return contiguous items in which all NaN have the same bits."""
    block = np.ascontiguousarray(block)
    if block.dtype.kind not in "fc":
        return block
    parts = block.view(f"<f{block.dtype.itemsize // 2}") if block.dtype.kind == "c" else block
    absent = np.isnan(parts)
    if absent.any():
        parts = parts.copy()
        parts[absent] = np.nan
    return parts


def dump_array(array: Any) -> bytes:
    """Return an array as npy; only one copy of its items is made if they are contiguous."""
    stream = BytesIO()
    if array.dtype.fields or not array.dtype.itemsize:
        np.lib.format.write_array(stream, array, allow_pickle=False)
        return stream.getvalue()
    is_fortran = array.flags.f_contiguous and not array.flags.c_contiguous
    if not is_fortran:
        array = np.ascontiguousarray(array).reshape(array.shape)
    np.lib.format.write_array_header_1_0(stream, np.lib.format.header_data_from_array_1_0(array))
    items = (array.T if is_fortran else array).reshape(-1).view(np.uint8)
    return b"".join((stream.getvalue(), memoryview(items)))


def load_array(data: bytes) -> Any:
    """Return the array that npy bytes hold; it can be written to."""
    return np.lib.format.read_array(BytesIO(data), allow_pickle=False)
