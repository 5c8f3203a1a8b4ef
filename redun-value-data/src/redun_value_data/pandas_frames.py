"""Frames and series of pandas: hashed by labels and values, stored as a stream of Arrow IPC where that is exact.

Columns of numbers, truth values, times without a zone and texts (objects that are all texts or None) are stored as
columns of Arrow, which are copied once when they are read, so that they can be written to. Labels of columns have to be
texts or a range, those of rows a range or what a column may be. Everything else is pickled, as it is where pyarrow is
not installed.
"""

from __future__ import annotations

import json
from importlib.util import find_spec
from typing import Any

import numpy as np
import pandas as pd

from redun.values.base import value_types
from redun_value_data.content import MIME_TYPE_ARROW, ContentValue, Digest, NotDescribedError, import_library
from redun_value_data.pandas_content import add_frame, add_series, is_plain_frame

METADATA_KEY = b"redun"
"""Under which the schema has the labels, as JSON."""

_INDEX = "index"
_KINDS = "biufmM"


class FrameValue(ContentValue):
    """A data frame of pandas."""

    type = pd.DataFrame
    type_name = "pandas.core.frame.DataFrame"
    data_format = MIME_TYPE_ARROW

    def describe(self, digest: Digest) -> None:
        add_frame(digest, self.instance)

    def dump(self) -> bytes:
        frame = self.instance
        if type(frame) is not pd.DataFrame or not is_plain_frame(frame):
            raise NotDescribedError
        columns = [frame.iloc[:, position] for position in range(frame.shape[1])]
        return _dump(columns, frame.index, {"columns": _describe_labels(frame.columns)})

    @classmethod
    def load(cls, data: bytes) -> Any:
        columns, index, labels = _load(data)
        frame = pd.DataFrame(dict(enumerate(columns)), index=index, copy=True)
        frame.columns = _make_labels(labels["columns"])
        return frame


class SeriesValue(ContentValue):
    """A series of pandas."""

    type = pd.Series
    type_name = "pandas.core.series.Series"
    data_format = MIME_TYPE_ARROW

    def describe(self, digest: Digest) -> None:
        add_series(digest, self.instance)

    def dump(self) -> bytes:
        series = self.instance
        if type(series) is not pd.Series or not is_plain_frame(series):
            raise NotDescribedError
        return _dump([series], series.index, {"name": _check_name(series.name)})

    @classmethod
    def load(cls, data: bytes) -> Any:
        [column], index, labels = _load(data)
        return pd.Series(column, index=index, name=labels["name"], dtype=column.dtype, copy=True)


value_types.setdefault("pandas.DataFrame", FrameValue)  # As pandas 3 calls them.
value_types.setdefault("pandas.Series", SeriesValue)


def _dump(columns: list[Any], index: Any, labels: dict[str, Any]) -> bytes:
    if find_spec("pyarrow") is None:
        raise NotDescribedError
    import pyarrow as pa

    from redun_value_data.tables import dump_table

    arrays = {str(position): _to_arrow(column) for position, column in enumerate(columns)}
    if isinstance(index, pd.RangeIndex):
        labels[_INDEX] = _describe_labels(index)
    elif index.nlevels > 1 or getattr(index, "freq", None) is not None:
        raise NotDescribedError
    else:
        labels[_INDEX] = {"name": _check_name(index.name)}
        arrays[_INDEX] = _to_arrow(index)
    labels["rows"] = len(index)
    return dump_table(pa.table(arrays).replace_schema_metadata({METADATA_KEY: json.dumps(labels)}))


def _load(data: bytes) -> tuple[list[Any], Any, dict[str, Any]]:
    import_library("pyarrow", "frame of pandas")
    from redun_value_data.tables import load_table

    table = load_table(data)
    labels = json.loads(table.schema.metadata[METADATA_KEY])
    read = {name: table[name].to_numpy() for name in table.column_names}
    if _INDEX in read:
        items = read.pop(_INDEX)
        index: Any = pd.Index(items, dtype=items.dtype, name=labels[_INDEX]["name"], copy=True)
    else:
        index = _make_labels(labels[_INDEX])
    return [pd.Series(items, index=index, dtype=items.dtype, copy=False) for items in read.values()], index, labels


def _to_arrow(values: Any) -> Any:
    import pyarrow as pa

    dtype = values.dtype
    if not isinstance(dtype, np.dtype):
        raise NotDescribedError
    if dtype.kind == "O":
        items = values.to_numpy().tolist()
        if not all(item is None or type(item) is str for item in items):
            raise NotDescribedError
        try:
            return pa.array(items, pa.large_string())
        except (pa.ArrowInvalid, UnicodeEncodeError) as error:
            raise NotDescribedError from error
    if dtype.kind not in _KINDS or not dtype.isnative or dtype.itemsize > np.dtype(np.float64).itemsize:
        raise NotDescribedError
    return pa.array(values.to_numpy(), from_pandas=False)


def _describe_labels(labels: Any) -> dict[str, Any]:
    name = _check_name(labels.name) if labels.nlevels == 1 else None
    if isinstance(labels, pd.RangeIndex):
        return {"range": [labels.start, labels.stop, labels.step], "name": name}
    if labels.nlevels > 1 or labels.dtype != object or not all(type(label) is str for label in labels):
        raise NotDescribedError
    return {"texts": list(labels), "name": name}


def _make_labels(described: dict[str, Any]) -> Any:
    if "range" in described:
        return pd.RangeIndex(*described["range"], name=described["name"])
    return pd.Index(described["texts"], dtype=object, name=described["name"])


def _check_name(name: Any) -> str | None:
    if name is None or type(name) is str:
        return name
    raise NotDescribedError
