"""What tasks for AWS Glue import, for any Spark.

The names are those of the reference; sessions and contexts are those of the task that runs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from redun_executor_spark.columns import udf
from redun_executor_spark.current import get_spark_session
from redun_executor_spark.errors import SparkSessionError

if TYPE_CHECKING:
    from pyspark import SparkContext
    from pyspark.sql import DataFrame

__all__ = [
    "clean_datacatalog_table",
    "get_glue_context",
    "get_num_workers",
    "get_spark_context",
    "get_spark_session",
    "load_datacatalog_spark_dataset",
    "setup_glue_job",
    "sql_query",
    "udf",
]


def setup_glue_job(job_name: str, job_args: Sequence[str] = ()) -> None:
    """Do nothing: a session is there when a task runs."""


def get_glue_context() -> Any:
    """Return the context of AWS Glue.

    Raises
    ------
    SparkSessionError
        When this is no job of AWS Glue.
    """
    try:
        from awsglue.context import GlueContext
    except ImportError:
        raise SparkSessionError(
            "there is no context of AWS Glue here. Are you running locally? Use get_spark_session()"
        ) from None
    return GlueContext(get_spark_context())


def get_spark_context() -> SparkContext:
    """Return the Spark context of the task that runs here.

    Raises
    ------
    SparkSessionError
        When there is none, as with Spark Connect.
    """
    context: SparkContext | None = getattr(get_spark_session(), "_sc", None)
    if context is None:
        raise SparkSessionError("a session of Spark Connect has no Spark context; use get_spark_session()")
    return context


def get_num_workers() -> int:
    """Return how many executors Spark has now, the driver aside; at least 1."""
    infos = get_spark_context()._jsc.sc().statusTracker().getExecutorInfos()
    return max(len(infos) - 1, 1)


def sql_query(df: DataFrame, query: str, dataset_alias: str = "df") -> DataFrame:
    """Return what a query in SQL makes of a DataFrame.

    Parameters
    ----------
    df
        The DataFrame.
    query
        The query.
    dataset_alias
        What the query calls the DataFrame.
    """
    df.createOrReplaceTempView(dataset_alias)
    return df.sparkSession.sql(query)


def load_datacatalog_spark_dataset(database: str, table_name: str, hint: Mapping[str, Any] | None = None) -> DataFrame:
    """Return a table of Spark's catalogue as a DataFrame.

    Parameters
    ----------
    database, table_name
        The table.
    hint
        Hints for the query, by their names.
    """
    frame = get_spark_session().table(f"{database}.{table_name}")
    for name, value in (hint or {}).items():
        frame = frame.hint(name, value)
    return frame


def clean_datacatalog_table(database: str, table: str, remove_older_than: int = 1) -> None:
    """Drop a table of Spark's catalogue; the files that it is made of stay.

    Parameters
    ----------
    database, table
        The table.
    remove_older_than
        Has no meaning here; accepted because workflows pass it.
    """
    get_spark_session().sql(f"DROP TABLE IF EXISTS {_quote(database)}.{_quote(table)}")


def _quote(name: str) -> str:
    return "`{}`".format(name.replace("`", "``"))
