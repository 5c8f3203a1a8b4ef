"""Where logs of Spark and notes about its applications are kept."""

from __future__ import annotations

import getpass
import tempfile
from pathlib import Path

from redun_executor_spark.options import SparkOptions


def find_log_folder(options: SparkOptions) -> Path:
    """Return the folder for logs and for what is known about applications."""
    return Path(options.log_dir) if options.log_dir else get_default_log_folder()


def get_default_log_folder() -> Path:
    """Return the folder where options name none, one for each user of the machine."""
    return Path(tempfile.gettempdir()) / f"redun-spark-{getpass.getuser()}"
