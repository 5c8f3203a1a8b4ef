"""The public names of the package; importing this imports no pyspark."""

from redun_executor_spark.columns import SparkFunction, udf
from redun_executor_spark.current import get_spark_session
from redun_executor_spark.dataset import ShardedDataset
from redun_executor_spark.errors import DataFrameError, SparkError, SparkSessionError
from redun_executor_spark.executor import SparkExecutor
from redun_executor_spark.options import SparkOptions

ShardedS3Dataset = ShardedDataset
"""The name that workflows of the reference import."""

__all__ = [
    "DataFrameError",
    "ShardedDataset",
    "ShardedS3Dataset",
    "SparkError",
    "SparkExecutor",
    "SparkFunction",
    "SparkOptions",
    "SparkSessionError",
    "get_spark_session",
    "udf",
]
