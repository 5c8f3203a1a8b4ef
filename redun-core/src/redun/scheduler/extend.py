"""Running an expression under a job of another process: executions that go on elsewhere, on the same store.

The other process has recorded its job, and waits for it. Here, the expression's jobs get that job above them and belong
to the same execution; towards other executions on the store, this part of it stands for itself.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from redun.context import Context
from redun.errors import SchedulerError
from redun.options import EMPTY_OPTIONS
from redun.promise import Promise
from redun.scheduler.job import Execution, Outcome
from redun.scheduler.scope import AdoptedCall
from redun.scheduler.settings import RunSettings
from redun.traceback import safe_repr

if TYPE_CHECKING:
    from redun.backends.base import Backend
    from redun.scheduler import Scheduler
    from redun.scheduler.job import Job

PATIENCE = 30.0
"""How long the job of the other process is waited for, in seconds; its process records it within two."""

_LOOK_SECONDS = 0.05


def extend_run(
    scheduler: Scheduler,
    expr: Any,
    parent_job_id: str,
    dryrun: bool = False,
    cache: bool = True,
    context: Mapping[str, Any] = EMPTY_OPTIONS,
    patience: float = PATIENCE,
) -> dict[str, Any]:
    """Evaluate an expression under a job that another scheduler runs and records in the same store.

    Parameters
    ----------
    scheduler
        The scheduler here.
    expr
        What to evaluate.
    parent_job_id
        The id of the job.
    dryrun, cache
        See `Scheduler.run`.
    context
        The context of the job; what is configured here is not laid under it.
    patience
        How long to wait for the job to be recorded, in seconds.

    Returns
    -------
    dict
        The ``result``, the ``job_id`` and ``call_hash`` of the root job here, the ``subtree`` of its call, and its
        ``status``: how many jobs ended in each status, by task.

    Raises
    ------
    SchedulerError
        When the store does not have the job.
    """
    scheduler.load()
    execution_id = _find_execution(scheduler.backend, parent_job_id, patience)
    argv = ["scheduler.extend_run", safe_repr(expr)]
    execution = Execution(execution_id, argv, Context(context), parent_job_id=parent_job_id)
    return report_run(scheduler, execution, expr, RunSettings(cache, dryrun))


def report_run(scheduler: Scheduler, execution: Execution, expr: Any, settings: RunSettings) -> dict[str, Any]:
    """Evaluate an expression as a given execution, and return what `extend_run` does."""
    result = scheduler.run_execution(execution, expr, settings)
    job = execution.job
    outcome = None if job is None else job.outcome
    counts = {} if execution.progress is None else execution.progress.count_jobs()
    return {
        "result": result,
        "job_id": None if job is None else job.id,
        "call_hash": None if outcome is None else outcome.call_hash,
        "subtree": [] if outcome is None else sorted(outcome.subtree),
        "status": {name: {key: number for key, number in each.items() if number} for name, each in counts.items()},
    }


def _find_execution(backend: Backend, job_id: str, patience: float) -> str:
    deadline = time.monotonic() + patience
    while (execution_id := backend.find_execution(job_id)) is None:
        if time.monotonic() >= deadline:
            raise SchedulerError(
                f"Unknown parent_job_id: {job_id}; the store here does not have the job that this is to go on with: "
                "configure a store that both sides reach in section [backend], or start an execution of its own"
            )
        time.sleep(_LOOK_SECONDS)
    return execution_id


def adopt_call(job: Job, call_hash: str, subtree: Collection[str]) -> None:
    """Let a recorded call, which another scheduler has made for a job, count as one made below the job.

    Parameters
    ----------
    job
        The job, while its result is being reduced.
    call_hash
        The address of the call.
    subtree
        The hashes of all tasks in the call graph below and including it.
    """
    outcome = Outcome(None, None, call_hash, frozenset(subtree))
    job.open_scope().children.append(AdoptedCall(outcome, Promise()))
