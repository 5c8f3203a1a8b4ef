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
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from queue import Empty
from signal import SIGINT
from typing import TYPE_CHECKING, Any

from redun.errors import DryRunResult, SchedulerError, StoppedCallError
from redun.expression import TaskExpression
from redun.plugins.host import get_host
from redun.promise import Promise, collecting_callbacks, run_callbacks, wait_promises
from redun.scheduler.awaited import AwaitedExpressions
from redun.scheduler.calls import CallTable, Join, Rejected
from redun.scheduler.dryrun import Misses
from redun.scheduler.evaluate import Evaluator
from redun.scheduler.failure import Failures
from redun.scheduler.finish import Finisher, JobObservers, Joining
from redun.scheduler.garbage import collecting_rarely
from redun.scheduler.group import CallGroup, note_need
from redun.scheduler.handover import Held, find_error
from redun.scheduler.job import Execution, Job, JobEnv
from redun.scheduler.rebuilder import Replay
from redun.scheduler.record import Recorder
from redun.scheduler.rivals import Rivals
from redun.scheduler.settings import OnError, RunSettings
from redun.scheduler.signals import stopping_on_signals
from redun.scheduler.sizes import check_value, find_limit
from redun.scheduler.start import Starter
from redun.scheduler.status import StatusBoard
from redun.scheduler.timers import Timers
from redun.traceback import safe_repr
from redun.values.codec import EncodedValue
from redun.values.registry import get_type_registry

if TYPE_CHECKING:
    from redun.scheduler import Scheduler

MAX_READY = 2_000
"""How many jobs are decided on in one batch."""

MAX_RUNNING = 10_000
"""How many calls executors hold at most, not counting those that wait for others; beyond that, ready jobs wait."""

