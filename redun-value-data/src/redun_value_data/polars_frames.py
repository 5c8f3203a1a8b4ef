"""Frames and series of polars: hashed by the content of their columns, stored as a stream of Arrow IPC."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import polars as pl

from redun.errors import InvalidValueError
from redun_value_data.content import MIME_TYPE_ARROW, ContentValue, Digest, NotDescribedError, import_library

_MAX_PRECISION = 38


class PolarsFrameValue(ContentValue):
    """A data frame of polars."""

    type = pl.DataFrame
    type_name = "polars.dataframe.frame.DataFrame"
    data_format = MIME_TYPE_ARROW

    def describe(self, digest: Digest) -> None:
        if type(self.instance) is not pl.DataFrame:
            raise NotDescribedError
        _add_frame(digest, self.instance)

    def dump(self) -> bytes:
        return _dump_frame(self.instance)

    @classmethod
    def load(cls, data: bytes) -> Any:
        return pl.read_ipc_stream(BytesIO(data))


class PolarsSeriesValue(ContentValue):
    """A series of polars."""

    type = pl.Series
    type_name = "polars.series.series.Series"
    data_format = MIME_TYPE_ARROW

    def describe(self, digest: Digest) -> None:
        if type(self.instance) is not pl.Series:
            raise NotDescribedError
        _add_frame(digest, self.instance.to_frame())

    def dump(self) -> bytes:
        if type(self.instance) is not pl.Series:
            raise NotDescribedError
        return _dump_frame(self.instance.to_frame())

    @classmethod
    def load(cls, data: bytes) -> Any:
        return pl.read_ipc_stream(BytesIO(data)).to_series(0)


def _add_frame(digest: Digest, frame: Any) -> None:
    import_library("pyarrow", "frame of polars")
    from redun_value_data.columns import add_column

    digest.add_labels(frame.columns)
    digest.note("rows", frame.height)
    for series in frame.get_columns():
        array = series.to_arrow()
        add_column(digest, _name_type(series.dtype), array.type, [array])


def _name_type(dtype: Any) -> str:
    """Return what a type is called here, which does not depend on how polars shows it."""
    name: str = dtype.base_type().__name__
    if isinstance(dtype, pl.Datetime):
        return f"{name}({dtype.time_unit}, {dtype.time_zone or ''})"
    if isinstance(dtype, pl.Duration):
        return f"{name}({dtype.time_unit})"
    if isinstance(dtype, pl.Decimal):
        return f"{name}({dtype.precision or _MAX_PRECISION}, {dtype.scale})"
    if isinstance(dtype, pl.Enum):
        return f"{name}({dtype.categories.to_list()!r})"
    if isinstance(dtype, pl.Array):
        return f"{name}({_name_type(dtype.inner)}, {dtype.shape})"
    if isinstance(dtype, pl.List):
        return f"{name}({_name_type(dtype.inner)})"
    if isinstance(dtype, pl.Struct):
        return f"{name}({', '.join(f'{field.name!r}: {_name_type(field.dtype)}' for field in dtype.fields)})"
    return name


def _dump_frame(frame: Any) -> bytes:
    if type(frame) is not pl.DataFrame:
        raise NotDescribedError
    objects = [name for name, dtype in frame.schema.items() if dtype == pl.Object]
    if objects:
        raise InvalidValueError(
            f"polars can't store column {objects[0]!r}, which holds objects of Python: cast it, or pass it as a list"
        )
    stream = BytesIO()
    frame.write_ipc_stream(stream)
    return stream.getvalue()
