"""The contract of a store: answer batches of keys, write batches of records.

A backend knows nothing of schedulers and tasks; it sees addresses, bytes and the plain records of
`redun.backends.records`. It must be able to look up what it recorded, in any later process. Everything else is
optional: a backend that only caches may ignore jobs and executions, and only backends that can be queried by people
offer more.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from redun.backends.handles import HandleLookups
from redun.backends.past import (
    ERROR_TYPE,
    MAX_PAST_CALLS,
    JobCall,
    PastCall,
    StoredCall,
    find_files,
    place_arguments,
)
from redun.backends.records import (
    Batch,
    CallRecord,
    EvaluationRecord,
    ExecutionRecord,
    JobRecord,
    TagEntity,
    TagRecord,
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

    def find_unrecorded(self, call_hashes: Sequence[str]) -> Collection[str]:
        """Return those of some calls, by address, that may not be recorded with everything that belongs to them.

        The others are not recorded again. Override it where that costs less than recording them.
        """
        return call_hashes

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

    def find_job_tags(self, key: str) -> Mapping[str, Mapping[str, Sequence[Any]]]:
        """Return the tags of the recorded jobs whose ids begin with a key, by job; none, the default, if none is known.

        A key may have several values: those of all attempts of a call, for example.

        Parameters
        ----------
        key
            The start of ids of jobs.
        """
        return {}

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

    def set_check(self, check: Callable[[], None]) -> None:
        """Set what is called every few ten milliseconds while the store is waited for, in queries too.

        What it raises ends the waiting. It does nothing else with the store. Ignored by stores that are never away.
        """

    def share(self, execution_id: str) -> Share | None:
        """Announce that this process begins an execution, and return its part in the store.

        None, the default, for a store that only one execution uses at a time, or that does not care.
        """
        return None

    def close(self) -> None:
        """Release what `load` opened. The backend can be loaded again."""
