"""The loop of one execution: evaluate, decide, hand over, collect, record; until the root is known.

Constant are the scheduler's backend and executors. What changes is, in the order in which one turn of the loop visits
it:

- callbacks of settled promises, and expressions to expand: both are worked off until enough jobs are ready,
- *ready* jobs: decided on in one batch with one look-up; those that run are handed to each executor in one go,
- *running* jobs: one entry per future that an executor has not settled,
- *completions*: settled futures, put there by the executors' threads; the only thing that other threads touch,
- records: written when due, or when there is nothing else to do.

Once the root has failed, nothing new is started; what runs is waited for and recorded.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

from redun.arguments import pass_by_position
from redun.errors import DryRunResult, ExecutorError, SchedulerError, TaskExitError
from redun.executors.base import Call, Executor
from redun.expression import TaskExpression
from redun.plugins.host import get_host
from redun.promise import Promise, collecting_callbacks, run_callbacks
from redun.scheduler.calls import CallTable, Join, Rejected
from redun.scheduler.dryrun import Misses
from redun.scheduler.evaluate import Evaluator
from redun.scheduler.failure import Failures
from redun.scheduler.finish import Finisher, JobObservers
from redun.scheduler.garbage import collecting_rarely
from redun.scheduler.job import Execution, Job
from redun.scheduler.rebuilder import Replay
from redun.scheduler.record import Recorder
from redun.scheduler.setup import DEFAULT_EXECUTOR
from redun.scheduler.status import StatusBoard
from redun.traceback import safe_repr
from redun.values.registry import get_type_registry

if TYPE_CHECKING:
    from redun.scheduler import Scheduler

MAX_READY = 2_000
"""How many jobs are decided on in one batch."""

MAX_RUNNING = 10_000
"""How many calls executors hold at most; beyond that, ready jobs wait."""

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
    use_cache
        Whether results of earlier executions are used.
    dryrun
        Whether calls that would run are listed instead, and nothing is recorded.
    """

    def __init__(self, scheduler: Scheduler, execution: Execution, use_cache: bool, dryrun: bool) -> None:
        self._scheduler = scheduler
        self._execution = execution
        self._dryrun = dryrun
        host = get_host()
        self.board = StatusBoard(scheduler.logger)
        self.recorder = Recorder(None if dryrun else scheduler.backend, execution)
        self.calls = CallTable(scheduler.backend, use_cache, host.decider("redun_cache_lookup"))
        self.evaluator = Evaluator(scheduler, execution, self.board)
        self.encode = get_type_registry().encode
        observers = JobObservers(host.observers("redun_job_start"), host.observers("redun_job_finish"))
        self.failures = Failures()
        self._finisher = Finisher(self.evaluator, self.recorder, self.board, self.failures, observers)
        self._choose_executor = host.decider("redun_job_executor")
        self._misses = Misses(scheduler.backend, scheduler.logger)
        self._running: dict[Future[Any], Job] = {}
        self._completions: SimpleQueue[Future[Any]] = SimpleQueue()
        self._next_report = time.monotonic() + scheduler.job_status_interval

    def run(self, expression: TaskExpression[Any]) -> Any:
        """Return the value of the root expression, or raise the error that it failed with."""
        root: Promise[Any] = Promise()
        with collecting_rarely(), collecting_callbacks() as callbacks:
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
        evaluator = self.evaluator
        while True:
            if callbacks:
                run_callbacks()
            elif root.is_rejected:
                evaluator.give_up()
                if not self._running:
                    return
                self._collect()
            elif evaluator.expand(MAX_READY):
                continue
            elif evaluator.ready and len(self._running) < MAX_RUNNING:
                self._dispatch()
            elif self.calls.answer_questions():
                continue
            elif self._running:
                self._collect()
            else:
                return

    def _close(self, root: Promise[Any]) -> None:
        """Settle what a failed, idle or dry execution leaves open."""
        if root.is_fulfilled:
            return
        if root.is_pending and self._misses.by_task:
            self._scheduler.logger.info("Dryrun: Additional jobs would run.")
            raise DryRunResult("additional jobs would run", self._misses.by_task)
        if root.is_pending:
            root.do_reject(SchedulerError("a scheduler task returned a promise that was never settled"))
        self._fail_unfinished(SchedulerError(f"stopped, because the execution failed: {safe_repr(root.error)}"))

    def _dispatch(self) -> None:
        """Decide on ready jobs as far as executors have room, and hand over those that run."""
        ready, finisher = self.evaluator.ready, self._finisher
        room = min(MAX_READY, MAX_RUNNING - len(self._running), len(ready))
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
                job.reason = decision.reason.value
                if candidate is not None:
                    self.board.log_miss(job, candidate)
                if self._dryrun:
                    self._misses.note(job, decision.reason, candidate)
                to_run.append(job)
        self._hand_over(to_run)
        self.recorder.flush_if_due()

    def _hand_over(self, jobs: Sequence[Job]) -> None:
        by_executor: dict[str, list[Job]] = {}
        for job in jobs:
            try:
                by_executor.setdefault(self._executor_name(job), []).append(job)
            except Exception as error:  # A plugin that fails to choose fails the job.
                self._finisher.begin(job)
                self._reject(job, error)
        for name, group in by_executor.items():
            for job in group:
                self.board.log_run(job, name, "Dryrun" if self._dryrun else "Run")
            if self._dryrun:
                continue
            for job in group:
                self._finisher.begin(job)
            try:
                self._submit(self._scheduler.start_executor(name), group)
            except Exception as error:  # An executor that can't take calls fails these jobs, not the loop.
                for job in group:
                    self._reject(job, error)

    def _executor_name(self, job: Job) -> str:
        chosen = self._choose_executor(job=job) if self._choose_executor is not None else None
        return chosen or job.get_option("executor") or DEFAULT_EXECUTOR

    def _submit(self, executor: Executor, jobs: Sequence[Job]) -> None:
        futures = executor.submit_many([_make_call(job) for job in jobs])
        if len(set(futures)) != len(jobs):
            raise ExecutorError(
                f"executor {executor.name!r} returned {len(set(futures))} futures for {len(jobs)} calls"
            )
        running, put = self._running, self._completions.put
        for future, job in zip(futures, jobs, strict=True):
            running[future] = job
            future.add_done_callback(put)

    def _collect(self) -> None:
        """Wait until a call is complete, and take all that are; write records when nothing comes for a while."""
        completions, recorder = self._completions, self.recorder
        now = time.monotonic()
        patience = self._next_report - now if recorder.is_empty else IDLE_SECONDS
        try:
            self._complete(completions.get(timeout=max(patience, 0)))
        except Empty:
            recorder.flush()
        for _ in range(completions.qsize()):
            self._complete(completions.get())
        recorder.flush_if_due()
        if now >= self._next_report:
            self._next_report = now + self._scheduler.job_status_interval
            self.board.log_table()
            recorder.note_alive()

    def _complete(self, future: Future[Any]) -> None:
        job = self._running.pop(future)
        error = _get_error(future)
        if error is None:
            try:
                self._finisher.complete(job, future.result())
            except Exception as failure:  # The result can't be stored.
                error = failure
        if error is not None:
            self._reject(job, error)
        self.evaluator.expand(MAX_READY)

    def _reject(self, job: Job, error: BaseException) -> None:
        """End a job that failed of itself."""
        self.failures.note(error, job)
        self.board.log_reject(job)
        self._finisher.fail(job, error)

    def _interrupt(self) -> None:
        """Stop as much as possible at once, and record what was going on as stopped."""
        for future, job in self._running.items():
            self._scheduler.start_executor(self._executor_name(job)).cancel(future)
        self._fail_unfinished(SchedulerError("the execution was interrupted"))

    def _fail_unfinished(self, error: SchedulerError) -> None:
        for job in reversed(list(self._finisher.unfinished.values())):
            self._finisher.fail(job, error)


class _Joining:
    """Waits for the job that makes the same call."""

    __slots__ = ("_finisher", "_job", "_twin")

    def __init__(self, finisher: Finisher, job: Job, twin: Job) -> None:
        self._finisher, self._job, self._twin = finisher, job, twin

    def finish(self, promise: Promise[Any]) -> None:
        """End the job as the other one ended."""
        self._finisher.join(self._job, self._twin)


def _get_error(future: Future[Any]) -> Exception | None:
    """Return how a call failed, as an ordinary exception; None if it did not."""
    if future.cancelled():
        return SchedulerError("the executor cancelled the call")
    error = future.exception()
    if error is None or isinstance(error, Exception):
        return error
    exit_error = TaskExitError(f"the task raised {safe_repr(error)}, which would end the process")
    exit_error.__cause__ = error
    return exit_error.with_traceback(error.__traceback__)


def _make_call(job: Job) -> Call:
    task, args, kwargs = job.task, job.args, job.kwargs
    if task.positional_only:
        args, kwargs = pass_by_position(task.positional_only, args, kwargs)
    return Call(
        task.fullname,
        task.func,
        args,
        kwargs,
        job.options,
        job.eval_hash,
        job.id,
        task.load_module,
        task.script,
    )
