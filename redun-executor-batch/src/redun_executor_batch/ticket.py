"""A call on its way through AWS Batch.

A ticket is *waiting* for others to make an array with or for room in the budget, *submitted* when it has a job, and
*settled* when its future is. A job that failed for a reason that may pass makes it waiting again. A ticket that nobody
wants any more is left where it is, and its job is ended as soon as there is one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from redun.executors.base import Call
from redun_executor_batch.options import BatchOptions
from redun_remote.jobs import StagedCall

BATCH_JOB_TAG, LOG_STREAM_TAG = "aws_batch_job", "aws_log_stream"


@dataclass(eq=False)
class Ticket:
    """A call that has been handed over, and what became of it so far.

    Attributes
    ----------
    call : Call
        The call.
    future : Future
        Its future.
    options : BatchOptions
        The options of its job.
    retries : Mapping[str, int]
        How often it is tried again, by kind of failure.
    staged : StagedCall or None
        Where its files are.
    job_id : str or None
        The id of its job; that of a child, in an array.
    step : int
        Which of the configured memory sizes its job has.
    failures : Counter
        How often it failed here, by kind.
    is_wanted : bool
        Whether anybody waits for it.
    has_place : bool
        Whether it counts in the budget.
    log_stream : str or None
        Where what its job printed is.
    """

    call: Call
    future: Future[Any]
    options: BatchOptions
    retries: Mapping[str, int]
    staged: StagedCall | None = None
    job_id: str | None = None
    step: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    is_wanted: bool = True
    has_place: bool = False
    log_stream: str | None = None

    @property
    def memory(self) -> float:
        """The memory of its job in GB."""
        return self.options.memory[self.step]

    @property
    def vcpus(self) -> float:
        """The processors of its job, on all its machines."""
        return self.options.vcpus * (self.options.num_nodes or 1)

    def note_log(self) -> None:
        """Leave where the log is with the future, where the scheduler finds it."""
        if self.log_stream is not None:
            self.future.redun_tags = [(LOG_STREAM_TAG, self.log_stream)]  # type: ignore[attr-defined]
