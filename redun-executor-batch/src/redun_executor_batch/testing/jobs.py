"""Jobs of the endpoint as data, and what is decided about them without acting.

A single job passes ``SUBMITTED → RUNNABLE → STARTING → RUNNING → SUCCEEDED | FAILED``; a failed attempt that is tried
again goes back to ``RUNNABLE``. A job with children (an array, or several nodes) passes ``SUBMITTED → PENDING →
SUCCEEDED | FAILED``, and gets there when its last child does; of several nodes, the main one decides.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

STATUSES = ("SUBMITTED", "PENDING", "RUNNABLE", "STARTING", "RUNNING", "SUCCEEDED", "FAILED")
FINAL = ("SUCCEEDED", "FAILED")
EXITED = "Essential container in task exited"
NOT_STARTED = "Task failed to start"
TIMED_OUT = "Job attempt duration exceeded timeout"
RECLAIMED = "Host EC2 (instance i-0123456789abcdef0) terminated."
NO_MEMORY = "OutOfMemoryError: Container killed due to memory usage"


@dataclass(frozen=True)
class Container:
    """What a job runs.

    Attributes
    ----------
    image : str
        The name of the image.
    command : Sequence[str]
        The command, as words.
    environment : Mapping[str, str]
        Variables that the job was submitted with.
    resources : Mapping[str, str]
        What it may use: ``VCPU``, ``MEMORY`` in MiB, ``GPU``.
    described : Mapping[str, Any]
        Whatever else the definition says, as it is described.
    """

    image: str
    command: Sequence[str]
    environment: Mapping[str, str]
    resources: Mapping[str, str]
    described: Mapping[str, Any]

    @property
    def memory(self) -> int:
        """The memory that it may use, in MiB."""
        return int(self.resources.get("MEMORY", "0"))

    @property
    def vcpus(self) -> float:
        """The processors that it takes."""
        return float(self.resources.get("VCPU", "1"))


@dataclass
class Attempt:
    """One try to run a job. Times are in milliseconds since 1970, as the service writes them."""

    log_stream: str
    started_at: int | None = None
    stopped_at: int | None = None
    exit_code: int | None = None
    reason: str | None = None
    status_reason: str | None = None


@dataclass
class Job:
    """A job, or a child of one.

    Attributes
    ----------
    id, name, queue, definition
        What it is called, and the addresses of its queue and definition.
    container : Container or None
        What it runs; None for one that has children.
    spec : Mapping[str, Any]
        What it was submitted with, as it is described.
    retry : Mapping[str, Any]
        When a failed attempt is tried again.
    timeout : float or None
        How many seconds an attempt may take.
    created_at : int
        When it was submitted.
    parent : Job or None
        The job that it is a part of.
    index, node : int or None
        Which child of an array, and which node it is.
    children : list of Job
        The jobs that are parts of it.
    history : list
        The times at which it reached statuses, in seconds, and these.
    ordered : str or None
        Why it has been ended from outside.
    """

    id: str
    name: str
    queue: str
    definition: str
    container: Container | None
    spec: Mapping[str, Any]
    retry: Mapping[str, Any]
    timeout: float | None
    created_at: int
    parent: Job | None = None
    index: int | None = None
    node: int | None = None
    children: list[Job] = field(default_factory=list)
    attempts: list[Attempt] = field(default_factory=list)
    history: list[tuple[float, str]] = field(default_factory=list)
    status_reason: str | None = None
    stopped_at: int | None = None
    ordered: str | None = None

    @property
    def status(self) -> str:
        """The status it is in."""
        return self.history[-1][1]

    @property
    def is_final(self) -> bool:
        """Whether it has ended."""
        return self.status in FINAL

    @property
    def label(self) -> str:
        """Its name and command, to which patterns of faults are compared."""
        return " ".join([self.name, *(self.container.command if self.container else ())])

    def status_at(self, seconds: float) -> str | None:
        """Return the status that it was in at a time; None before it was submitted."""
        return next((status for since, status in reversed(self.history) if since <= seconds), None)


def is_tried_again(job: Job) -> bool:
    """Whether a job whose last attempt failed is tried again, as its retry strategy says.

    What was ended from outside, or took too long, is not. The first condition that matches says; without one that does,
    the job is tried again while there are attempts left.
    """
    last = job.attempts[-1]
    if job.ordered is not None or last.status_reason == TIMED_OUT:
        return False
    if len(job.attempts) >= int(job.retry.get("attempts", 1)):
        return False
    texts = {
        "onReason": last.reason or "",
        "onStatusReason": last.status_reason or "",
        "onExitCode": "" if last.exit_code is None else str(last.exit_code),
    }
    for condition in job.retry.get("evaluateOnExit", ()):
        if all(matches(condition[name], text) for name, text in texts.items() if name in condition):
            return str(condition["action"]).upper() == "RETRY"
    return True


def matches(pattern: str, text: str) -> bool:
    """Whether a text is that of a pattern, which may end with an asterisk; upper and lower case are one.

    Examples
    --------
    >>> matches("Host EC2*", "Host EC2 (instance i-1) terminated."), matches("1", "137")
    (True, False)
    """
    pattern, text = pattern.lower(), text.lower()
    return text.startswith(pattern[:-1]) if pattern.endswith("*") else text == pattern


def roll_up(job: Job) -> str | None:
    """Return the final status of a job with children; None while it has none."""
    main = next((child for child in job.children if child.node is not None), None)
    if main is not None:
        return main.status if main.is_final else None
    if not all(child.is_final for child in job.children):
        return None
    return "FAILED" if any(child.status == "FAILED" for child in job.children) else "SUCCEEDED"


def find_fault(faults: Mapping[str, Any], job: Job) -> Any:
    """Return what is said about the first pattern that fits the name and command of a job; None if none does."""
    return next((value for pattern, value in faults.items() if fits(pattern, job.label)), None)


def fits(pattern: str, text: str) -> bool:
    """Whether a text has what a pattern of the shell's says somewhere in it."""
    return fnmatchcase(text, f"*{pattern}*")


