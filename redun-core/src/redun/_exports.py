"""Which distribution a name or a module of redun comes from.

``from redun import File`` works when the part of redun that defines it is installed, and says what to install when it
is not. Nothing is imported before it is asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from redun.errors import MissingPluginError

CORE = "redun-core"

EXPORTS: Mapping[str, tuple[str, str]] = {
    "Scheduler": ("redun.scheduler", CORE),
    "catch": ("redun.control", CORE),
    "cond": ("redun.control", CORE),
    "run": ("redun.running", CORE),
    "throw": ("redun.control", CORE),
    "apply_tags": ("redun.control", CORE),
    "get_context": ("redun.context", CORE),
    "get_current_scheduler": ("redun.scheduler", CORE),
    "set_current_scheduler": ("redun.scheduler", CORE),
    "File": ("redun_value_file", "redun-value-file"),
    "FileSet": ("redun_value_file", "redun-value-file"),
    "Dir": ("redun_value_file", "redun-value-file"),
    "script": ("redun_value_file", "redun-value-file"),
    "Handle": ("redun_value_handle", "redun-value-handle"),
    "merge_handles": ("redun_value_handle", "redun-value-handle"),
    "ShardedDataset": ("redun_executor_spark", "redun-executor-spark"),
    "ShardedS3Dataset": ("redun_executor_spark", "redun-executor-spark"),
    "LocalExecutor": ("redun.executors.local", CORE),
    "AliasExecutor": ("redun.executors.alias", CORE),
    "AWSBatchExecutor": ("redun_executor_batch.executor", "redun-executor-batch"),
}
"""Where the names of ``redun`` that are imported late are: module and distribution."""

SCHEDULER_EXPORTS: Mapping[str, tuple[str, str]] = {
    "subrun": ("redun_remote.subrun", "redun-remote"),
    "merge_handles": ("redun_value_handle", "redun-value-handle"),
}
"""Where the names of ``redun.scheduler`` are that other distributions bring."""

FIRST_PARTY: Mapping[tuple[str, str], str] = {
    ("backend", "sql"): "redun-backend-sql",
    ("command", "aws"): "redun-executor-batch",
    ("command", "completion"): "redun-cli",
    ("command", "config"): "redun-cli",
    ("command", "console"): "redun-console",
    ("command", "db"): "redun-backend-sql",
    ("command", "debug"): "redun-cli",
    ("command", "diff"): "redun-backend-sql",
    ("command", "doctor"): "redun-cli",
    ("command", "export"): "redun-backend-sql",
    ("command", "fs"): "redun-value-file",
    ("command", "gc"): "redun-backend-sql",
    ("command", "import"): "redun-backend-sql",
    ("command", "init"): "redun-cli",
    ("command", "log"): "redun-backend-sql",
    ("command", "launch"): "redun-remote",
    ("command", "oneshot"): "redun-remote",
    ("command", "plugins"): "redun-cli",
    ("command", "proxy"): "redun-remote",
    ("command", "pull"): "redun-backend-sql",
    ("command", "push"): "redun-backend-sql",
    ("command", "repo"): "redun-backend-sql",
    ("command", "repl"): "redun-backend-sql",
    ("command", "spark"): "redun-executor-spark",
    ("command", "tag"): "redun-backend-sql",
    ("command", "viz"): "redun-viz",
    ("command", "why"): "redun-backend-sql",
    ("command", "run"): "redun-cli",
    ("check", "database"): "redun-backend-sql",
    ("check", "files"): "redun-value-file",
    ("executor", "aws_batch"): "redun-executor-batch",
    ("executor", "docker"): "redun-remote",
    ("executor", "spark"): "redun-executor-spark",
    ("executor", "subprocess"): "redun-remote",
    ("observer", "jsonl"): "redun-observers",
    ("observer", "openlineage"): "redun-observers",
    ("observer", "otel"): "redun-observers",
    ("section", "federated_tasks.*"): "redun-remote",
    ("section", "files"): "redun-value-file",
    ("value", "numpy.ndarray"): "redun-value-data",
    ("value", "pandas.DataFrame"): "redun-value-data",
    ("value", "pandas.Series"): "redun-value-data",
    ("value", "pandas.core.frame.DataFrame"): "redun-value-data",
    ("value", "pandas.core.series.Series"): "redun-value-data",
    ("value", "polars.dataframe.frame.DataFrame"): "redun-value-data",
    ("value", "polars.series.series.Series"): "redun-value-data",
    ("value", "pyspark.sql.classic.dataframe.DataFrame"): "redun-executor-spark",
    ("value", "pyspark.sql.connect.dataframe.DataFrame"): "redun-executor-spark",
    ("value", "pyspark.sql.dataframe.DataFrame"): "redun-executor-spark",
    ("value", "pyarrow.lib.RecordBatch"): "redun-value-data",
    ("value", "pyarrow.lib.Table"): "redun-value-data",
    ("value", "redun.Dir"): "redun-value-file",
    ("value", "redun.File"): "redun-value-file",
    ("value", "redun.FileSet"): "redun-value-file",
    ("value", "redun.Handle"): "redun-value-handle",
    ("value", "redun.ShardedDataset"): "redun-executor-spark",
    ("value", "redun_executor_spark.SparkFunction"): "redun-executor-spark",
}
"""The distributions of redun that provide an entry of a catalogue, by kind and name."""


def load_export(name: str) -> Any:
    """Return a name of ``redun`` that is imported late.

    Raises
    ------
    AttributeError
        When redun and its plugins have no such name.
    MissingPluginError
        When it belongs to a distribution that is not installed.
    """
    if name in EXPORTS:
        module_name, distribution = EXPORTS[name]
        return getattr(import_first_party(module_name, distribution, f"redun.{name}"), name)
    if not name.startswith("_") and find_spec(f"redun.{name}") is None:
        from redun.plugins.catalog import exports

        if name in exports:
            return exports.load(name)
    raise AttributeError(f"module 'redun' has no attribute {name!r}")


def list_installed_exports() -> list[str]:
    """Return the names of ``redun`` that are imported late and can be."""
    return [name for name, (module_name, _) in EXPORTS.items() if find_spec(module_name.partition(".")[0]) is not None]


def import_first_party(module_name: str, distribution: str, wanted: str) -> Any:
    """Import a module of one of redun's distributions on behalf of a name.

    Raises
    ------
    MissingPluginError
        When the distribution is not installed. What a broken installation raises is passed on.
    """
    package = module_name.partition(".")[0]
    if find_spec(package) is None:
        raise MissingPluginError(
            f"{wanted} is provided by {distribution!r}, which is not installed: pip install {distribution}",
            name=package,
        )
    return import_module(module_name)
