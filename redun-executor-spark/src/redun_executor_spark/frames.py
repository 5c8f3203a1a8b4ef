"""DataFrames of Spark as values, which they can't be: they live in one session only.

A task that returns one gets to know at once what to return in its place.
"""

from __future__ import annotations

import sys
from typing import Any, NoReturn

from redun.executors.base import Call
from redun.executors.transport import find_unpicklable
from redun.values.base import ProxyValue
from redun.values.nested import find_leaves
from redun_executor_spark.errors import DataFrameError

ADVICE = (
    "a Spark DataFrame lives in its session only and can't be passed on or stored: write it with "
    "ShardedDataset.from_data(frame, path) and return the ShardedDataset, which other tasks read with load_spark()"
)


def is_frame(value: Any) -> bool:
    """Whether a value is a DataFrame of Spark."""
    if "pyspark.sql" not in sys.modules:
        return False
    from pyspark.sql import DataFrame

    return isinstance(value, DataFrame)


def check_result(call: Call, result: Any) -> None:
    """Refuse a result that has DataFrames of Spark in it.

    Raises
    ------
    DataFrameError
        When it has.
    """
    if any(is_frame(leaf) for leaf in find_leaves(result)):
        raise DataFrameError(f"task {call.task_name} returned a DataFrame; {ADVICE}")


def _make_proxy() -> type[ProxyValue]:
    from pyspark.sql import DataFrame

    class SparkFrameValue(ProxyValue):
        """A DataFrame of Spark, which refuses to be one."""

        type = DataFrame
        type_name = "pyspark.sql.dataframe.DataFrame"

        def get_hash(self, data: bytes | None = None) -> str:
            _refuse()

        def serialize(self) -> bytes:
            _refuse()

    return SparkFrameValue


def _refuse() -> NoReturn:
    raise DataFrameError(ADVICE)


def __getattr__(name: str) -> Any:
    if name == "SparkFrameValue":
        globals()[name] = made = _make_proxy()
        return made
    raise AttributeError(name)
