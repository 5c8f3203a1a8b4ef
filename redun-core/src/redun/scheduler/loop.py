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
from collections.abc import Callable
from concurrent.futures import Future
from contextvars import copy_context
from itertools import islice
from typing import TYPE_CHECKING, Any

from redun.errors import DryRunResult, SchedulerError, StoppedCallError
from redun.expression import TaskExpression
from redun.plugins.host import get_host
from redun.promise import CallbackQueue, Promise, collecting_callbacks, run_callbacks
from redun.scheduler.awaited import AwaitedExpressions
from redun.scheduler.calls import CallTable
from redun.scheduler.current import get_current_scheduler, set_current_scheduler
from redun.scheduler.dispatch import Dispatcher
from redun.scheduler.dryrun import Misses
from redun.scheduler.evaluate import Evaluator
from redun.scheduler.failure import Failures
from redun.scheduler.finish import Finisher
from redun.scheduler.garbage import collecting_rarely
from redun.scheduler.handles import HandleStates
from redun.scheduler.handover import Held, find_error
from redun.scheduler.job import Execution
from redun.scheduler.observers import JobObservers, Progress
from redun.scheduler.origin import RunningOrigin
from redun.scheduler.outside import looking_back
from redun.scheduler.record import Recorder
from redun.scheduler.replays import Replays
from redun.scheduler.rivals import Rivals
from redun.scheduler.settings import OnError, RunSettings
from redun.scheduler.signals import StopRequest, do_nothing, interruptible
from redun.scheduler.sizes import check_value, find_limit
from redun.scheduler.start import Starter
from redun.scheduler.status import StatusBoard
from redun.scheduler.timers import Timers
from redun.traceback import safe_repr
from redun.values.codec import EncodedValue
from redun.values.large import sharing_encodings
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
        self.execution = execution
        self.settings = settings
        host = get_host()
        self.board = StatusBoard(scheduler.logger)
        self.recorder = Recorder(None if settings.dryrun else scheduler.backend, execution)
        self.handles = execution.handles = HandleStates(scheduler.backend, self.recorder)
        self.calls = CallTable(scheduler.backend, settings.cache, self.handles, host.decider("redun_cache_lookup"))
        self._max_value_size = find_limit(scheduler.backend)
        self.failures = Failures(self._max_value_size)
        self.evaluator = Evaluator(scheduler, execution, self.board, self.failures.note_expression, settings.on_error)
        find, context = scheduler.observers.find, copy_context()
        observers = JobObservers(find("redun_job_start"), find("redun_job_finish"))
        self.tracked: dict[str, Promise[Any]] = {}
        self._finisher = Finisher(
            self.evaluator, self.recorder, self.board, self.failures, observers, self._max_value_size
        )
        execution.progress = Progress(self.board.counts, self._finisher.unfinished)
        self._timers = Timers()
        self._awaited = AwaitedExpressions(self.evaluator, self._post)
        choose = host.decider("redun_job_executor")
        self.starter = Starter(scheduler, self._finisher, self.board, self._timers, choose, self._awaited.evaluate)
        self._handover = self.starter.handover
        self._mailbox = self._handover.mailbox
        self._mailbox.lead = lambda future: context.run(self._lead, future)
        execution.origin = RunningOrigin(execution, self._post, self.recorder, self._finisher.unfinished)
        self._rivals = Rivals(
            self.calls, self._handover.list_jobs, self.evaluator.ready, self.board, self.recorder.publish
        )
        self.recorder.on_written = self._rivals.note_written
        self._stop = StopRequest(scheduler.logger, lambda: self._post(do_nothing))
        self._misses = Misses(scheduler.backend, scheduler.logger)
        self._dispatcher = Dispatcher(
            self.evaluator,
            self.calls,
            self._finisher,
            Replays(self.evaluator, self._finisher, self.recorder),
            self.starter,
            self._rivals,
            self.handles,
            self.board,
            self._misses if settings.dryrun else None,
        )
        self._root: Promise[Any] = Promise()
        self._callbacks = CallbackQueue(is_run=True)
        self._was_led, self._wakes_at = False, 0.0
        self._next_report = time.monotonic() + scheduler.job_status_interval

    def run(self, expression: TaskExpression[Any]) -> Any:
        """Return the value of the root expression, or raise the error that it failed with."""
        root, backend = self._root, self._scheduler.backend
        stopping = interruptible(self._stop, backend, self._hold_on, lambda: self._handover.starting)
        with stopping, self._rivals, collecting_rarely(), sharing_encodings(), collecting_callbacks(self._callbacks):
            try:
                self.evaluator.begin_call(expression, None, root)
                self.execution.job = next(iter(self.evaluator.ready), None)
                self._rivals.meet(None if self.settings.dryrun else backend.share(self.execution.shared_as))
                backend.set_pause(self._take_in)
                self._work()
                self._close(root)
            except BaseException as error:  # An interrupt, or a store that fails.
                if not isinstance(error, DryRunResult):
                    self._interrupt()
                raise
            finally:
                backend.set_pause(self._hold_on)
                self.recorder.flush()
                self.calls.forget()
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

    def _work(self) -> None:
        """Turn the loop until nothing is left to do."""
        while True:
            self._stop.obey()
            if self._advance():
                continue
            has_failed = self._root.is_rejected
            if has_failed:
                self._give_up()
            if not (self._handover or (not has_failed and (self.starter.is_retrying or self._rivals.has_parked))):
                return
            self._collect()

    def _advance(self) -> bool:
        """Do some of what there is to do without waiting; return whether there was anything."""
        evaluator = self.evaluator
        if self._callbacks:
            run_callbacks()
        elif self._root.is_rejected:
            return False
        elif evaluator.expand(MAX_READY):
            return True
        elif evaluator.ready and (room := MAX_RUNNING + len(self._awaited) - len(self._handover)) > 0:
            self._dispatcher.dispatch(min(MAX_READY, room, len(evaluator.ready)), MAX_READY)
            self.recorder.flush_if_due()
        else:
            return self.calls.answer_questions()
        return True

    def _give_up(self) -> None:
        """Start nothing more, and stop what runs if the policy says so."""
        self._awaited.give_up(StoppedCallError("stopped, because the execution failed"))
        self.evaluator.give_up()
        self.starter.give_up()
        if self.settings.on_error is OnError.STOP:
            for job in self._handover.cancel():
                self._finisher.fail(job, StoppedCallError("stopped, because the execution failed"))

    def _close(self, root: Promise[Any]) -> None:
        """Settle what a failed, idle or dry execution leaves open."""
        if root.is_fulfilled:
            return
        if root.is_pending and self._misses.by_task:
            self._scheduler.logger.info("Dryrun: Additional jobs would run.")
            self._finisher.leave()
            raise DryRunResult("additional jobs would run", self._misses.by_task)
        if root.is_pending:
            root.do_reject(SchedulerError("calls wait for each other, or a promise was never settled"))
        self._fail_unfinished(StoppedCallError(f"stopped, because the execution failed: {safe_repr(root.error)}"))

    def _collect(self) -> None:
        """Wait until there is mail, and read all of it; write records when nothing comes for a while."""
        now = time.monotonic()
        self._wakes_at = now + self._find_patience(now)
        mail = self._mailbox.wait(self._wakes_at - now)
        if mail is None and not self._was_led:
            self.recorder.flush()
            if self._is_stuck:
                self._unstick()
        self._was_led = False
        self._read_all(deque() if mail is None else deque([mail]))
        self.recorder.flush_if_due()
        if self._timers:
            self._timers.run_due(time.monotonic())
        self._rivals.look_around()
        if now >= self._next_report:
            self._next_report = now + self._scheduler.job_status_interval
            self.board.log_table()
            self.recorder.note_alive()

    def _read_all(self, mails: deque[Any]) -> None:
        """Read mail, and look together at what is outside that it tells of; what can't be read is put back."""
        mails.extend(self._mailbox.read())
        try:
            while mails:
                with looking_back(self._handover.list_ended(islice(mails, _JOURNALED_AT_ONCE))):
                    for _ in range(min(len(mails), _JOURNALED_AT_ONCE)):
                        self._read(mails.popleft())
                self.recorder.flush_if_due()
        finally:
            self._mailbox.put_back(mails)

    def _find_patience(self, now: float) -> float:
        """Return how long there is nothing to do, in seconds, unless mail comes."""
        patience = self._next_report - now if self.recorder.is_empty and not self._is_stuck else IDLE_SECONDS
        patience = min(patience, self._rivals.next_check - now)
        return min(patience, (self._timers.next_time or now) - now) if self._timers else patience

    def _lead(self, future: Future[Any]) -> None:
        """Go on with the only call that was running, as its worker, until it is time for calls or for other things."""
        if len(self._handover) != 1:
            self._mailbox.put(future)
            return
        before = get_current_scheduler(required=False)
        set_current_scheduler(self._scheduler)
        try:
            with collecting_callbacks(self._callbacks):
                self._read(future)
                while not (self._handover or self._mailbox.is_wanted) and self._advance():
                    pass
        finally:
            set_current_scheduler(before)
        self._was_led = True
        now = time.monotonic()
        is_waiting = self._handover and not (self._callbacks or self.evaluator.is_busy or self.calls.has_questions)
        if not is_waiting or now + self._find_patience(now) < self._wakes_at:
            self._mailbox.put(do_nothing)

    def _take_in(self) -> None:
        """Read what came while the store is writing, and journal it."""
        self.recorder.is_held_up = True
        try:
            for mail in self._mailbox.read():
                self._read(mail)
            self.recorder.journal()
        finally:
            self.recorder.is_held_up = False
        self._hold_on()

    def _hold_on(self) -> None:
        """End what the store is doing, if the execution should have stopped by now and nothing is lost by that."""
        if self._stop.is_overdue and self.recorder.journal_meanwhile():
            self._stop.obey()

    @property
    def _is_stuck(self) -> bool:
        """Whether nothing is left that could go on: every call that runs is a coroutine that waits for others."""
        if self.starter.is_retrying or self._rivals.has_parked or not 0 < len(self._handover) <= len(self._awaited):
            return False
        return self._awaited.holds_up(self._handover.iter_latest_first())

    def _unstick(self) -> None:
        """Fail one of the calls that wait for each other."""
        if not self.starter.fail_starved():
            self._awaited.fail_oldest(SchedulerError("coroutines wait for each other's results, and nothing else runs"))

    def _read(self, mail: Any) -> None:
        if not isinstance(mail, Future):
            mail()
            return
        held = self._handover.take(mail)
        if held is not None:
            self._complete(held, mail)

    def _complete(self, held: Held, future: Future[Any]) -> None:
        job, error = held.job, find_error(future)
        self._finisher.note_tags(job, future)
        if error is not None:
            self.starter.fail_attempt(job, held.executor, error)
            return
        self.starter.release(job)
        try:
            self._finisher.complete(job, future.result())
        except Exception as failure:  # The result can't be stored.
            self._finisher.reject(job, failure)
        self.evaluator.expand(MAX_READY)

    def _post(self, action: Callable[[], None]) -> None:
        """Have a function called on the scheduler's thread. For any thread."""
        self._mailbox.put(action)

    def _interrupt(self) -> None:
        """Stop as much as possible at once, record what is finished, and what was going on as stopped."""
        try:
            for mail in self._mailbox.read():
                if isinstance(mail, Future) and find_error(mail) is None:
                    self._read(mail)
            self._handover.cancel()
        finally:
            self._handover.cancel()  # Whatever runs has to be stopped, also when a second signal comes.
        self._fail_unfinished(StoppedCallError("the execution was interrupted"))

    def _fail_unfinished(self, error: StoppedCallError) -> None:
        for job in reversed(list(self._finisher.unfinished.values())):
            self._finisher.fail(job, error)
