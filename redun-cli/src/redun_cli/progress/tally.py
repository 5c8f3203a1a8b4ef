"""What has become of the calls of an execution, as an observer is told: how many, how long, and which failed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from redun.errors import StoppedCallError
from redun.masking import mask_secrets
from redun.scheduler.job import Execution, Job, JobStatus
from redun.traceback import trim_string
from redun_cli.progress.cleaning import clean_name

MAX_FAILURES = 100
"""How many failed calls are remembered."""

MAX_OUTPUTS = 100
"""Of how many running calls the latest line of output is remembered."""


class FailedCall(NamedTuple):
    """A call that failed of itself."""

    job_id: str
    task_name: str
    error: str


@dataclass
class TaskTally:
    """What has become of the calls of one task, and which of those that ran took longest."""

    executed: int = 0
    cached: int = 0
    longest: float = 0.0
    longest_job: str = ""


@dataclass
class Tally:
    """Observes an execution.

    Attributes
    ----------
    execution
        The execution, once it has started.
    tasks
        What has become of the calls, by task.
    parents
        The tasks whose calls have led to other ones: their time is the time of those.
    failures
        The calls that failed of themselves, the first ones.
    failure_count
        How many there are.
    outputs
        The latest line of output of calls that run, by job.
    """

    execution: Execution | None = None
    tasks: dict[str, TaskTally] = field(default_factory=dict)
    parents: set[str] = field(default_factory=set)
    failures: list[FailedCall] = field(default_factory=list)
    failure_count: int = 0
    outputs: dict[str, str] = field(default_factory=dict)
    _errors: dict[int, BaseException] = field(default_factory=dict)

    def redun_execution_start(self, execution: Execution) -> None:
        """Note which execution it is."""
        self.execution = execution

    def redun_job_start(self, job: Job) -> None:
        """Note which task led to the call."""
        if job.parent_job is not None:
            self.parents.add(job.parent_job.task.fullname)

    def redun_job_finish(self, job: Job) -> None:
        """Note what became of a call."""
        name = job.task.fullname
        tally = self.tasks.get(name)
        if tally is None:
            tally = self.tasks[name] = TaskTally()
        if self.outputs:
            self.outputs.pop(job.id, None)
        if job.status is JobStatus.CACHED:
            tally.cached += 1
            return
        if job.status is JobStatus.FAILED:
            self._note_failure(job)
        else:
            tally.executed += 1
        assert job.end_time is not None
        seconds = job.end_time - job.start_time
        if seconds > tally.longest:
            tally.longest, tally.longest_job = seconds, job.id

    def note_output(self, job_id: str, line: str) -> None:
        """Note a line that a call which runs has written."""
        self.outputs.pop(job_id, None)
        self.outputs[job_id] = line
        if len(self.outputs) > MAX_OUTPUTS:
            self.outputs.pop(next(iter(self.outputs)))

    def _note_failure(self, job: Job) -> None:
        """Note a failed call, unless one below it failed with the same error, or it was only stopped."""
        error = job.outcome.error if job.outcome is not None else None
        if error is None or isinstance(error, StoppedCallError) or id(error) in self._errors:
            return
        self._errors[id(error)] = error
        self.failure_count += 1
        if len(self.failures) < MAX_FAILURES:
            text = mask_secrets(f"{type(error).__name__}: {error}")
            self.failures.append(FailedCall(job.id, job.task.fullname, trim_string(clean_name(text), 200)))
