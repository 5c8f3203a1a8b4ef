"""The contract of a store: answer batches of keys, write batches of records.

A backend knows nothing of schedulers and tasks; it sees addresses, bytes and the plain records below. It must be able
to look up what it recorded, in any later process. Everything else is optional: a backend that only caches may ignore
jobs and executions, and only backends that can be queried by people offer more.

Records never change once written, except that a job and an execution are written when they start and again when they
end.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, ClassVar, NamedTuple

from redun.arguments import EncodedArguments
from redun.backends.handles import HandleChanges, HandleLookups
from redun.backends.past import (
    ERROR_TYPE,
    MAX_PAST_CALLS,
    JobCall,
    PastCall,
    StoredCall,
    find_files,
    place_arguments,
)
from redun.backends.sharing import Share
from redun.values.codec import EncodedValue

__all__ = [
    "ERROR_TYPE",
    "MAX_PAST_CALLS",
    "Backend",
    "Batch",
    "CallRecord",
    "EvaluationRecord",
    "ExecutionRecord",
    "JobCall",
    "JobRecord",
    "NoOptions",
    "PastCall",
    "StoredCall",
    "TagEntity",
    "TagRecord",
    "find_files",
    "place_arguments",
]


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


@dataclass(frozen=True)
class NoOptions:
    """The options of a store that has none."""


class Backend(HandleLookups, ABC):
    """Base of stores. `lookup`, `lookup_calls` and `record` are all that one must have.

    One thread at a time uses a backend, not always the same one. `redun.testing.BackendContract` tests a backend.

    Parameters
    ----------
    options
        An instance of `options_type`, made of the configuration section ``[backend]``. A field ``config_dir`` of it
        holds the configuration folder.

    Attributes
    ----------
    max_value_size : int or None
        How many bytes a value may have; a call with a larger argument or result fails, and that value is not recorded.
        None for no limit.
    """

    options_type: ClassVar[type[Any]] = NoOptions
    max_value_size: int | None = None

    def __init__(self, options: Any = None) -> None:
        self.options = self.options_type() if options is None else options

    journal_delay: float | None = None
    """How long a record may wait to be journaled, in seconds, 0 for not at all; None for a store without a journal."""

    def load(self) -> None:
        """Open the store, creating or upgrading it where the options allow that. Called once before use; idempotent.

        Raises
        ------
        BackendError
            With one sentence that says what is wrong and what to do.
        """

    @abstractmethod
    def lookup(self, eval_hashes: Sequence[str]) -> Mapping[str, EncodedValue]:
        """Return the recorded evaluations among some keys; the newest where one was recorded more than once."""

    def find_tasks(self, task_hashes: Sequence[str]) -> Collection[str]:
        """Return those tasks, by hash, of which any evaluation may be recorded; `lookup` is not asked about others.

        Override it where that is cheaper than looking up their calls.
        """
        return task_hashes

    @abstractmethod
    def lookup_calls(self, keys: Iterable[tuple[str, str]]) -> Mapping[tuple[str, str], Sequence[StoredCall]]:
        """Return the recorded calls for some pairs of task hash and arguments hash; first the one that ended last."""

    def find_calls(self, task_name: str, paths: Sequence[str] = ()) -> Sequence[PastCall]:
        """Return recorded calls of a task of any definition, to explain why another call has to run.

        A store that only caches knows none. The number of calls is bounded by about `MAX_PAST_CALLS`, for each path if
        there are any.

        Parameters
        ----------
        task_name
            The task's full name.
        paths
            Files: only calls that were given one of them; by default the latest calls, newest first.
        """
        return ()

    def find_durations(self, task_names: Sequence[str]) -> Mapping[str, float]:
        """Return how long calls of tasks took of late, on average and in seconds, by the tasks' full names.

        Calls that were answered from the cache do not count. Of tasks without others nothing is returned, and a store
        that only caches knows none. The cost must not grow with the number of calls that are recorded.
        """
        return {}

    def find_job_call(self, key: str) -> JobCall | None:
        """Return the call of a recorded job, to make it again; None, the default, where there is no such job.

        Parameters
        ----------
        key
            The start of the id of a job, or of an execution for the call of its workflow; ``-`` for the latest
            execution, and ``~n`` for the one n before it.

        Raises
        ------
        BackendError
            When the key stands for several jobs, or the job's arguments are not recorded.
        """
        return None

    def find_execution(self, job_id: str) -> str | None:
        """Return the id of the execution of a recorded job, ended or not; None, the default, where there is none."""
        return None

    def find_ids(self, prefix: str, limit: int) -> Sequence[str]:
        """Return the ids of executions and jobs that start with a text, of the latest ones; by default none.

        Shells ask for it in the midst of a line: it works without `load`, and changes nothing.
        """
        return ()

    @abstractmethod
    def record(self, batch: Batch) -> None:
        """Write a batch, atomically. Records that exist already stay as they are."""

    def journal(self, batch: Batch) -> None:
        """Make records safe against the end of this process, much more cheaply than `record` does.

        They come again, together with others, in the next call of `record`. If that never comes, because the process
        was killed, whoever loads the store next records them. Called only if there is a `journal_delay`.

        Raises
        ------
        BackendError
            When that is impossible; the records will be written with `record` instead.
        """

    def set_pause(self, pause: Callable[[], None]) -> None:
        """Set what `record` calls every few ten milliseconds while it writes, so that other work goes on meanwhile.

        What is called journals, but does not record or look up. Ignored by stores that write quickly.
        """

    def share(self, execution_id: str) -> Share | None:
        """Announce that this process begins an execution, and return its part in the store.

        None, the default, for a store that only one execution uses at a time, or that does not care.
        """
        return None

    def close(self) -> None:
        """Release what `load` opened. The backend can be loaded again."""
