"""What can go wrong, by kind.

Every exception that redun raises on purpose is a `RedunError`, and also the builtin exception that fits, so that
callers may catch either. Messages are sentences: what was asked, what was found, what to do.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from redun.scheduler.dryrun import TaskMisses


class RedunError(Exception):
    """Base of every error that redun raises on purpose."""


class ConfigError(RedunError, ValueError):
    """A configuration file, section or option is missing or malformed."""


class InvalidValueError(RedunError, ValueError):
    """A value cannot be stored, or a stored value cannot be read; the cache treats the latter as a miss."""


class UnknownTypeError(RedunError, TypeError):
    """A stored type name belongs to no class that can be found (``redun.value.TypeError``)."""


class UnknownTaskError(RedunError, NotImplementedError):
    """An expression names a task that is not registered in this process."""


class SchedulerError(RedunError):
    """The scheduler was used wrongly, or it cannot go on."""


class NoCurrentScheduler(SchedulerError):
    """A running scheduler is needed, and none runs on this thread."""


class DryRunResult(RedunError):
    """A dry run reached calls that a real run would execute.

    Attributes
    ----------
    misses : Mapping[str, TaskMisses]
        Those calls by the full name of their task, each with why it would run.
    """

    def __init__(self, message: str, misses: Mapping[str, TaskMisses] = MappingProxyType({})) -> None:
        super().__init__(message)
        self.misses = misses


class TaskExitError(RedunError):
    """A task tried to end the process, by `sys.exit` for example, in place of returning or failing."""


class FailureKind(str, Enum):
    """Why a call failed; what is retried may depend on it.

    ``USER``: the task raised. ``OUT_OF_MEMORY``: it was stopped for using too much. ``PREEMPTED``: the machine was
    taken away. ``INFRASTRUCTURE``: anything else that is not the task's fault, a lost worker for example.
    ``TIMEOUT``: it took longer than its option ``timeout`` allows. ``CANCELLED``: somebody stopped it.
    """

    USER = "user"
    OUT_OF_MEMORY = "out_of_memory"
    PREEMPTED = "preempted"
    INFRASTRUCTURE = "infrastructure"
    TIMEOUT = "timeout"
    CANCELLED = "cancelled"


class ExecutorError(RedunError):
    """An executor is unknown, it cannot run what it was given, or it lost a call.

    Attributes
    ----------
    kind : FailureKind
        Why.
    """

    kind: FailureKind = FailureKind.INFRASTRUCTURE


class OutOfMemoryError(ExecutorError, MemoryError):
    """A call was stopped because it used too much memory."""

    kind = FailureKind.OUT_OF_MEMORY


class PreemptedError(ExecutorError):
    """The machine that ran a call was taken away."""

    kind = FailureKind.PREEMPTED


class TaskTimeoutError(ExecutorError, TimeoutError):
    """A call took longer than its option ``timeout`` allows."""

    kind = FailureKind.TIMEOUT


class CancelledCallError(ExecutorError):
    """A call was stopped before it finished."""

    kind = FailureKind.CANCELLED


class StoppedCallError(CancelledCallError):
    """A call was given up, running or not yet started, for a reason outside of it: another failure, or a signal.

    Nothing recovers from it, and it says nothing about the call, which the next execution makes again.
    """


class BackendError(RedunError):
    """The store cannot be opened, read or written."""


class PluginError(RedunError):
    """A plugin is broken, does not fit this version, or conflicts with another one."""


class MissingPluginError(PluginError, ImportError):
    """A name belongs to a distribution that is not installed; the message says which."""


class UnknownNameError(PluginError, LookupError):
    """No installed plugin provides the name that was asked for."""


class PluginWarning(UserWarning):
    """A plugin was set aside, or it slows every start down; redun works on without it."""
