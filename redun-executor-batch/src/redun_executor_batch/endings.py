"""How jobs ended, from what AWS Batch says of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from redun.errors import CancelledCallError, ExecutorError, OutOfMemoryError, PreemptedError
from redun_executor_batch.errors import AWSBatchJobTimeoutError, BatchStartError
from redun_remote.endings import describe_exit
from redun_remote.errors import WorkerSetupError

RUNNING = "RUNNING"
SUCCEEDED, FAILED = "SUCCEEDED", "FAILED"
FINAL = (SUCCEEDED, FAILED)
NOT_STARTED = ("SUBMITTED", "PENDING", "RUNNABLE", "STARTING")
IN_FLIGHT = (*NOT_STARTED, RUNNING)

_START_ERRORS = (
    "CannotCreateContainerError",
    "CannotPullContainerError",
    "CannotStartContainerError",
    "DockerTimeoutError",
    "ResourceInitializationError",
)
_UNINSPECTED = "CannotInspectContainerError"


@dataclass(frozen=True)
class Ending:
    """How a job ended.

    Attributes
    ----------
    job_id : str
        Its id.
    has_succeeded : bool
        Whether AWS Batch says that it succeeded.
    reason : str
        What AWS Batch says of the container, as "OutOfMemoryError: ...".
    status_reason : str
        What it says of the status.
    exit_code : int or None
        The exit code, if there is one.
    log_stream : str or None
        Where what it printed is.
    attempts : int
        How often it was tried.
    is_terminated : bool
        Whether somebody ended it.
    """

    job_id: str
    has_succeeded: bool
    reason: str = ""
    status_reason: str = ""
    exit_code: int | None = None
    log_stream: str | None = None
    attempts: int = 1
    is_terminated: bool = False

    @property
    def may_have_succeeded(self) -> bool:
        """Whether a container that AWS Batch lost sight of may have succeeded."""
        return not self.has_succeeded and self.reason.startswith(_UNINSPECTED)


def read_ending(job: Mapping[str, Any]) -> Ending | None:
    """Return how a described job ended; None if it has not."""
    if job["status"] not in FINAL:
        return None
    container = job.get("container", {})
    attempts = job.get("attempts", [])
    last = attempts[-1].get("container", {}) if attempts else {}
    return Ending(
        job["jobId"],
        job["status"] == SUCCEEDED,
        container.get("reason") or last.get("reason") or "",
        job.get("statusReason") or "",
        container.get("exitCode", last.get("exitCode")),
        container.get("logStreamName") or last.get("logStreamName"),
        max(len(attempts), 1),
        bool(job.get("isTerminated") or job.get("isCancelled")),
    )


def explain(ending: Ending, task_name: str, image: str, memory: float, timeout: float | None) -> ExecutorError | None:
    """Return why a job failed that its worker could not say itself; None if it could.

    Parameters
    ----------
    ending
        How it ended.
    task_name, image, memory, timeout
        What it ran, and with what.
    """
    what = f"the job {ending.job_id} of task {task_name}"
    if ending.status_reason.startswith("Host EC2"):
        tried = f" in {ending.attempts} attempts" if ending.attempts > 1 else ""
        return PreemptedError(
            f"{what} lost its machine{tried}: {ending.status_reason}; see option retries, or use a queue without "
            "spot instances"
        )
    if ending.reason.startswith("OutOfMemoryError"):
        return OutOfMemoryError(
            f"{what} needs more than the {memory:g} GB of memory that it had; set option memory, to several values "
            "for more when it runs out"
        )
    if "exceeded timeout" in ending.status_reason:
        limit = "" if timeout is None else f" of {timeout:g} seconds"
        return AWSBatchJobTimeoutError(f"{what} took longer than its timeout{limit}")
    if ending.is_terminated:
        return CancelledCallError(f"{what} was ended by somebody: {ending.status_reason}")
    if ending.reason.startswith(_START_ERRORS):
        if "executable file not found" in ending.reason:
            return WorkerSetupError(
                f"{what} can't start, since the image {image} lacks its program: {ending.reason}; tasks need "
                "redun-remote and redun-cli in the image, scripts need bash"
            )
        return BatchStartError(f"{what} could not start with image {image}: {ending.reason}")
    return None


def describe_failure(ending: Ending, logs: list[str]) -> str:
    """Return how a job ended, for an error that says that its worker is lost."""
    said = [text for text in (ending.reason, ending.status_reason) if text]
    if ending.exit_code is not None:
        said.insert(0, describe_exit(ending.exit_code, logs))
    return f"{'; '.join(said) or 'AWS Batch does not say how it ended'} (job {ending.job_id})"
