"""Which execution the scheduler of a thread runs, for the tags of its jobs."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from redun.tags import PROJECT_KEY

if TYPE_CHECKING:
    from redun.scheduler.job import Execution

_OWN_NAMESPACE = "redun"


class _Current(threading.local):
    """The execution that began last on this thread."""

    execution: Execution | None = None


_current = _Current()


def note_execution(execution: Execution | None) -> None:
    """Remember what this thread's scheduler runs from now on."""
    _current.execution = execution


def describe_execution() -> dict[str, str]:
    """Return what is known of the execution that this thread's scheduler runs, as tags of jobs."""
    execution = _current.execution
    if execution is None:
        return {}
    known = {"redun_execution_id": execution.id, "redun_project": find_project(execution)}
    return {key: value for key, value in known.items() if value}


def find_project(execution: Any) -> str:
    """Return the project of an execution: its tag, or the namespace of its first task."""
    tagged = dict(execution.tags).get(PROJECT_KEY)
    namespace = "" if execution.job is None else str(execution.job.task.namespace)
    return str(tagged or ("" if namespace == _OWN_NAMESPACE else namespace))