_JOURNALED_AT_ONCE = 200

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
        observers = JobObservers(host.observers("redun_job_start"), host.observers("redun_job_finish"))
        self._max_value_size = find_limit(scheduler.backend)
        self.failures = Failures(self._max_value_size)
        self.tracked: dict[str, Promise[Any]] = {}
        self._finisher = Finisher(
            self.evaluator, self.recorder, self.board, self.failures, observers, self._max_value_size
        )
        self._timers = Timers()
        self._awaited = AwaitedExpressions(self.evaluator, self._post)
        choose_executor = host.decider("redun_job_executor")
        self._starter = Starter(
            scheduler, self._finisher, self.board, self._timers, choose_executor, self._awaited.evaluate
        )
        self._handover = self._starter.handover
        self._rivals = Rivals(
            self.calls, self._handover.list_jobs, self.evaluator.ready, self.board, self.recorder.publish
        )
        self.recorder.on_written = self._rivals.note_written
        self._stop_signal: int | None = None
        self._misses = Misses(scheduler.backend, scheduler.logger)
        self._next_report = time.monotonic() + scheduler.job_status_interval

    def run(self, expression: TaskExpression[Any]) -> Any:
        """Return the value of the root expression, or raise the error that it failed with."""
        root: Promise[Any] = Promise()
        stopping = stopping_on_signals(self._note_signal)
        with self._rivals, collecting_rarely(), collecting_callbacks() as callbacks, stopping:
            try:
                self.evaluator.begin_call(expression, None, root)
                self._execution.job = next(iter(self.evaluator.ready), None)
                self._rivals.meet(None if self._settings.dryrun else self._scheduler.backend.share(self._execution.id))
                self._scheduler.backend.set_pause(self._take_in)
                self._work(root, callbacks)
                self._close(root)
            except BaseException as error:  # An interrupt, or a store that fails.
                if not isinstance(error, DryRunResult):
                    self._interrupt()
                raise
            finally:
                self._scheduler.backend.set_pause(_do_nothing)
                self.recorder.flush()
        if root.is_rejected:
            raise root.error
        return root.value

    def encode(self, value: Any) -> EncodedValue:
        """Return a value that a scheduler task records, encoded.

        Raises
        ------
        InvalidValueError
            When it can't be stored.
        """
        encoded = get_type_registry().encode(value)
        check_value(encoded, self._max_value_size)
        return encoded

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
            elif handover or self._starter.is_retrying or self._rivals.has_parked:
                self._collect()
            else:
                return

    def evaluate_together(
        self, exprs: Sequence[Any], parent_job: Job | JobEnv, stops: bool
    ) -> tuple[Sequence[Promise[Any]], Promise[Any]]:
        """Return the promises of expressions of which none goes on when one fails, and one of the end of it all."""
        group = CallGroup(parent_job.group, partial(self._end_group, stops))
        job = parent_job.job if isinstance(parent_job, JobEnv) else parent_job
        env = JobEnv(job, parent_job.context, parent_job.replays_errors, group)
        promises = self.evaluator.evaluate_each(exprs, env)
        for promise in promises:
            promise.watch(group.note)
        return promises, wait_promises(promises).then(lambda _: group.ended)

    def _end_group(self, stops: bool, group: CallGroup) -> list[Promise[Any]]:
        """Start nothing more of a group of calls, stop what runs if that is wanted, and return what goes on."""
        self.evaluator.check_ready()
        self._starter.drop_stopped()
        if stops:
            self._starter.stop_group(group)
        return [job.promise for job in self._handover.iter_latest_first() if group.has(job)]

    def _give_up(self) -> None:
        """Start nothing more, and stop what runs if the policy says so."""
        self._awaited.give_up(StoppedCallError("stopped, because the execution failed"))
        self.evaluator.give_up()
        self._starter.give_up()
        if self._settings.on_error is OnError.STOP:
            for job in self._handover.cancel():
                self._finisher.fail(job, StoppedCallError("stopped, because the execution failed"))

    def _close(self, root: Promise[Any]) -> None:
        """Settle what a failed, idle or dry execution leaves open."""
        if root.is_fulfilled:
            return
        if root.is_pending and self._misses.by_task:
            self._scheduler.logger.info("Dryrun: Additional jobs would run.")
            raise DryRunResult("additional jobs would run", self._misses.by_task)
        if root.is_pending:
            root.do_reject(SchedulerError("calls wait for each other, or a promise was never settled"))
        self._fail_unfinished(StoppedCallError(f"stopped, because the execution failed: {safe_repr(root.error)}"))

    def _dispatch(self) -> None:
        """Decide on ready jobs as far as executors have room, and hand over those that run."""
        ready, finisher = self.evaluator.ready, self._finisher
        room = min(MAX_READY, MAX_RUNNING + len(self._awaited) - len(self._handover), len(ready))
        to_run: list[Job] = []
        for job, decision, candidate in self.calls.decide_all([ready.popleft() for _ in range(room)]):
            if isinstance(decision, Replay):
                if self.board.is_shown:
                    call = decision.candidate.call
                    self.board.log_cached(job, call.call_hash if call is not None else None)
                finisher.replay(job, decision.candidate)
                self.evaluator.expand(MAX_READY)
            elif isinstance(decision, Join):
                if decision.twin.group is not None:
                    note_need(job, decision.twin)
                decision.twin.promise.watch(Joining(finisher, ready, job, decision.twin).finish)
            elif isinstance(decision, Rejected):
                job.reason = "the call can't be made"
                finisher.begin(job)
                finisher.reject(job, decision.error)
            else:
                job.reason = decision.reason.value
                if candidate is not None:
                    self.board.log_miss(job, candidate)
                if self._settings.dryrun:
                    self._misses.note(job, decision.reason, candidate)
                to_run.append(job)
        self._hand_over(to_run)
        self.recorder.flush_if_due()

    def _hand_over(self, jobs: Sequence[Job]) -> None:
        """Start calls, unless another execution is making them; in a dry run, only say so."""
        if not self._settings.dryrun:
            self._rivals.look_around()
            self._starter.start(self._rivals.keep_own(jobs))
            return
        for name, group in self._starter.list_executors(jobs).items():
            for job in group:
                self.board.log_run(job, name, "Dryrun")

    def _collect(self) -> None:
        """Wait until there is mail, and read all of it; write records when nothing comes for a while."""
        mailbox, recorder = self._handover.mailbox, self.recorder
        now = time.monotonic()
        patience = self._next_report - now if recorder.is_empty and not self._is_stuck else IDLE_SECONDS
        patience = min(patience, self._rivals.next_check - now)
        if self._timers:
            patience = min(patience, (self._timers.next_time or now) - now)
        try:
            self._read(mailbox.get(timeout=max(patience, 0)))
        except Empty:
            recorder.flush()
            if self._is_stuck:
                self._unstick()
        for count in range(1, mailbox.qsize() + 1):
            with suppress(Empty):  # Flushing may have emptied it.
                self._read(mailbox.get_nowait())
            if not count % _JOURNALED_AT_ONCE:
                recorder.flush_if_due()
        recorder.flush_if_due()
        if self._timers:
            self._timers.run_due(time.monotonic())
        self._rivals.look_around()
        if now >= self._next_report:
            self._next_report = now + self._scheduler.job_status_interval
            self.board.log_table()
            recorder.note_alive()

    def _take_in(self) -> None:
        """Read what came while the store is writing, and journal it."""
        for _ in range(self._handover.mailbox.qsize()):
            self._read(self._handover.mailbox.get())
        self.recorder.journal()

    @property
    def _is_stuck(self) -> bool:
        """Whether nothing is left that could go on: every call that runs is a coroutine that waits for others."""
        if self._starter.is_retrying or self._rivals.has_parked or not 0 < len(self._handover) <= len(self._awaited):
            return False
        return all(
            self._awaited.is_awaited_by(job) and not job.options.get("timeout")
            for job in self._handover.iter_latest_first()
        )

    def _unstick(self) -> None:
        """Fail one of the calls that wait for each other."""
        if not self._starter.fail_starved():
            self._awaited.fail_oldest(SchedulerError("coroutines wait for each other's results, and nothing else runs"))

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
            self._starter.fail_attempt(job, held.executor, error)
            return
        self._starter.release(job)
        try:
            self._finisher.complete(job, future.result())
        except Exception as failure:  # The result can't be stored.
            self._finisher.reject(job, failure)
        self.evaluator.expand(MAX_READY)

    def _note_signal(self, number: int) -> None:
        """Ask the loop to stop at its next turn. Called in a signal handler."""
        self._scheduler.logger.warning("Shutting down... Ctrl+C again to force shutdown.")
        self._stop_signal = number
        self._post(_do_nothing)

    def _post(self, action: Callable[[], None]) -> None:
        """Have a function called on the scheduler's thread. For any thread."""
        self._handover.mailbox.put(action)

    def _interrupt(self) -> None:
        """Stop as much as possible at once, record what is finished, and what was going on as stopped."""
        for _ in range(self._handover.mailbox.qsize()):
            mail = self._handover.mailbox.get()
            if isinstance(mail, Future) and find_error(mail) is None:
                self._read(mail)
        self._handover.cancel()
        self._fail_unfinished(StoppedCallError("the execution was interrupted"))

    def _fail_unfinished(self, error: StoppedCallError) -> None:
        for job in reversed(list(self._finisher.unfinished.values())):
            self._finisher.fail(job, error)


def _do_nothing() -> None:
    """Do nothing; as mail, interrupt the waiting for mail."""
