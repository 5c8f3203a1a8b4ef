"""Writing down what happened, in batches.

A record goes through three states. It is *new* first. If the store has a journal, new records are journaled together
after a moment, which makes them safe against a kill. All records, journaled or new, are handed to the store's tables
in one batch when enough of them wait, when the oldest has waited long enough, when nothing else is to be done, and at
the end of an execution. A job that starts and ends within one batch is written once.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from math import inf
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
from redun.backends.handles import HandleRecord
from redun.errors import BackendError
from redun.options import check_tags
from redun.scheduler.garbage import not_collecting
from redun.scheduler.job import Execution, Job, JobStatus
from redun.task import Task
from redun.values.codec import EncodedValue
from redun.values.large import forget_unused
from redun.values.nested import find_leaves
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

    Attributes
    ----------
    max_delay : float
        How long a record waits at most for the tables while the execution is busy, in seconds.
    is_held_up : bool
        Whether the store is in the midst of a write, so that its tables can't be written; the journal can.
    on_written : callable
        What is told of a batch that was written; None if nobody wants to know.
    """

    def __init__(self, backend: Backend | None, execution: Execution) -> None:
        self._backend = backend
        self._execution = execution
        self._batch = Batch()
        self._jobs: dict[str, Job] = {}
        self._journaled = Batch()
        self._journal_delay = None if backend is None else backend.journal_delay
        self._newest = 0.0
        self.is_held_up = self._is_writing = False
        self._only_in_memory = Batch()
        self._known_tasks: set[str] = set()
        self._hidden_tasks: dict[str, Task[..., object]] = {}
        self._oldest = 0.0
        self.max_delay = MAX_DELAY
        self.on_written: Callable[[Batch], None] | None = None
        self._root: ExecutionRecord | None = None

    def note_job(self, job: Job) -> None:
        """Note that a job with provenance began or ended; the root job brings its execution along."""
        self._jobs[job.id] = job
        if job.parent_job is None and self._root is None and self._execution.parent_job_id is None:
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
        if self._journal_delay == 0:
            self.journal()

    def add_call(self, call: CallRecord) -> None:
        """Note a finished call."""
        self._batch.calls.append(call)
        if self._hidden_tasks:
            for task_hash in self._hidden_tasks.keys() & call.subtree:
                self.note_task(self._hidden_tasks.pop(task_hash))
        if self._journal_delay == 0:
            self.journal()

    def find_unrecorded(self, call_hashes: Sequence[str]) -> Collection[str]:
        """Return those of some calls that need a record; all of them if each job is to be safe as soon as it ends."""
        if self._backend is None or self._journal_delay == 0:
            return call_hashes
        return self._backend.find_unrecorded(call_hashes)

    def add_handle(self, record: HandleRecord) -> None:
        """Note a state of a handle."""
        self._batch.handles.add(record)

    def invalidate_handles(self, handle_hashes: Iterable[str]) -> None:
        """Note that recorded states of handles are not valid any more."""
        for handle_hash in handle_hashes:
            self._batch.handles.invalidate(handle_hash)

    def secure(self) -> None:
        """Make everything collected so far safe against a kill, and known to other executions if there are any.

        Raises
        ------
        BackendError
            When that is impossible.
        """
        if self._backend is None:
            return
        self.journal()
        if self._backend.journal_delay is None or self.max_delay < MAX_DELAY:
            self.flush()

    def note_alive(self) -> None:
        """Note that the execution is alive now."""
        if self._root is not None:
            self._batch.executions[self._root.id] = self._root._replace(updated_time=time.time())

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits to be written."""
        return not self._jobs and not self._batch and not self._journaled

    def flush_if_due(self) -> None:
        """Write what was collected if it is much, or if it has waited long; journal it if it has waited a moment."""
        batch, journaled = self._batch, self._journaled
        new = len(self._jobs) + len(batch.calls) + len(batch.evaluations)
        old = len(journaled.jobs) + len(journaled.calls) + len(journaled.evaluations)
        if not new and not old and self.is_empty:
            return
        now = time.monotonic()
        self._oldest = self._oldest or now
        if new + old >= MAX_RECORDS or now - self._oldest >= self.max_delay:
            self.flush()
        elif batch.evaluations and self._journal_delay is not None:  # Without them, nothing would be made again.
            self._newest = self._newest or now
            if now - self._newest >= self._journal_delay:
                self.journal()

    def journal(self) -> None:
        """Make everything collected so far safe against a kill, in a store that has a journal.

        That includes what is being written to the tables but was not journaled before: new records may refer to it.
        """
        if self._jobs or self._batch:
            self._journal_all()

    def _journal_all(self) -> None:
        if self._backend is None or self._journal_delay is None:
            return
        batch = self._take_new()
        self._journaled.extend(batch)
        writing, self._only_in_memory = self._only_in_memory, Batch()
        try:
            for records in (writing, batch):
                if records or records.tasks:
                    self._backend.journal(records)
        except BackendError:
            writing.extend(batch)
            self._only_in_memory = writing
            if self._is_writing or self.is_held_up:
                self._oldest = -inf
            else:
                self.flush()

    def journal_meanwhile(self) -> bool:
        """Journal everything while the tables are written or waited for; return whether nothing needs that any more."""
        self.is_held_up = True
        try:
            self._journal_all()
        finally:
            self.is_held_up = False
        has_journal = self._backend is not None and self._backend.journal_delay is not None
        return has_journal and not (self._jobs or self._batch or self._only_in_memory)

    def flush(self) -> None:
        """Write everything collected so far."""
        if self.is_empty:
            return
        new = self._take_new()
        self._journaled.extend(new)
        batch, self._journaled, self._oldest = self._journaled, Batch(), 0.0
        if self._backend is None:
            return
        self._is_writing = True
        self._only_in_memory.extend(new)
        try:
            with not_collecting():
                self._backend.record(batch)
        except BaseException:
            batch.extend(self._journaled)
            self._journaled = batch
            if self._journal_delay is not None and self._only_in_memory:
                with suppress(BackendError):
                    self._backend.journal(self._only_in_memory)
            raise
        finally:
            self._is_writing, self._only_in_memory = False, Batch()
        if self.on_written is not None:
            self.on_written(batch)
        del batch, new
        forget_unused()

    def publish(self, max_delay: float | None) -> None:
        """Write everything collected so far; later records wait at most for some seconds, or as long as usual."""
        self.max_delay = MAX_DELAY if max_delay is None else max_delay
        self.flush()

    def _take_new(self) -> Batch:
        """Return the records that are new, as a batch; they are not new any more."""
        batch = self._batch
        for job in self._jobs.values():
            if job.task.hash not in self._known_tasks:
                self.note_task(job.task)
            records = batch.job_ends if job.is_recorded else batch.jobs
            records[job.id] = _job_record(job)
            job.is_recorded = True
        self._batch, self._jobs, self._newest = Batch(), {}, 0.0
        return batch

    def note_task(self, task: Task[..., object]) -> None:
        """Note a task's definition, once."""
        if task.hash not in self._known_tasks:
            self._known_tasks.add(task.hash)
            self._batch.tasks[task.hash] = get_type_registry().encode(task)
            tags = task.get_task_option("tags")
            if tags and not find_leaves(tags):  # What expressions come to differs from call to call.
                self.add_tags("Task", task.hash, check_tags(tags))

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
        parent.id if parent is not None else job.execution.parent_job_id,
        job.execution.id,
        job.reason,
    )
