"""What is hashed of frames, series and indexes of pandas. See `redun_value_data.content`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from redun_value_data.arrays import add_array, is_plain
from redun_value_data.content import Digest, NotDescribedError

_BLOCK_ITEMS = 65_536
_TEXT, _NONE, _NAN, _NA, _OTHER = range(5)


def add_frame(digest: Digest, frame: pd.DataFrame) -> None:
    """Add a data frame to a digest."""
    _add_attributes(digest, frame, pd.DataFrame)
    add_index(digest, frame.columns)
    add_index(digest, frame.index)
    for position in range(frame.shape[1]):
        add_values(digest, frame.iloc[:, position])


def add_series(digest: Digest, series: Any) -> None:
    """Add a series to a digest."""
    _add_attributes(digest, series, pd.Series)
    digest.add_labels([series.name])
    add_index(digest, series.index)
    add_values(digest, series)


def _add_attributes(digest: Digest, value: Any, plain_type: Any) -> None:
    if type(value) is not plain_type:
        raise NotDescribedError
    if not is_plain_frame(value):
        digest.note("attributes", int(value.flags.allows_duplicate_labels))
        digest.add_pickle(value.attrs)


def is_plain_frame(value: Any) -> bool:
    """Whether a frame or a series has no more to it than labels and values."""
    return not value.attrs and bool(value.flags.allows_duplicate_labels)


def add_index(digest: Digest, index: Any) -> None:
    """Add an index to a digest: its names, its frequency if it has one, and all labels."""
    digest.note("index", index.nlevels, len(index), getattr(index, "freqstr", None) or "")
    digest.add_labels(list(index.names))
    if isinstance(index, pd.RangeIndex):
        digest.note("array", "<i8", [len(index)])
        for start in range(0, len(index), _BLOCK_ITEMS):
            digest.add(np.asarray(index[start : start + _BLOCK_ITEMS], "<i8").view(np.uint8))
        return
    for level in range(index.nlevels):
        add_values(digest, index.get_level_values(level))


def add_values(digest: Digest, values: Any) -> None:
    """Add the items of a series or of an index of one level to a digest."""
    dtype = values.dtype
    if isinstance(dtype, np.dtype):
        _add_numpy(digest, values.to_numpy())
    elif isinstance(dtype, pd.CategoricalDtype):
        digest.note("category", int(bool(dtype.ordered)))
        add_values(digest, dtype.categories)
        codes = values.array.codes
        add_array(digest, codes.astype(np.int64))
    elif isinstance(dtype, pd.DatetimeTZDtype | pd.PeriodDtype):
        digest.note("time", str(dtype))
        add_array(digest, np.asarray(values.array.asi8))
    elif isinstance(dtype, pd.ArrowDtype):
        _add_arrow(digest, values, str(dtype.pyarrow_dtype))
    elif isinstance(dtype, pd.StringDtype):
        digest.note("text", str(dtype))
        add_objects(digest, [None if absent else item for item, absent in zip(values, values.isna(), strict=True)])
    elif hasattr(dtype, "numpy_dtype"):
        digest.note("masked", str(dtype))
        add_array(digest, np.asarray(values.isna()))
        add_array(digest, values.array.to_numpy(dtype=dtype.numpy_dtype, na_value=dtype.numpy_dtype.type(0)))
    else:
        digest.note("other", str(dtype))
        digest.add_pickle(list(values))


def _add_numpy(digest: Digest, array: Any) -> None:
    if array.dtype.kind == "O":
        digest.note("objects")
        add_objects(digest, array.tolist())
    elif is_plain(array.dtype):
        add_array(digest, array)
    else:
        raise NotDescribedError


def _add_arrow(digest: Digest, values: Any, name: str) -> None:
    from redun_value_data.columns import add_column

    array = values.array.__arrow_array__()
    add_column(digest, name, array.type, getattr(array, "chunks", [array]))


def add_objects(digest: Digest, items: list[Any]) -> None:
    """Add objects to a digest: texts and what stands for absent ones, or else a pickle of all of them."""
    kinds = bytes(map(_classify, items))
    if _OTHER in kinds:
        digest.add_pickle(items)
        return
    texts = [item.encode("utf-8", "surrogatepass") if isinstance(item, str) else b"" for item in items]
    digest.note("texts", len(items))
    digest.add(kinds)
    digest.add(np.array(list(map(len, texts)), "<i8").view(np.uint8))
    digest.add(b"".join(texts))


def _classify(item: Any) -> int:
    if type(item) is str:
        return _TEXT
    if item is None:
        return _NONE
    if item is pd.NA:
        return _NA
    return _NAN if type(item) is float and item != item else _OTHER
