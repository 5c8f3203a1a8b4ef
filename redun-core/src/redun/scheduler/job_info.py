"""What a task can know about the job that runs it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from redun.options import EMPTY_OPTIONS
from redun.values.base import Value


class JobInfo(Value):
    """The job that runs a task, for tasks that ask for it.

    A task asks with a parameter whose default is ``JobInfo()``. It receives an instance that is filled in; the
    parameter takes no part in the address of the call, so what a task makes of it must not matter to its result.

    Attributes
    ----------
    execution_id, job_id : str
        The ids of the execution and of the job.
    eval_hash, args_hash : str
        The addresses of the call and of its arguments.
    options : Mapping[str, Any]
        The task options that hold for the job.

    Examples
    --------
    >>> from redun import Scheduler, task
    >>> @task(version="1")
    ... def where(info=JobInfo()):
    ...     return len(info.job_id)
    >>> Scheduler().run(where())
    36
    """

    __module__ = "redun.scheduler"
    type_name = "redun.scheduler.JobInfo"

    def __init__(
        self,
        execution_id: str = "",
        job_id: str = "",
        eval_hash: str = "",
        args_hash: str = "",
        options: Mapping[str, Any] = EMPTY_OPTIONS,
    ) -> None:
        self.execution_id, self.job_id = execution_id, job_id
        self.eval_hash, self.args_hash = eval_hash, args_hash
        self.options = options

    def __getstate__(self) -> dict[str, Any]:
        return dict(self.__dict__)

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)


def find_job_infos(args: Sequence[Any], kwargs: Mapping[str, Any]) -> frozenset[int | str]:
    """Return the positions and names of the arguments that ask for the job."""
    positions = [index for index, value in enumerate(args) if isinstance(value, JobInfo)]
    return frozenset([*positions, *(name for name, value in kwargs.items() if isinstance(value, JobInfo))])
