"""The loop of one execution: evaluate, decide, hand over, collect, record; until the root is known.

Constant are the scheduler's backend and executors. What changes is, in the order in which one turn of the loop visits
it:

- callbacks of settled promises, and expressions to expand: both are worked off until enough jobs are ready,
- *ready* jobs: decided on in one batch with one look-up; those that run are handed to each executor in one go, or wait
  for limits,
- *held* calls: one entry per future that an executor has not settled,
- the mailbox: settled futures and requests; the only thing that other threads touch,
- timers: retries and timeouts,
- records: written when due, or when there is nothing else to do.

Once the root has failed, nothing new is started. What runs then is waited for and recorded, or stopped, as the policy
says.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Sequence
from concurrent.futures import Future
from functools import partial
from queue import Empty
from signal import SIGINT
from typing import TYPE_CHECKING, Any

from redun.errors import CancelledCallError, DryRunResult, SchedulerError
from redun.executors.base import Executor
from redun.expression import TaskExpression
from redun.plugins.host import get_host
from redun.promise import Promise, collecting_callbacks, run_callbacks
from redun.scheduler.awaited import AwaitedExpressions
from redun.scheduler.calls import CallTable, Join, Rejected
from redun.scheduler.evaluate import Evaluator
from redun.scheduler.failure import Failures
from redun.scheduler.finish import Finisher, JobObservers
from redun.scheduler.garbage import collecting_rarely
from redun.scheduler.handover import Handover, Held, find_error
from redun.scheduler.job import Execution, Job
from redun.scheduler.limits import Limits
from redun.scheduler.rebuilder import Replay
from redun.scheduler.record import Recorder
from redun.scheduler.retry import find_kind, plan_retry
from redun.scheduler.settings import OnError, RunSettings
from redun.scheduler.setup import DEFAULT_EXECUTOR
from redun.scheduler.signals import stopping_on_signals
from redun.scheduler.status import StatusBoard
from redun.scheduler.timers import Timers
from redun.values.registry import get_type_registry

if TYPE_CHECKING:
    from redun.scheduler import Scheduler

MAX_READY = 2_000
"""How many jobs are decided on in one batch."""

MAX_RUNNING = 10_000
"""How many calls executors hold at most, not counting those that wait for others; beyond that, ready jobs wait."""

IDLE_SECONDS = 0.05
"""How long nothing may happen before what was recorded is written."""


class ExecutionLoop:
    """Reduces the root expression of one execution.

    Parameters
    ----------
    scheduler
        The scheduler, with which scheduler tasks are called.
    execution
        The execution.
    settings
        What is special about this run.
    """

    def __init__(self, scheduler: Scheduler, execution: Execution, settings: RunSettings) -> None:
        self._scheduler = scheduler
        self._execution = execution
        self._settings = settings
        host = get_host()
        self.board = StatusBoard(scheduler.logger)
        self.recorder = Recorder(None if settings.dryrun else scheduler.backend, execution)
        self.calls = CallTable(scheduler.backend, settings.cache, host.decider("redun_cache_lookup"))
        self.evaluator = Evaluator(scheduler, execution, self.board, settings.on_error is OnError.KEEP_GOING)
        self.encode = get_type_registry().encode
        observers = JobObservers(host.observers("redun_job_start"), host.observers("redun_job_finish"))
        self.failures = Failures()
        self.tracked: dict[str, Promise[Any]] = {}
        self._finisher = Finisher(self.evaluator, self.recorder, self.board, self.failures, observers)
        self._choose_executor = host.decider("redun_job_executor")
        self._limits = Limits(scheduler.limits)
        self._timers = Timers()
        self._handover = Handover(scheduler, self._timers, self._fail_attempt)
        self._awaited = AwaitedExpressions(self.evaluator, self._handover.mailbox.put)
        self._attempts: Counter[str] = Counter()
        self._is_giving_up = False
        self._stop_signal: int | None = None
        self._next_report = time.monotonic() + scheduler.job_status_interval

    def run(self, expression: TaskExpression[Any]) -> Any:
        """Return the value of the root expression, or raise the error that it failed with."""
        root: Promise[Any] = Promise()
        with collecting_rarely(), collecting_callbacks() as callbacks, stopping_on_signals(self._note_signal):
            try:
                self.evaluator.begin_call(expression, None, root)
                self._execution.job = next(iter(self.evaluator.ready), None)
                self._work(root, callbacks)
                self._close(root)
            except (KeyboardInterrupt, SystemExit):
                self._interrupt()
                raise
            finally:
                self.recorder.flush()
        if root.is_rejected:
            raise root.error
        return root.value

    def _work(self, root: Promise[Any], callbacks: deque[Any]) -> None:
        """Turn the loop until nothing is left to do."""
        evaluator, handover = self.evaluator, self._handover
        while True:
            if self._stop_signal is not None:
                raise KeyboardInterrupt if self._stop_signal == SIGINT else SystemExit(128 + self._stop_signal)
            if callbacks:
                run_callbacks()
            elif root.is_rejected:
                self._give_up()
                if not handover:
                    return
                self._collect()
            elif evaluator.expand(MAX_READY):
                continue
            elif evaluator.ready and len(handover) - len(self._awaited) < MAX_RUNNING:
                self._dispatch()
            elif self.calls.answer_questions():
                continue
            elif handover or self._timers:
                self._collect()
            else:
                return

    def _give_up(self) -> None:
        """Start nothing more, and stop what runs if the policy says so."""
        self._is_giving_up = True
        self._awaited.give_up(SchedulerError("stopped, because the execution failed"))
        self.evaluator.give_up()
        self._limits.forget_waiting()
        if self._settings.on_error is OnError.STOP:
            for held in self._handover.cancel_all():
                self._finisher.fail(held.job, CancelledCallError("stopped, because the execution failed"))

    def _close(self, root: Promise[Any]) -> None:
        """Settle what a failed, idle or dry execution leaves open."""
        if root.is_fulfilled:
            return
        if root.is_pending and self._settings.dryrun:
            self._scheduler.logger.info("Dryrun: Additional jobs would run.")
            raise DryRunResult("additional jobs would run")
        if root.is_pending:
            root.do_reject(SchedulerError("a scheduler task returned a promise that was never settled"))
        self._fail_unfinished(SchedulerError(f"stopped, because the execution failed: {root.error!r}"))

    def _dispatch(self) -> None:
        """Decide on ready jobs as far as executors have room, and hand over those that run."""
        ready, finisher = self.evaluator.ready, self._finisher
        room = min(MAX_READY, MAX_RUNNING + len(self._awaited) - len(self._handover), len(ready))
        to_run: list[Job] = []
        for job, decision, candidate in self.calls.decide_all([ready.popleft() for _ in range(room)]):
            if isinstance(decision, Replay):
                call = decision.candidate.call
                self.board.log_cached(job, call.call_hash if call is not None else None)
                finisher.replay(job, decision.candidate)
                self.evaluator.expand(MAX_READY)
            elif isinstance(decision, Join):
                decision.twin.promise.watch(_Joining(finisher, job, decision.twin).finish)
            elif isinstance(decision, Rejected):
                finisher.begin(job)
                self._reject(job, decision.error)
            else:
                if candidate is not None:
                    self.board.log_miss(job, candidate)
                to_run.append(job)
        self._hand_over(to_run)
        self.recorder.flush_if_due()

    def _hand_over(self, jobs: Sequence[Job]) -> None:
        """Start calls: those for which the limits have room now."""
        by_executor: dict[str, list[Job]] = {}
        for job in jobs:
            try:
                name = self._executor_name(job)
                if self._settings.dryrun or self._limits.admit(job):
                    by_executor.setdefault(name, []).append(job)
            except Exception as error:  # An option that is wrong, or a plugin that fails to choose, fails the job.
                self._begin(job)
                self._reject(job, error)
        for name, group in by_executor.items():
            self._start(name, group)

    def _start(self, name: str, jobs: Sequence[Job]) -> None:
        for job in jobs:
            self.board.log_run(job, name, "Dryrun" if self._settings.dryrun else "Run")
        if self._settings.dryrun:
            return
        for job in jobs:
            self._begin(job)
        try:
            executor = self._scheduler.start_executor(name)
            self._handover.submit(executor, jobs, self._awaited.evaluate)
        except Exception as error:  # An executor that can't take calls fails these jobs, not the loop.
            for job in jobs:
                self._release(job)
                self._reject(job, error)

    def _begin(self, job: Job) -> None:
        if not self._attempts or job.id not in self._attempts:
            self._finisher.begin(job)

    def _executor_name(self, job: Job) -> str:
        chosen = self._choose_executor(job=job) if self._choose_executor is not None else None
        return chosen or job.get_option("executor") or DEFAULT_EXECUTOR

    def _collect(self) -> None:
        """Wait until there is mail, and read all of it; write records when nothing comes for a while."""
        mailbox, recorder = self._handover.mailbox, self.recorder
        now = time.monotonic()
        patience = self._next_report - now if recorder.is_empty else IDLE_SECONDS
        if self._timers:
            patience = min(patience, (self._timers.next_time or now) - now)
        try:
            self._read(mailbox.get(timeout=max(patience, 0)))
        except Empty:
            recorder.flush()
        for _ in range(mailbox.qsize()):
            self._read(mailbox.get())
        recorder.flush_if_due()
        if self._timers:
            self._timers.run_due(time.monotonic())
        if now >= self._next_report:
            self._next_report = now + self._scheduler.job_status_interval
            self.board.log_table()
            recorder.note_alive()

    def _read(self, mail: Any) -> None:
        if not isinstance(mail, Future):
            mail()
            return
        held = self._handover.take(mail)
        if held is not None:
            self._complete(held, mail)

    def _complete(self, held: Held, future: Future[Any]) -> None:
        job = held.job
        error = find_error(future)
        if error is not None:
            self._fail_attempt(job, held.executor, error)
            return
        self._release(job)
        try:
            self._finisher.complete(job, future.result())
        except Exception as failure:  # The result can't be stored.
            self._reject(job, failure)
        self.evaluator.expand(MAX_READY)

    def _fail_attempt(self, job: Job, executor: Executor, error: BaseException) -> None:
        """Try a failed call again later, or let its job fail."""
        self._release(job)
        self._attempts[job.id] += 1
        delay = None
        if job.options.get("retries") and not self._is_giving_up and not executor.supports("retries"):
            try:
                delay = plan_retry(job.options, find_kind(error), self._attempts[job.id])
            except SchedulerError as problem:
                error = problem
        if delay is None:
            self._reject(job, error)
        else:
            self.board.log_retry(job, error, delay)
            self._timers.add(time.monotonic() + delay, partial(self._retry, job))

    def _retry(self, job: Job) -> None:
        if not self._is_giving_up:
            self._hand_over([job])

    def _release(self, job: Job) -> None:
        """Give back what a call held of limits, and start those that waited for it."""
        released = self._limits.release(job)
        if released:
            by_executor: dict[str, list[Job]] = {}
            for waiting in released:
                by_executor.setdefault(self._executor_name(waiting), []).append(waiting)
            for name, group in by_executor.items():
                self._start(name, group)

    def _reject(self, job: Job, error: BaseException) -> None:
        """End a job that failed of itself."""
        self.failures.note(error, job)
        self.board.log_reject(job)
        self._finisher.fail(job, error)

    def _note_signal(self, number: int) -> None:
        """Ask the loop to stop at its next turn. Called in a signal handler."""
        self._scheduler.logger.warning("Shutting down... Ctrl+C again to force shutdown.")
        self._stop_signal = number
        self._handover.mailbox.put(_wake_up)

    def _interrupt(self) -> None:
        """Stop as much as possible at once, record what is finished, and what was going on as stopped."""
        for _ in range(self._handover.mailbox.qsize()):
            mail = self._handover.mailbox.get()
            if isinstance(mail, Future) and find_error(mail) is None:
                self._read(mail)
        self._handover.cancel_all()
        self._fail_unfinished(SchedulerError("the execution was interrupted"))

    def _fail_unfinished(self, error: SchedulerError) -> None:
        for job in reversed(list(self._finisher.unfinished.values())):
            self._finisher.fail(job, error)


def _wake_up() -> None:
    """Do nothing, but interrupt the waiting for mail."""


class _Joining:
    """Waits for the job that makes the same call."""

    __slots__ = ("_finisher", "_job", "_twin")

    def __init__(self, finisher: Finisher, job: Job, twin: Job) -> None:
        self._finisher, self._job, self._twin = finisher, job, twin

    def finish(self, promise: Promise[Any]) -> None:
        """End the job as the other one ended."""
        self._finisher.join(self._job, self._twin)
