"""From a call to its result: what lives from the first call of an execution to its end.

Calls pass through stations on different threads. The *arrayer* gathers them and waits for room in the budget;
*starters* look for what is there already, write inputs and submit; the *monitor* looks after jobs; *collectors* read
what jobs left, and settle futures or start a job anew. Only the arrayer and the monitor have threads of their own, the
others share a pool.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from redun.errors import CancelledCallError, ExecutorError, FailureKind
from redun.executors.base import Origin, settle
from redun.logging import logger
from redun_executor_batch.api import BatchApi
from redun_executor_batch.budget import Budget
from redun_executor_batch.endings import Ending, describe_failure, explain, read_ending
from redun_executor_batch.errors import BatchStartError, JobVanishedError
from redun_executor_batch.monitor import Monitor
from redun_executor_batch.options import BatchOptions, plan_delay
from redun_executor_batch.presence import SCHEDULER_TAG, Presence
from redun_executor_batch.reunion import InFlight
from redun_executor_batch.submitter import Submitter
from redun_executor_batch.ticket import BATCH_JOB_TAG, Ticket
from redun_remote.arrays import JobArrayer, group_calls
from redun_remote.jobs import StagedCall, collect, discard, has_output, locate_call
from redun_remote.worker import has_valid_output

LOG_LINES = 1000
_WORKERS = 16
_NOT_WANTED = "redun does not wait for it any more"
_RETRIED_BY_BATCH = (FailureKind.PREEMPTED,)


class Session:
    """Calls of one execution, on their way.

    Parameters
    ----------
    options
        The options of the executor.
    api
        AWS Batch.
    origin
        The execution.
    """

    def __init__(self, options: BatchOptions, api: BatchApi, origin: Origin) -> None:
        self._options = options
        self._scratch = options.s3_scratch
        self._api = api
        self._presence = Presence(self._scratch)
        self._submitter = Submitter(options, api, origin, {SCHEDULER_TAG: self._presence.id})
        self._in_flight = InFlight(api, self._scratch)
        self._budget = Budget(options.max_jobs, options.max_vcpus)
        self._pool = ThreadPoolExecutor(_WORKERS, thread_name_prefix="redun-batch")
        self._store = ThreadPoolExecutor(_WORKERS, thread_name_prefix="redun-batch-store")
        self._monitor = Monitor(api, options.job_monitor_interval, self._note_end, self._take_turn)
        self._arrayer = JobArrayer[Ticket](
            self._submit,
            self._fail_batch,
            stale_time=options.job_stale_time,
            min_array_size=options.min_array_size,
            max_array_size=min(options.max_array_size, options.max_jobs or options.max_array_size),
            group=lambda ticket: None if ticket.options.num_nodes else group_calls(ticket.call),
        )
        self._changed = threading.Condition()
        self._open: set[Ticket] = set()
        self._unwanted: list[Ticket] = []

    def add(self, tickets: Sequence[Ticket]) -> None:
        """Take calls in."""
        with self._changed:
            self._open.update(tickets)
        self._arrayer.add_many(tickets)

    def cancel(self, ticket: Ticket) -> bool:
        """Give a call up, and end its job if it has one; return whether it is certain not to finish."""
        with self._changed:
            if ticket not in self._open:
                return False
            ticket.is_wanted = False
        if self._arrayer.remove(ticket):
            ticket.future.cancel()
        elif not ticket.future.cancel():
            settle(ticket.future, error=CancelledCallError("the call was cancelled while it ran"))
        self._close_ticket(ticket)
        with self._changed:
            self._unwanted.append(ticket)
            is_first = len(self._unwanted) == 1
        if is_first:
            self._pool.submit(self._end_unwanted)
        return True

    def close(self) -> None:
        """Wait for every call that is wanted, and end the threads."""
        self._arrayer.stop()
        with self._changed:
            self._changed.wait_for(lambda: not self._open)
        self._api.close()
        self._budget.close()
        self._monitor.stop()
        self._pool.shutdown()
        self._end_unwanted()
        self._store.shutdown()
        self._presence.end()

    def _submit(self, batch: Sequence[Ticket]) -> None:
        """Hand a batch to starters, as soon as there is room for it. Called by the arrayer."""
        left = [ticket for ticket in batch if ticket.is_wanted]
        for ticket in list(left):
            try:
                self._budget.check(ticket.vcpus)
            except ExecutorError as error:
                left.remove(ticket)
                self._settle(ticket, error=error)
        while left:
            count = self._budget.take([ticket.vcpus for ticket in left])
            for ticket in left[:count]:
                ticket.has_place = True
                if not ticket.is_wanted:
                    self._give_back(ticket)
            self._pool.submit(self._guard, left[:count], self._start)
            left = [ticket for ticket in left[count:] if ticket.is_wanted]

    def _fail_batch(self, error: Exception, batch: Sequence[Ticket]) -> None:
        for ticket in batch:
            self._settle(ticket, error=error)

    def _guard(self, tickets: Sequence[Ticket], act: Callable[[Sequence[Ticket]], None]) -> None:
        """Do something for tickets, which fail if that does."""
        try:
            act(tickets)
        except Exception as error:
            self._fail_batch(error, tickets)

    def _start(self, tickets: Sequence[Ticket]) -> None:
        """Start calls that no job is made for yet."""
        wanted = [ticket for ticket in tickets if ticket.is_wanted]
        left = self._find_answers(self._reunite(wanted))
        size = self._options.min_array_size
        if size and len(left) >= max(size, 2) and not left[0].call.is_script and self._submit_array(left):
            return
        for ticket in left:
            self._guard([ticket], self._submit_one)

    def _reunite(self, tickets: Sequence[Ticket]) -> list[Ticket]:
        """Wait for the jobs in flight of calls; return the calls that have none."""
        for ticket in tickets:
            ticket.staged = locate_call(self._scratch, ticket.call)
        reusable = {ticket.staged.name: ticket for ticket in tickets if ticket.staged and ticket.call.may_reuse}
        if not reusable:
            return list(tickets)
        options = tickets[0].options
        found = self._in_flight.find(options.queue, options.job_name_prefix, list(reusable))
        if found:
            self._presence.adopt(found.values())
        for name, job_id in found.items():
            logger.info("AWS Batch: task %s has the job %s already", reusable[name].call.task_name, job_id)
            self._track([reusable[name]], [job_id])
        return [ticket for ticket in tickets if ticket.job_id is None]

    def _find_answers(self, tickets: Sequence[Ticket]) -> list[Ticket]:
        """Settle calls whose jobs ended after their scheduler was gone; return the others."""
        answered = self._store.map(self._has_answer, tickets)
        left = []
        for ticket, is_answered in zip(tickets, answered, strict=True):
            if is_answered:
                self._guard([ticket], self._collect_answer)
            else:
                left.append(ticket)
        return left

    def _has_answer(self, ticket: Ticket) -> bool:
        staged = ticket.staged
        if staged is None or not ticket.call.may_reuse:
            return False
        return has_output(staged) if ticket.call.is_script else has_valid_output(staged.files.output, logger.info)

    def _collect_answer(self, tickets: Sequence[Ticket]) -> None:
        for ticket in tickets:
            self._settle_with(ticket, True)

    def _submit_array(self, tickets: Sequence[Ticket]) -> bool:
        """Submit calls as an array; return False if one of them can't be sent, so that the others are."""
        array_id = self._submitter.submit_array(tickets)
        if array_id is None:
            return False
        logger.info("AWS Batch: %d jobs of task %s are array %s", len(tickets), tickets[0].call.task_name, array_id)
        self._track(tickets, [f"{array_id}:{index}" for index in range(len(tickets))], array_id)
        return True

    def _submit_one(self, tickets: Sequence[Ticket]) -> None:
        (ticket,) = tickets
        if not ticket.is_wanted:
            return
        job_id = self._submitter.submit_one(ticket)
        logger.info("AWS Batch: a job of task %s is %s", ticket.call.task_name, job_id)
        self._track([ticket], [job_id])

    def _track(self, tickets: Sequence[Ticket], job_ids: Sequence[str], array_id: str | None = None) -> None:
        """Look after the jobs of tickets; end those that nobody wants any more."""
        for ticket, job_id in zip(tickets, job_ids, strict=True):
            ticket.job_id = job_id
            ticket.call.origin.tag_job(ticket.call.job_id, [(BATCH_JOB_TAG, job_id)])
        self._monitor.watch(tickets, array_id)
        unwanted = [ticket for ticket in tickets if not ticket.is_wanted]
        if unwanted:
            with self._changed:
                self._unwanted += unwanted
            self._end_unwanted()

    def _end_unwanted(self) -> None:
        """End the jobs of calls that were cancelled."""
        with self._changed:
            tickets, self._unwanted = self._unwanted, []
        jobs = {ticket.job_id: ticket for ticket in tickets if ticket.job_id is not None}
        for job_id in self._monitor.choose_to_end([*jobs]):
            try:
                self._api.call("terminate_job", jobId=job_id, reason=_NOT_WANTED)
            except ExecutorError as error:
                logger.warning("AWS Batch: the job %s can't be ended: %s", job_id, error)
        for ticket in jobs.values():
            self._monitor.forget(ticket)

    def _take_turn(self) -> None:
        """Show that somebody waits for the jobs. Called by the monitor."""
        self._presence.show()

    def _note_end(self, ticket: Ticket, ending: Ending | None) -> None:
        """Collect what the job of a ticket left. Called by the monitor."""
        self._pool.submit(self._guard, [ticket], lambda tickets: self._collect(tickets[0], ending))

    def _collect(self, ticket: Ticket, ending: Ending | None) -> None:
        staged = ticket.staged
        if staged is None or not ticket.is_wanted:
            return
        if ending is None:
            self._collect_vanished(ticket, staged)
            return
        if ticket.options.num_nodes is not None:
            ending = self._find_main_node(ending)
        ticket.log_stream = ending.log_stream
        ticket.note_log()
        if ending.has_succeeded or (ending.may_have_succeeded and has_output(staged)):
            self._settle_with(ticket, True)
            return
        problem = explain(ending, ticket.call.task_name, ticket.options.image, ticket.memory, ticket.options.timeout)
        logs = self._api.read_log_tail(ending.log_stream, LOG_LINES)
        if problem is None:
            self._settle_with(ticket, False, describe_failure(ending, logs), logs)
            return
        if logs:
            problem.redun_logs = logs  # type: ignore[attr-defined]
        self._fail(ticket, problem)

    def _collect_vanished(self, ticket: Ticket, staged: StagedCall) -> None:
        """Take the output of a job that AWS Batch does not know any more, if there is one."""
        if has_output(staged._replace(call=staged.call._replace(may_reuse=True))):
            self._settle_with(ticket, True)
            return
        self._fail(
            ticket,
            JobVanishedError(
                f"AWS Batch does not know the job {ticket.job_id} of task {ticket.call.task_name} any more, and it "
                "left no output; jobs are forgotten a day after their end"
            ),
        )

    def _find_main_node(self, ending: Ending) -> Ending:
        node_id = f"{ending.job_id}#0"
        found = self._api.describe([node_id]).get(node_id)
        return (read_ending(found) if found is not None else None) or ending

    def _settle_with(self, ticket: Ticket, has_succeeded: bool, reason: str = "", logs: Sequence[str] = ()) -> None:
        """Settle a ticket with what its job left, or start the job anew."""
        assert ticket.staged is not None
        try:
            result = collect(ticket.staged, has_succeeded, reason, logs)
        except BaseException as error:  # A task that exits fails its own call only.
            self._fail(ticket, error)
        else:
            self._settle(ticket, result)

    def _fail(self, ticket: Ticket, error: BaseException) -> None:
        """Let a call fail, unless it is to be tried again."""
        kind = error.kind if isinstance(error, ExecutorError) else FailureKind.USER
        if not ticket.is_wanted or not self._may_try_again(ticket, error, kind):
            self._settle(ticket, error=error)
            return
        logger.warning("AWS Batch: task %s is tried again: %s", ticket.call.task_name, error)
        if ticket.staged is not None:
            discard(ticket.staged)
        ticket.job_id = ticket.log_stream = None
        delay = plan_delay(ticket.call, ticket.failures[kind.value])
        timer = threading.Timer(delay, self._pool.submit, [self._guard, [ticket], self._submit_one])
        timer.daemon = True
        timer.start()

    def _may_try_again(self, ticket: Ticket, error: BaseException, kind: FailureKind) -> bool:
        """Whether a call gets another job, with more memory if that was what it lacked; the failure is counted."""
        if kind is FailureKind.OUT_OF_MEMORY and ticket.step + 1 < len(ticket.options.memory):
            ticket.step += 1
            return True
        if kind in _RETRIED_BY_BATCH or isinstance(error, BatchStartError) or _is_denied(error):
            return False
        ticket.failures[kind.value] += 1
        return ticket.failures[kind.value] <= ticket.retries.get(kind.value, 0)

    def _settle(self, ticket: Ticket, result: Any = None, error: BaseException | None = None) -> None:
        settle(ticket.future, result, error)
        if ticket.staged is not None:
            discard(ticket.staged)
        self._close_ticket(ticket)

    def _close_ticket(self, ticket: Ticket) -> None:
        self._give_back(ticket)
        with self._changed:
            self._open.discard(ticket)
            self._changed.notify_all()

    def _give_back(self, ticket: Ticket) -> None:
        with self._changed:
            had_place, ticket.has_place = ticket.has_place, False
        if had_place:
            self._budget.give_back(ticket.vcpus)


def _is_denied(error: BaseException) -> bool:
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, PermissionError):
            return True
        seen = seen.__cause__
    return False
