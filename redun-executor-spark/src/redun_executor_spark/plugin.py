"""The hook module of the Spark executor."""

from __future__ import annotations

from collections.abc import Iterable

from redun.plugins.provider import Provider
from redun.plugins.specs import hookimpl

redun_api = 1


@hookimpl
def redun_executors() -> Iterable[Provider]:
    """Offer the executor."""
    yield Provider(
        "spark", "redun_executor_spark.executor:SparkExecutor", "Tasks on a Spark cluster, and on DataFrames"
    )


@hookimpl
def redun_values() -> Iterable[Provider]:
    """Offer datasets and functions for columns, and what DataFrames have to say when they are used as values."""
    yield Provider("redun.ShardedDataset", "redun_executor_spark.dataset:ShardedDataset", "A table in many files")
    yield Provider(
        "redun_executor_spark.SparkFunction",
        "redun_executor_spark.columns:SparkFunction",
        "A function for columns of Spark",
    )
    for module in ("", "classic.", "connect."):
        name = f"pyspark.sql.{module}dataframe.DataFrame"
        yield Provider(name, "redun_executor_spark.frames:SparkFrameValue", "A DataFrame of Spark, refused with advice")


@hookimpl
def redun_commands() -> Iterable[Provider]:
    """Offer the command that shows what runs on Spark."""
    yield Provider("spark", "redun_executor_spark.commands.spark:spark", "Show Spark's pages, jobs and logs")
