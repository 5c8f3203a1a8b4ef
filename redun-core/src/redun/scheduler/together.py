"""Evaluating expressions that end together: when one fails, nothing more of the others starts, or goes on."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from redun.promise import Promise, wait_promises
from redun.scheduler.evaluate import Evaluator
from redun.scheduler.group import CallGroup
from redun.scheduler.job import Job
from redun.scheduler.job_env import JobEnv
from redun.scheduler.start import Starter


def evaluate_together(
    evaluator: Evaluator, starter: Starter, exprs: Sequence[Any], parent_job: Job | JobEnv, stops: bool
) -> tuple[Sequence[Promise[Any]], Promise[Any]]:
    """Return the promises of expressions, and one that is fulfilled when all that has to be waited for has ended.

    Parameters
    ----------
    evaluator, starter
        Those of the execution.
    exprs
        The expressions.
    parent_job
        The job under which they are reduced.
    stops
        Whether calls that run are stopped, too, when one of the expressions fails.
    """
    group = CallGroup(parent_job.group, partial(_end_group, evaluator, starter, stops))
    job = parent_job.job if isinstance(parent_job, JobEnv) else parent_job
    env = JobEnv(job, parent_job.context, parent_job.replays_errors, group)
    promises = evaluator.evaluate_each(exprs, env)
    for promise in promises:
        promise.watch(group.note)
    return promises, wait_promises(promises).then(lambda _: group.ended)


def _end_group(evaluator: Evaluator, starter: Starter, stops: bool, group: CallGroup) -> list[Promise[Any]]:
    """Start nothing more of a group of calls, stop what runs if that is wanted, and return what goes on."""
    evaluator.check_ready()
    starter.drop_stopped()
    if stops:
        starter.stop_group(group)
    return [job.promise for job in starter.handover.list_jobs() if group.has(job)]
