"""The records that a store is handed, in batches: plain data, that never change once written.

Only a job and an execution are written when they start and again when they end.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, NamedTuple

from redun.arguments import EncodedArguments
from redun.backends.handles import HandleChanges
from redun.values.codec import EncodedValue


class EvaluationRecord(NamedTuple):
    """The cache entry of a call: what its task returned, before that was reduced further."""

    eval_hash: str
    task_hash: str
    args_hash: str
    value: EncodedValue


class CallRecord(NamedTuple):
    """A finished call: a node of the call graph.

    Attributes
    ----------
    call_hash, task_hash
        Addresses of the call and of its task.
    task_name
        The task's full name.
    result
        The final value.
    arguments
        The arguments with their address.
    upstream
        Addresses of the calls that arguments came from, by the argument's position or name; only of those that did.
    children
        Addresses of the calls made below it, in the order they were made, repeats included.
    subtree
        Hashes of all tasks in the call graph below and including this node.
    timestamp
        When it finished, in seconds since the epoch.
    context
        The values that it could look up; None when there were none.
    """

    call_hash: str
    task_name: str
    task_hash: str
    result: EncodedValue
    arguments: EncodedArguments
    upstream: Mapping[int | str, Sequence[str]]
    children: Sequence[str]
    subtree: Collection[str]
    timestamp: float
    context: EncodedValue | None = None


class JobRecord(NamedTuple):
    """One call as it happened in one execution.

    Times are in seconds since the epoch; `end_time` is None while the call runs. `reason` says why the call ran in
    place of being answered from the cache; a store may leave it out.
    """

    id: str
    start_time: float
    end_time: float | None
    task_hash: str
    cached: bool
    call_hash: str | None
    parent_id: str | None
    execution_id: str
    reason: str = ""


class ExecutionRecord(NamedTuple):
    """One run of a workflow: the command that started it, its root job, and when it was last seen alive."""

    id: str
    args: str
    job_id: str
    updated_time: float


class TagEntity(str, Enum):
    """What a tag may be on; `Null` is what a deleted tag has become."""

    Execution = "Execution"
    Job = "Job"
    CallNode = "CallNode"
    Task = "Task"
    Value = "Value"
    Null = "Null"


class TagRecord(NamedTuple):
    """A key with a JSON value, on something that is recorded.

    Attributes
    ----------
    entity_type
        What it is on: ``"Execution"``, ``"Job"``, ``"CallNode"``, ``"Task"`` or ``"Value"``.
    entity_id
        The id or address of that.
    key, value
        The tag. Several values of one key stand beside each other.
    """

    entity_type: str
    entity_id: str
    key: str
    value: Any


@dataclass(slots=True)
class Batch:
    """Records to be written together: all of them, or none.

    Tasks are values whose `subtype` holds their definition; the address of the value is the task's hash. Other values
    stand here only when nothing else in the batch holds them.

    A record refers only to records that are in the same batch or were written before. Jobs come parents first. What
    ends in a later batch than it started is in `job_ends`, by id, instead of in `jobs`.
    """

    tasks: dict[str, EncodedValue] = field(default_factory=dict)
    values: dict[str, EncodedValue] = field(default_factory=dict)
    evaluations: list[EvaluationRecord] = field(default_factory=list)
    calls: list[CallRecord] = field(default_factory=list)
    jobs: dict[str, JobRecord] = field(default_factory=dict)
    job_ends: dict[str, JobRecord] = field(default_factory=dict)
    executions: dict[str, ExecutionRecord] = field(default_factory=dict)
    tags: list[TagRecord] = field(default_factory=list)
    handles: HandleChanges = field(default_factory=HandleChanges)

    def extend(self, later: Batch) -> None:
        """Add the records of a later batch; a job that ends there and starts here is one record then."""
        self.tasks.update(later.tasks)
        self.values.update(later.values)
        self.evaluations.extend(later.evaluations)
        self.calls.extend(later.calls)
        self.jobs.update(later.jobs)
        for job_id, job in later.job_ends.items():
            (self.jobs if job_id in self.jobs else self.job_ends)[job_id] = job
        self.executions.update(later.executions)
        self.tags.extend(later.tags)
        self.handles.extend(later.handles)

    def __len__(self) -> int:
        return (
            len(self.evaluations)
            + len(self.calls)
            + len(self.jobs)
            + len(self.job_ends)
            + len(self.executions)
            + len(self.values)
            + len(self.tags)
            + len(self.handles)
        )
