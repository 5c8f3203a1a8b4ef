"""A store that another one stands behind, to see what an execution writes and asks."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from redun.backends.base import Backend, Batch, JobRecord, PastCall, StoredCall
from redun.backends.sharing import Share
from redun.values.codec import EncodedValue


class WatchedBackend(Backend):
    """Passes everything on to another backend, and keeps what was recorded.

    Parameters
    ----------
    backend
        The backend that does the work.

    Attributes
    ----------
    batches : list of Batch
        What was recorded, in order.
    journaled : list of Batch
        What was journaled, in order.
    """

    def __init__(self, backend: Backend) -> None:
        super().__init__()
        self.backend = backend
        self.journal_delay = backend.journal_delay
        self.max_value_size = backend.max_value_size
        self.batches: list[Batch] = []
        self.journaled: list[Batch] = []

    def load(self) -> None:
        self.backend.load()

    def close(self) -> None:
        self.backend.close()

    def lookup(self, eval_hashes: Sequence[str]) -> Mapping[str, EncodedValue]:
        return self.backend.lookup(eval_hashes)

    def find_tasks(self, task_hashes: Sequence[str]) -> Collection[str]:
        return self.backend.find_tasks(task_hashes)

    def lookup_calls(self, keys: Iterable[tuple[str, str]]) -> Mapping[tuple[str, str], Sequence[StoredCall]]:
        return self.backend.lookup_calls(keys)

    def find_unrecorded(self, call_hashes: Sequence[str]) -> Collection[str]:
        return self.backend.find_unrecorded(call_hashes)

    def find_calls(self, task_name: str, paths: Sequence[str] = ()) -> Sequence[PastCall]:
        return self.backend.find_calls(task_name, paths)

    def find_durations(self, task_names: Sequence[str]) -> Mapping[str, float]:
        return self.backend.find_durations(task_names)

    def find_handles(self, handle_hashes: Sequence[str]) -> Mapping[str, bool]:
        return self.backend.find_handles(handle_hashes)

    def find_states_after(self, handle_hashes: Sequence[str]) -> Collection[str]:
        return self.backend.find_states_after(handle_hashes)

    def record(self, batch: Batch) -> None:
        self.backend.record(batch)
        self.batches.append(batch)

    def journal(self, batch: Batch) -> None:
        self.backend.journal(batch)
        self.journaled.append(batch)

    def set_pause(self, pause: Callable[[], None]) -> None:
        self.backend.set_pause(pause)

    def set_check(self, check: Callable[[], None]) -> None:
        self.backend.set_check(check)

    def share(self, execution_id: str) -> Share | None:
        return self.backend.share(execution_id)

    def find_root_job(self) -> JobRecord:
        """Return the root job of the one execution that was recorded, as it was at last."""
        (execution,) = {item.id: item for batch in self.batches for item in batch.executions.values()}.values()
        jobs = {job_id: job for batch in self.batches for job_id, job in (*batch.jobs.items(), *batch.job_ends.items())}
        return jobs[execution.job_id]
