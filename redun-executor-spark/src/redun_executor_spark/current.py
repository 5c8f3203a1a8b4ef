"""The Spark session that tasks work with."""

from __future__ import annotations

import sys
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from redun_executor_spark.errors import SparkSessionError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

current_session: ContextVar[Any] = ContextVar("redun_spark_session", default=None)
"""The session of the call that runs on this thread, in mode ``driver``."""


def get_spark_session() -> SparkSession:
    """Return the Spark session of the task that runs here, or else the one that is active in this process.

    Raises
    ------
    SparkSessionError
        When there is none.
    """
    session = current_session.get()
    if session is None and "redun_executor_spark.sessions" in sys.modules:
        from redun_executor_spark.sessions import get_current

        engine = get_current()
        session = engine.session if engine is not None else None
    if session is None and "pyspark" in sys.modules:
        from pyspark.sql import SparkSession

        session = SparkSession.getActiveSession()
    if session is None:
        raise SparkSessionError(
            "there is no Spark session here. Are you running locally? Let the task run on an executor of type spark "
            "with mode = driver, or start a session first"
        )
    found: SparkSession = session
    return found
