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
from redun._version import __version__ as __version__
from redun._version import version as version
from redun.namespace import get_current_namespace as get_current_namespace
from redun.namespace import namespace as namespace
from redun.registry import get_task_registry as get_task_registry
from redun.task import PartialTask as PartialTask
from redun.task import Task as Task
from redun.task import task as task

if TYPE_CHECKING:
    from redun.context import get_context as get_context
    from redun.control import apply_tags as apply_tags
    from redun.control import catch as catch
    from redun.control import cond as cond
    from redun.control import throw as throw
    from redun.executors.alias import AliasExecutor as AliasExecutor
    from redun.executors.local import LocalExecutor as LocalExecutor
    from redun.running import run as run
    from redun.scheduler import Scheduler as Scheduler
    from redun.scheduler import get_current_scheduler as get_current_scheduler
    from redun.scheduler import set_current_scheduler as set_current_scheduler
    from redun_executor_batch.executor import AWSBatchExecutor as AWSBatchExecutor
    from redun_executor_spark import ShardedDataset as ShardedDataset
    from redun_executor_spark import ShardedS3Dataset as ShardedS3Dataset
    from redun_value_file import Dir as Dir
    from redun_value_file import File as File
    from redun_value_file import FileSet as FileSet
    from redun_value_file import script as script
    from redun_value_handle import Handle as Handle
    from redun_value_handle import merge_handles as merge_handles


_EAGER_NAMES = (
    "PartialTask",
    "Task",
    "__version__",
    "get_current_namespace",
    "get_task_registry",
    "namespace",
    "task",
    "version",
)


def __getattr__(name: str) -> Any:
    if name == "__all__":  # Asked for by a star import alone, which gives what is installed.
        return sorted({*_EAGER_NAMES, *list_installed_exports()})
    value = load_export(name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *list_installed_exports()})
