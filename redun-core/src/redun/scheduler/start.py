"""Starting calls: choosing executors, waiting for limits, and trying again after failures."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import partial
from typing import TYPE_CHECKING, Any

from redun.errors import SchedulerError, StoppedCallError
from redun.executors.base import Executor
from redun.scheduler.finish import Finisher
from redun.scheduler.group import CallGroup, find_problem
from redun.scheduler.handover import Handover
from redun.scheduler.job import Job
from redun.scheduler.limits import Limits
from redun.scheduler.retry import check_retries, find_kind, plan_retry, read_timeout
from redun.scheduler.setup import DEFAULT_EXECUTOR
from redun.scheduler.status import StatusBoard
from redun.scheduler.timers import Timers
from redun.traceback import safe_repr

if TYPE_CHECKING:
    from redun.scheduler import Scheduler


class Starter:
    """Starts the calls of one execution that have to run.

    Parameters
    ----------
    scheduler
        Has the executors and says what limits there are.
    finisher, board, timers
        Those of the execution.
    choose_executor
        What plugins say about a job's executor; None if no plugin has a say.
    evaluate
        Returns the future of an expression that a running coroutine awaits.

    Attributes
    ----------
    handover : Handover
        The calls that have been started.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        finisher: Finisher,
        board: StatusBoard,
        timers: Timers,
        choose_executor: Callable[..., str | None] | None,
        evaluate: Callable[[Job, Any], Future[Any]],
    ) -> None:
        self._scheduler = scheduler
        self._finisher = finisher
        self._board = board
        self._timers = timers
        self._choose_executor = choose_executor
        self._evaluate = evaluate
        self._limits = Limits(scheduler.limits)
        self._failures: Counter[str] = Counter()
        self._retrying: dict[Job, BaseException] = {}
        self._is_giving_up = False
        self._admitted: list[Job] = []
        self._is_starting = False
        self.handover = Handover(timers, self.fail_attempt)

    def start(self, jobs: Sequence[Job]) -> None:
        """Start calls, as far as limits have room now; the others start when they have."""
        admitted: list[Job] = []
        for job in jobs:
            if not job.options:
                admitted.append(job)
                continue
            try:
                read_timeout(job.options, job.task.fullname)
                check_retries(job.options, job.task.fullname)
                if self._limits.admit(job):
                    admitted.append(job)
            except Exception as error:  # An option that is wrong fails the job.
                self._begin(job)
                self._finisher.reject(job, error)
        self._start_admitted(admitted)

    def list_executors(self, jobs: Sequence[Job]) -> dict[str, list[Job]]:
        """Return jobs by the name of their executor; one that a plugin fails to choose for is rejected."""
        by_executor: dict[str, list[Job]] = {}
        for job in jobs:
            try:
                by_executor.setdefault(self._find_executor(job), []).append(job)
            except Exception as error:
                self._begin(job)
                self.release(job)
                self._finisher.reject(job, error)
        return by_executor

    def fail_attempt(self, job: Job, executor: Executor, error: BaseException) -> None:
        """Try a call that failed again later, or let its job fail."""
        self.release(job)
        delay = None
        if job.options.get("retries") and not self._is_giving_up and not executor.supports("retries"):
            self._failures[job.id] += 1
            delay = plan_retry(job.options, find_kind(error), self._failures[job.id])
        if delay is None:
            self._finisher.reject(job, error)
        else:
            self._board.log_retry(job, error, delay)
            self._retrying[job] = error
            self._timers.add(time.monotonic() + delay, partial(self._retry, job))

    @property
    def is_retrying(self) -> bool:
        """Whether calls that failed are to be tried again later."""
        return bool(self._retrying)

    def release(self, job: Job) -> None:
        """Give back what a call held of limits, and start those that waited for it."""
        released = self._limits.release(job)
        if released:
            self._start_admitted(released)

    def fail_starved(self) -> bool:
        """Fail the call that has waited longest for a limit, because its holders wait too; return if there is any."""
        starved = self._limits.forget_longest_waiting()
        if starved is None:
            return False
        names = ", ".join(dict.fromkeys(holder.task.fullname for holder in starved.holders))
        text = (
            f"task {starved.job.task.fullname} can't start: limit {starved.resource!r} is held by coroutines that wait "
            f"for other calls ({names}), and nothing else runs; raise the limit in section [limits] of redun.ini, or "
            "take it off the tasks that await others"
        )
        self._begin(starved.job)
        self._finisher.reject(starved.job, SchedulerError(text))
        self._start_admitted(self._limits.start_waiting())
        return True

    def drop_stopped(self) -> None:
        """Let every call fail that waits to start and may not any more, because its group is closed."""
        for job in self._limits.forget_waiting(find_problem):
            problem = find_problem(job)
            assert problem is not None
            self._finisher.give_up(job, problem)
        for job in [job for job in self._retrying if find_problem(job) is not None]:
            self._finisher.reject(job, self._retrying.pop(job))
        self._start_admitted(self._limits.start_waiting())

    def stop_group(self, group: CallGroup) -> None:
        """Stop the calls of a group."""
        for job in self.handover.cancel(group.has):
            self.release(job)
            self._finisher.fail(job, StoppedCallError(f"stopped, {group.cause}"))

    def give_up(self) -> None:
        """Start nothing any more."""
        self._is_giving_up = True
        self._limits.forget_waiting()

    def _start_admitted(self, jobs: Sequence[Job]) -> None:
        """Start calls that limits have room for, and those that get room when one of them can't be started."""
        self._admitted.extend(jobs)
        if self._is_starting:
            return
        self._is_starting = True
        try:
            while self._admitted:
                batch = list(self._admitted)
                self._admitted.clear()
                for name, group in self.list_executors(batch).items():
                    self._submit(name, group)
        finally:
            self._is_starting = False

    def _submit(self, name: str, jobs: Sequence[Job]) -> None:
        for job in jobs:
            self._board.log_run(job, name)
            self._begin(job)
        try:
            executor = self._scheduler.start_executor(name)
            if executor.is_remote:
                self._finisher.journal()
            self.handover.submit(executor, jobs, self._evaluate)
        except Exception as error:  # An executor that can't take calls fails these jobs, not the loop.
            for job in jobs:
                self.release(job)
                self._finisher.reject(job, error)

    def _find_executor(self, job: Job) -> str:
        chosen = self._choose_executor(job=job) if self._choose_executor is not None else None
        name = chosen or job.get_option("executor") or DEFAULT_EXECUTOR
        if not isinstance(name, str):
            what = f"task option executor={safe_repr(name)} of {job.task.fullname}"
            raise SchedulerError(f"{what} must be the name of an executor")
        return name

    def _begin(self, job: Job) -> None:
        if job.id not in self._failures:
            self._finisher.begin(job)

    def _retry(self, job: Job) -> None:
        if self._retrying.pop(job, None) is not None and not self._is_giving_up:
            self.start([job])
