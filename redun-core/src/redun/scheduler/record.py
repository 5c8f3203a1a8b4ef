"""Writing down what happened, in batches.

Records are collected in a batch and handed to the backend when enough of them wait, when the oldest has waited long
enough, when nothing else is to be done, and at the end of an execution. A job that starts and ends within one batch
is written once.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from typing import Any

from redun.backends.base import (
    Backend,
    Batch,
    CallRecord,
    EvaluationRecord,
    ExecutionRecord,
    JobRecord,
    TagRecord,
)
from redun.options import check_tags
from redun.scheduler.job import Execution, Job, JobStatus
from redun.task import Task
from redun.values.codec import EncodedValue
from redun.values.registry import get_type_registry

MAX_RECORDS = 30_000
"""How many records wait at most; a task makes about three."""

MAX_DELAY = 2.0
"""How long a record waits at most while the execution is busy, in seconds."""


class Recorder:
    """Collects the records of one execution.

    Parameters
    ----------
    backend
        Where they go; None to forget them.
    execution
        The execution.
    """

    def __init__(self, backend: Backend | None, execution: Execution) -> None:
        self._backend = backend
        self._execution = execution
        self._batch = Batch()
        self._jobs: dict[str, Job] = {}
        self._known_tasks: set[str] = set()
        self._hidden_tasks: dict[str, Task[..., object]] = {}
        self._oldest = 0.0
        self._root: ExecutionRecord | None = None

    def note_job(self, job: Job) -> None:
        """Note that a job with provenance began or ended; the root job brings its execution along."""
        self._jobs[job.id] = job
        if job.parent_job is None and self._root is None:
            args = json.dumps(list(self._execution.args))
            self._root = ExecutionRecord(self._execution.id, args, job.id, job.start_time)
            self._batch.executions[self._execution.id] = self._root
            self.add_tags("Execution", self._execution.id, self._execution.tags)

    def add_tags(self, entity_type: str, entity_id: str, tags: Iterable[tuple[str, Any]]) -> None:
        """Note tags, pairs of a key and a JSON value, on something that is recorded."""
        self._batch.tags.extend(TagRecord(entity_type, entity_id, key, value) for key, value in tags)

    def add_value(self, value: EncodedValue) -> None:
        """Note a value that nothing else brings along."""
        self._batch.values[value.value_hash] = value

    def add_evaluation(self, task: Task[..., object], eval_hash: str, args_hash: str, value: EncodedValue) -> None:
        """Note what a call's task returned, for the cache."""
        self.note_task(task)
        self._batch.evaluations.append(EvaluationRecord(eval_hash, task.hash, args_hash, value))

    def add_call(self, call: CallRecord) -> None:
        """Note a finished call."""
        self._batch.calls.append(call)
        if self._hidden_tasks:
            for task_hash in self._hidden_tasks.keys() & call.subtree:
                self.note_task(self._hidden_tasks.pop(task_hash))

    def note_alive(self) -> None:
        """Note that the execution is alive now."""
        if self._root is not None:
            self._batch.executions[self._root.id] = self._root._replace(updated_time=time.time())

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits to be written."""
        return not self._jobs and not self._batch

    def flush_if_due(self) -> None:
        """Write what was collected if it is much, or if it has waited long."""
        batch = self._batch
        waiting = len(self._jobs) + len(batch.calls) + len(batch.evaluations)
        if not waiting and self.is_empty:
            return
        now = time.monotonic()
        if not self._oldest:
            self._oldest = now
        if waiting >= MAX_RECORDS or now - self._oldest >= MAX_DELAY:
            self.flush()

    def flush(self) -> None:
        """Write everything collected so far."""
        if self.is_empty:
            return
        batch = self._batch
        for job in self._jobs.values():
            if job.task.hash not in self._known_tasks:
                self.note_task(job.task)
            records = batch.job_ends if job.is_recorded else batch.jobs
            records[job.id] = _job_record(job)
        if self._backend is not None:
            self._backend.record(batch)
        for job in self._jobs.values():
            job.is_recorded = True
        self._batch, self._jobs, self._oldest = Batch(), {}, 0.0

    def note_task(self, task: Task[..., object]) -> None:
        """Note a task's definition, once."""
        if task.hash not in self._known_tasks:
            self._known_tasks.add(task.hash)
            self._batch.tasks[task.hash] = get_type_registry().encode(task)
            self.add_tags("Task", task.hash, check_tags(task.get_task_option("tags")))

    def note_hidden_task(self, task: Task[..., object]) -> None:
        """Note the definition of a task without provenance, for recorded calls above it."""
        self._hidden_tasks.setdefault(task.hash, task)


def _job_record(job: Job) -> JobRecord:
    parent, outcome = job.parent_job, job.outcome
    is_replayed_failure = job.status is JobStatus.FAILED and not job.reason and bool(outcome and outcome.call_hash)
    return JobRecord(
        job.id,
        job.start_time,
        job.end_time,
        job.task.hash,
        job.status is JobStatus.CACHED or is_replayed_failure,
        job.outcome.call_hash or None if job.outcome is not None else None,
        parent.id if parent is not None else None,
        job.execution.id,
        job.reason,
    )
