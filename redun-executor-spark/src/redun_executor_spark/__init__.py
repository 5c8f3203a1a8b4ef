"""Spark as an executor of redun: calls on its workers, and tasks that work on DataFrames.

`executor` takes the calls. In mode ``tasks``, `tasks` starts Spark jobs for them, whose partitions run `slot` and come
to the `desk` in this process for calls; `waiting` keeps those. In mode ``driver``, `driver` runs them here. `sessions`
starts and shares the one Spark of a process, `engines` are the two ways to reach it. `dataset` and `columns`
are for tasks.

The public names can be imported from here, and nothing is imported before one of them is asked for.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from redun_executor_spark.public import *  # noqa: F403


def __getattr__(name: str) -> Any:
    if name.startswith("__") and name != "__all__":
        raise AttributeError(name)
    return getattr(import_module("redun_executor_spark.public"), name)
