"""What can go wrong with Spark."""

from __future__ import annotations

from redun.errors import ExecutorError, InvalidValueError, RedunError


class SparkError(ExecutorError):
    """Spark can't be started, or it failed to run calls."""


class SparkSessionError(RedunError, ValueError):
    """A Spark session is needed, and there is none here."""


class DataFrameError(InvalidValueError):
    """A Spark DataFrame was used as a value, which it can't be."""
