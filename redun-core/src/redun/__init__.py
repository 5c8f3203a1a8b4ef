"""redun: workflows that are ordinary Python.

A task is a decorated function. Calling it returns a lazy expression; a scheduler reduces expressions to values, in
parallel, answers from the cache whatever was computed before, and records what was computed from what.

Examples
--------
>>> from redun import Scheduler, task
>>> @task(version="1")
... def add(a, b):
...     return a + b
>>> Scheduler().run(add(1, add(2, 3)))
6
"""

from typing import TYPE_CHECKING, Any

from redun._exports import list_installed_exports, load_export
from redun._version import __version__, version
from redun.namespace import get_current_namespace, namespace
from redun.registry import get_task_registry
from redun.task import PartialTask, Task, task

if TYPE_CHECKING:
    from redun.context import get_context as get_context
    from redun.control import apply_tags as apply_tags
    from redun.control import catch as catch
    from redun.control import cond as cond
    from redun.control import throw as throw
    from redun.running import run as run
    from redun.scheduler import Scheduler as Scheduler
    from redun.scheduler import get_current_scheduler as get_current_scheduler
    from redun.scheduler import set_current_scheduler as set_current_scheduler
    from redun_executor_spark import ShardedDataset as ShardedDataset
    from redun_executor_spark import ShardedS3Dataset as ShardedS3Dataset
    from redun_remote.docker import DockerExecutor as DockerExecutor
    from redun_value_file import Dir as Dir
    from redun_value_file import File as File
    from redun_value_file import FileSet as FileSet
    from redun_value_file import script as script
    from redun_value_handle import Handle as Handle
    from redun_value_handle import merge_handles as merge_handles


def __getattr__(name: str) -> Any:
    value = load_export(name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *list_installed_exports()})


__all__ = [
    "PartialTask",
    "Scheduler",
    "Task",
    "__version__",
    "apply_tags",
    "catch",
    "cond",
    "get_context",
    "get_current_namespace",
    "get_current_scheduler",
    "get_task_registry",
    "namespace",
    "run",
    "set_current_scheduler",
    "task",
    "throw",
    "version",
]
