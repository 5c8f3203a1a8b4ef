"""Handing calls over to executors, and getting them back: finished, late, lost or stopped.

Every call that an executor holds is one entry here, from its submission until its future is settled or given up. Other
threads touch the mailbox only, into which executors put settled futures.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import CancelledError, Future
from functools import partial
from typing import Any, NamedTuple
from weakref import ref

from redun.arguments import pass_by_position
from redun.awaiting import bind_evaluator
from redun.errors import CancelledCallError, ExecutorError, SchedulerError, TaskExitError, TaskTimeoutError
from redun.executors.base import Call, Executor, LendingFuture
from redun.logging import logger
from redun.scheduler.job import Job
from redun.scheduler.mailbox import Mailbox
from redun.scheduler.rebuilder import may_reuse
from redun.scheduler.retry import read_timeout
from redun.scheduler.timers import Timers
from redun.traceback import safe_repr

_START_CHECK = 0.1
"""How often a call with a timeout that has not started yet is looked at, in seconds."""


class Held(NamedTuple):
    """A call that an executor holds."""

    job: Job
    executor: Executor


class Handover:
    """The calls of one execution that executors hold.

    Parameters
    ----------
    timers
        Watch over calls with a timeout.
    reject
        Called with a job and the error that it failed with, when its executor does not say so itself.

    Attributes
    ----------
    mailbox : Mailbox
        What other threads have to say.
    starting : Executor or None
        The executor that is starting calls just now.
    """

    def __init__(self, timers: Timers, reject: Callable[[Job, Executor, BaseException], None]) -> None:
        self._timers = timers
        self._reject = reject
        self._held: dict[Future[Any], Held] = {}
        self.mailbox = Mailbox()
        self.starting: Executor | None = None

    def __len__(self) -> int:
        return len(self._held)

    def iter_latest_first(self) -> Iterator[Job]:
        """Yield the jobs whose calls are held."""
        return (held.job for held in reversed(self._held.values()))

    def submit(self, executor: Executor, jobs: Sequence[Job], evaluate: Callable[[Job, Any], Future[Any]]) -> None:
        """Hand calls over to an executor.

        Parameters
        ----------
        executor
            Who runs them.
        jobs
            The calls.
        evaluate
            Returns the future of the value of an expression that a coroutine awaits.

        Raises
        ------
        ExecutorError
            When the executor does not return a future for each.
        SchedulerError
            When it can't run them.
        """
        calls = [_make_call(job, executor, evaluate) for job in jobs]
        self.starting = executor
        try:
            futures = executor.submit_many(calls)
        finally:
            self.starting = None
        _check_futures(futures, executor, len(jobs))  # Before any is held: what is held is waited for.
        held, mailbox = self._held, self.mailbox
        for future, job in zip(futures, jobs, strict=True):
            held[future] = Held(job, executor)
            if job.options:
                self._watch_time(future, job, executor)
            future.add_done_callback(mailbox.offer if isinstance(future, LendingFuture) else mailbox.put)

    def list_jobs(self) -> list[Job]:
        """Return the jobs whose calls executors hold."""
        return [held.job for held in self._held.values()]

    def list_ended(self, mails: Iterable[Any]) -> Iterator[tuple[Job, Future[Any]]]:
        """Yield the jobs and futures of the calls that are held among some mail."""
        held = self._held
        return ((held[mail].job, mail) for mail in mails if mail in held)

    def take(self, future: Future[Any]) -> Held | None:
        """Return who made a call whose future is settled; None if it was given up before."""
        return self._held.pop(future, None)

    def cancel(self, is_given_up: Callable[[Job], bool] = lambda job: True) -> list[Job]:
        """Stop calls, all or some, and return their jobs; what they come to is ignored."""
        stopped = {future: held for future, held in self._held.items() if is_given_up(held.job)}
        for future, held in reversed(stopped.items()):  # The last first, so that none of them starts meanwhile.
            _cancel(held.executor, future)
            self._held.pop(future, None)  # Not before: a signal may come, and then the others are to be stopped too.
        return [held.job for held in stopped.values()]

    def _watch_time(self, future: Future[Any], job: Job, executor: Executor) -> None:
        timeout = None if executor.supports("timeout") else read_timeout(job.options, job.task.fullname)
        if timeout is not None:
            self._timers.add(time.monotonic(), partial(self._check_time, ref(future), timeout, False))

    def _check_time(self, watched: ref[Future[Any]], timeout: float, has_started: bool) -> None:
        """Let the time of a call begin when the call does, and stop the call when its time is over."""
        future = watched()
        held = self._held.get(future) if future is not None else None
        if future is None or held is None:
            return
        if has_started:
            del self._held[future]
            _cancel(held.executor, future)
            text = f"task {held.job.task.fullname} took longer than its timeout of {timeout:g} seconds"
            self._reject(held.job, held.executor, TaskTimeoutError(text))
        elif future.running():
            self._timers.add(time.monotonic() + timeout, partial(self._check_time, watched, timeout, True))
        else:
            self._timers.add(
                time.monotonic() + min(_START_CHECK, timeout), partial(self._check_time, watched, timeout, False)
            )


def _cancel(executor: Executor, future: Future[Any]) -> None:
    """Stop a call; an executor that fails to do so is reported and holds nobody up."""
    try:
        executor.cancel(future)
    except Exception:
        logger.exception("executor %s failed to cancel a call", executor.name)


def _check_futures(returned: Sequence[object], executor: Executor, count: int) -> None:
    """Check that an executor has returned a future for each call."""
    strangers = [item for item in returned if not isinstance(item, Future)]
    if strangers:
        raise ExecutorError(f"executor {executor.name!r} returned {safe_repr(strangers[0])} in place of a future")
    if len(set(returned)) != count:
        raise ExecutorError(f"executor {executor.name!r} returned {len(set(returned))} futures for {count} calls")


def find_error(future: Future[Any]) -> Exception | None:
    """Return how a call failed, as an ordinary exception; None if it did not."""
    try:
        error = future.exception()
    except CancelledError:
        return CancelledCallError("the executor cancelled the call")
    if error is None or isinstance(error, Exception):
        return error
    exit_error = TaskExitError(f"the task raised {safe_repr(error)}, which would end the process")
    exit_error.__cause__ = error
    return exit_error.with_traceback(error.__traceback__)


def _make_call(job: Job, executor: Executor, evaluate: Callable[[Job, Any], Future[Any]]) -> Call:
    task, args, kwargs, func = job.task, job.args, job.kwargs, job.task.func
    if task.positional_only:
        args, kwargs = pass_by_position(task.positional_only, args, kwargs)
    if task.is_coroutine:
        if not executor.supports("async"):
            raise SchedulerError(f'Executor "{executor.name}" does not support async tasks')
        func = bind_evaluator(func, partial(evaluate, job))
    if task.script and not executor.supports("script"):
        raise SchedulerError(f'Executor "{executor.name}" does not support script tasks')
    options, reuses = job.options, may_reuse(job.options, job.reason)
    module, origin = task.load_module, job.execution.origin
    return Call(task.fullname, func, args, kwargs, options, job.eval_hash, job.id, module, task.script, reuses, origin)