def substitute(command: Iterable[str], parameters: Mapping[str, str]) -> list[str]:
    """Return a command with the values of parameters in place of ``Ref::name``."""
    return [
        parameters.get(found[1], word) if (found := re.fullmatch(r"Ref::(\w+)", word)) else word for word in command
    ]


def describe(job: Job, seconds: float) -> dict[str, Any]:
    """Return a job as DescribeJobs does, with the status that it had at a time."""
    status = job.status_at(seconds) or "SUBMITTED"
    said: dict[str, Any] = {
        **job.spec,
        "jobArn": f"{job.queue.rpartition(':')[0]}:job/{job.id}",
        "jobId": job.id,
        "jobName": job.name,
        "jobQueue": job.queue,
        "jobDefinition": job.definition,
        "status": status,
        "createdAt": job.created_at,
        "dependsOn": [],
        "parameters": {},
        "attempts": [],
        "isTerminated": job.ordered is not None,
    }
    if job.retry:
        said["retryStrategy"] = dict(job.retry)
    if job.timeout is not None:
        said["timeout"] = {"attemptDurationSeconds": int(job.timeout)}
    said.update(_describe_family(job, seconds))
    if job.container is not None:
        said["container"] = _describe_container(job)
    if status == job.status:
        said.update(_describe_progress(job))
        if job.attempts and "container" in said:
            said["container"].update(_describe_attempt(job.attempts[-1])["container"])
    return said


def summarize(job: Job, seconds: float) -> dict[str, Any]:
    """Return a job as ListJobs does."""
    full = describe(job, seconds)
    names = ("jobArn", "jobId", "jobName", "jobDefinition", "status", "statusReason", "createdAt", "startedAt")
    short = {name: full[name] for name in (*names, "stoppedAt", "arrayProperties", "nodeProperties") if name in full}
    short.get("arrayProperties", {}).pop("statusSummary", None)
    if "nodeDetails" in full:
        short["nodeProperties"] = full["nodeDetails"]
    container = full.get("container", {})
    short["container"] = {name: container[name] for name in ("exitCode", "reason") if name in container}
    return short


def _describe_family(job: Job, seconds: float) -> dict[str, Any]:
    if job.index is not None:
        return {"arrayProperties": {"index": job.index}}
    if job.node is not None:
        return {"nodeDetails": {"isMainNode": job.node == 0, "nodeIndex": job.node}}
    if not job.children:
        return {}
    if job.children[0].node is not None:
        return {"nodeProperties": {"numNodes": len(job.children), "mainNode": 0, "nodeRangeProperties": []}}
    counts = dict.fromkeys(STATUSES, 0)
    for child in job.children:
        counts[child.status_at(seconds) or "SUBMITTED"] += 1
    return {"arrayProperties": {"size": len(job.children), "statusSummary": counts}}


def _describe_container(job: Job) -> dict[str, Any]:
    container = job.container
    assert container is not None
    return {
        **container.described,
        "image": container.image,
        "command": list(container.command),
        "environment": [{"name": name, "value": value} for name, value in container.environment.items()],
        "resourceRequirements": [{"type": name, "value": value} for name, value in container.resources.items()],
    }


def _describe_progress(job: Job) -> dict[str, Any]:
    said: dict[str, Any] = {"attempts": [_describe_attempt(attempt) for attempt in job.attempts if attempt.stopped_at]}
    if job.status_reason is not None:
        said["statusReason"] = job.status_reason
    if job.attempts and job.attempts[-1].started_at is not None:
        said["startedAt"] = job.attempts[-1].started_at
    if job.is_final:
        said["stoppedAt"] = job.stopped_at
    return said


def _describe_attempt(attempt: Attempt) -> dict[str, Any]:
    container: dict[str, Any] = {"logStreamName": attempt.log_stream}
    if attempt.exit_code is not None:
        container["exitCode"] = attempt.exit_code
    if attempt.reason is not None:
        container["reason"] = attempt.reason
    said = {"startedAt": attempt.started_at, "stoppedAt": attempt.stopped_at, "statusReason": attempt.status_reason}
    return {"container": container, **{name: value for name, value in said.items() if value is not None}}
