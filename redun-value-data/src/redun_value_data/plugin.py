"""The hook module of arrays, frames and tables."""

from __future__ import annotations

from collections.abc import Iterable

from redun.plugins.provider import Provider
from redun.plugins.specs import hookimpl

redun_api = 1

_OFFERED = (
    ("numpy.ndarray", "arrays:ArrayValue", "Arrays of numpy"),
    ("pandas.core.frame.DataFrame", "pandas_frames:FrameValue", "Data frames of pandas"),
    ("pandas.DataFrame", "pandas_frames:FrameValue", "Data frames of pandas, as it calls them since version 3"),
    ("pandas.core.series.Series", "pandas_frames:SeriesValue", "Series of pandas"),
    ("pandas.Series", "pandas_frames:SeriesValue", "Series of pandas, as it calls them since version 3"),
    ("polars.dataframe.frame.DataFrame", "polars_frames:PolarsFrameValue", "Data frames of polars"),
    ("polars.series.series.Series", "polars_frames:PolarsSeriesValue", "Series of polars"),
    ("pyarrow.lib.Table", "tables:TableValue", "Tables of pyarrow"),
    ("pyarrow.lib.RecordBatch", "tables:RecordBatchValue", "Record batches of pyarrow"),
)
_NAMES = frozenset(name for name, _, _ in _OFFERED)


@hookimpl
def redun_values() -> Iterable[Provider]:
    """Offer the types of arrays, frames and tables."""
    for name, target, summary in _OFFERED:
        yield Provider(name, f"redun_value_data.{target}", summary)


@hookimpl
def redun_render_value(type_name: str, data: bytes) -> str | None:
    """Show stored arrays, frames and tables by their shape, their types and their first items."""
    if type_name not in _NAMES:
        return None
    from redun_value_data.preview import show

    return show(type_name, data)
