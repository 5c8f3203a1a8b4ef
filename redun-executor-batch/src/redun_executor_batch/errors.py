"""What can go wrong between here and AWS Batch."""

from __future__ import annotations

from redun.errors import ExecutorError, FailureKind, TaskTimeoutError


class BatchError(ExecutorError):
    """AWS does not answer, or fails itself, for longer than is waited for."""


class BatchRefusedError(ExecutorError):
    """AWS does not do what it is asked to, and would not later.

    Parameters
    ----------
    message
        What was asked, and why it is refused.
    code
        What AWS calls the reason, if it does.
    """

    kind = FailureKind.USER

    def __init__(self, message: str, code: str = "") -> None:
        super().__init__(message)
        self.code = code


class BatchStartError(ExecutorError):
    """The container of a job could not be started."""


class JobVanishedError(ExecutorError):
    """AWS Batch does not know a job any more, and the job left no output."""


class AWSBatchJobTimeoutError(TaskTimeoutError):
    """A job took longer than its option ``timeout`` allows."""
