"""DataFrames of Spark as values, which they can't be: they live in one session only.

A task that returns one, or is given one, fails with what to do in its place.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

from pyspark.sql import DataFrame

from redun.values.base import ProxyValue
from redun_executor_spark.errors import DataFrameError


class SparkFrameValue(ProxyValue):
    """A DataFrame of Spark, which is refused as a result and as an argument."""

    type = DataFrame
    type_name = "pyspark.sql.dataframe.DataFrame"

    def postprocess(self, postprocess_args: Mapping[str, Any]) -> NoReturn:
        _refuse()

    def get_hash(self, data: bytes | None = None) -> NoReturn:
        _refuse()

    def serialize(self) -> NoReturn:
        _refuse()


def _refuse() -> NoReturn:
    raise DataFrameError(
        "a Spark DataFrame lives in its session only and can't be passed on or stored: write it with "
        "ShardedDataset.from_data(frame, path) and return the ShardedDataset, which other tasks read with load_spark()"
    )
