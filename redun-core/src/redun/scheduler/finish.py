"""Ending jobs: from what a task returned to a recorded call and a known result.

A job whose call is complete either is resolved at once, when the result is plain, or waits for the expressions in it.
Every job ends exactly once, as done, cached or failed; then its call node is addressed and recorded, and its promise
settled.
"""

from __future__ import annotations

import pickle
import sys
import time
from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from typing import Any

from redun.arguments import add_defaults
from redun.backends.base import CallRecord, StoredCall
from redun.context import EMPTY_CONTEXT
from redun.expression import Expression
from redun.hashing import hash_call_node
from redun.logging import logger
from redun.options import CacheCheckValid, check_tags
from redun.promise import Promise, wait_promises
from redun.scheduler.calls import was_stopped
from redun.scheduler.drift import drifted_task
from redun.scheduler.evaluate import Evaluator, find_expressions, find_upstream_calls
from redun.scheduler.failure import ErrorValue, Failures
from redun.scheduler.group import find_problem
from redun.scheduler.job import Job, JobStatus, Outcome
from redun.scheduler.observers import JobObservers
from redun.scheduler.rebuilder import Candidate
from redun.scheduler.record import Recorder
from redun.scheduler.scope import Scope
from redun.scheduler.sizes import check_result
from redun.scheduler.status import StatusBoard
from redun.values.base import plain_names
from redun.values.codec import EncodedValue
from redun.values.external import find_changed, watch_results
from redun.values.nested import find_leaves
from redun.values.registry import get_type_registry

_SINGLE = (int, float, bool, type(None))
_MAX_COPY = 65_536

_NO_UPSTREAM: Mapping[int | str, Sequence[str]] = {}


class Finisher:
    """Ends the jobs of one execution.

    Parameters
    ----------
    evaluator
        Reduces results that hold expressions.
    recorder
        Writes down what happened.
    board
        Shows it.
    failures
        Remembers where errors come from.
    observers
        The plugins that watch jobs.
    max_value_size
        How many bytes a result may have.

    Attributes
    ----------
    unfinished : dict of str to Job
        The jobs that have begun and not ended, by id, in the order they began.
    """

    def __init__(
        self,
        evaluator: Evaluator,
        recorder: Recorder,
        board: StatusBoard,
        failures: Failures,
        observers: JobObservers,
        max_value_size: int = sys.maxsize,
    ) -> None:
        self._evaluator = evaluator
        self._recorder = recorder
        self._board = board
        self._failures = failures
        self._observers = observers
        self._max_value_size = max_value_size
        self._encode = get_type_registry().encode
        self._subtrees: dict[frozenset[str], frozenset[str]] = {}
        self._singletons: dict[str, frozenset[str]] = {}
        self.unfinished: dict[str, Job] = {}

    def begin(self, job: Job) -> None:
        """Let a job run."""
        self._board.move(job, JobStatus.RUNNING)
        self.unfinished[job.id] = job
        self._start(job)
        if job.has_provenance:
            self._recorder.note_job(job)

    def journal(self) -> None:
        """Make what was noted so far safe against the end of this process, if the store has a journal."""
        self._recorder.journal()

    def complete(self, job: Job, returned: Any) -> None:
        """Go on with what a job's task returned: cache it, then reduce it.

        Plain data is passed on as the cache will give it, a copy: objects that several results share, such as constants
        of a module, would make the pickles of what holds these results depend on whether they came from the cache.

        Raises
        ------
        Exception
            When the value can't be stored, also because it is too large.
        """
        assert job.encoded is not None
        result, leaves = returned, find_leaves(returned)
        others = [leaf for leaf in leaves if not isinstance(leaf, Expression)] if leaves else leaves
        if others:
            result = get_type_registry().postprocess(returned, {"pre_call_hash": job.eval_hash})
        if others or job.watched:
            self._look_for_drift(job, others)
        encoded = self._encode(result)
        check_result(job, encoded, self._max_value_size)
        if job.execution.handles is not None:
            job.execution.handles.note_result(job, others)
        if (
            not leaves
            and type(result) not in _SINGLE
            and len(encoded.data) <= _MAX_COPY
            and encoded.type_name in plain_names
        ):
            result = pickle.loads(encoded.data)
        if job.has_provenance and not job.has_drifted:
            self._recorder.add_evaluation(job.task, job.eval_hash, job.encoded.args_hash, encoded)
        if leaves and find_expressions(result):
            self._reduce(job, result, JobStatus.DONE)
        else:
            self._end_call(job, JobStatus.DONE, result, None, encoded)

    def _look_for_drift(self, job: Job, leaves: Sequence[Any]) -> None:
        """Note of a job whose arguments or results have changed outside that its result answers no later call."""
        changed = find_changed([*job.watched, *watch_results(leaves)])
        if changed:
            job.has_drifted = True
            self._board.log_drift(job, changed)

    def replay(self, job: Job, candidate: Candidate) -> None:
        """Go on with a recorded result in place of a run; a final result is not reduced again."""
        call = candidate.call
        if candidate.is_error and call is not None:
            self._replay_error(job, candidate.value, call)
            return
        if call is None and candidate.leaves and find_expressions(candidate.value):
            self.begin(job)
            self._reduce(job, candidate.value, JobStatus.CACHED)
            return
        if self._observers.on_start is not None:
            self._start(job)
        if call is None:
            self._end_call(job, JobStatus.CACHED, candidate.value, None, candidate.stored)
        else:
            outcome = Outcome(candidate.value, None, call.call_hash, call.subtree)
            self._end(job, JobStatus.CACHED, outcome, time.time())

    def end_recorded(self, job: Job, value: Any, call_hash: str) -> None:
        """End a job with the result of a recorded call that no other calls are below."""
        if self._observers.on_start is not None:
            self._start(job)
        outcome = Outcome(value, None, call_hash, self._join_subtrees(job.task.hash, ()))
        self._end(job, JobStatus.CACHED, outcome, time.time())

    def _replay_error(self, job: Job, recorded: ErrorValue, call: StoredCall) -> None:
        self._start(job)
        self._failures.note(recorded.error, job)
        self._end(job, JobStatus.FAILED, Outcome(None, recorded.error, call.call_hash, call.subtree), time.time())

    def join(self, job: Job, twin: Job) -> None:
        """End a job with what another job of the same call came to."""
        outcome = twin.outcome
        assert outcome is not None
        if outcome.error is None:
            self._board.log_cached(job, outcome.call_hash)
        self._start(job)
        self._end(job, JobStatus.CACHED if outcome.error is None else JobStatus.FAILED, outcome, job.start_time)

    def note_tags(self, job: Job, future: Future[Any]) -> None:
        """Note the tags that a call's executor left with its future."""
        tags = getattr(future, "redun_tags", None)
        if tags and job.has_provenance:
            try:
                self._recorder.add_tags("Job", job.id, check_tags(tags))
            except ValueError as error:  # The call is finished, whatever its executor has to say about it.
                logger.warning("Job %s:  the tags of its executor are not recorded: %s", job.id[:8], error)

    def reject(self, job: Job, error: BaseException) -> None:
        """End a job that failed of itself."""
        self._failures.note(error, job)
        self._board.log_reject(job)
        self.fail(job, error)

    def fail(self, job: Job, error: BaseException) -> None:
        """End a job with an error, its own or one from below."""
        if job.encoded is None:
            self._end(job, JobStatus.FAILED, Outcome(None, error, "", frozenset()), time.time())
            return
        self._end_call(job, JobStatus.FAILED, None, error, self._failures.encode(error, job))

    def leave(self) -> None:
        """End the jobs that a dry run leaves open: they are answered from the cache, but calls below would run."""
        for job in reversed(list(self.unfinished.values())):
            self._end(job, JobStatus.CACHED, Outcome(None, None, "", frozenset()), time.time())

    def give_up(self, job: Job, error: BaseException) -> None:
        """End a job with an error that is not its own; one that has not begun leaves no record."""
        if job.id in self.unfinished:
            self.fail(job, error)
        else:
            self._evaluator.abandon(job, error)

    def _start(self, job: Job) -> None:
        job.start_time = time.time()
        if self._observers.on_start is not None:
            self._observers.on_start(job=job)

    def _reduce(self, job: Job, result: Any, status: JobStatus) -> None:
        self._evaluator.evaluate(result, job).watch(_Reduction(self, job, status).finish)

    def resolve(self, job: Job, value: Any, status: JobStatus) -> None:
        """End a job with its reduced result, once the calls below it have ended that the result does not need."""
        open_calls = [child.promise for child in job.scope.children if child.outcome is None] if job.scope else ()
        if open_calls:
            wait_promises(open_calls).watch(lambda _: self.resolve(job, value, status))
            return
        try:
            if job.watched and job.options.get("check_valid") is CacheCheckValid.SHALLOW:
                self._look_for_drift(job, ())  # Calls below may have read what only this one is known to depend on.
            encoded = self._encode(value)
            check_result(job, encoded, self._max_value_size)
        except Exception as error:
            self.fail(job, error)
        else:
            self._end_call(job, status, value, None, encoded)

    def _end_call(
        self, job: Job, status: JobStatus, value: Any, error: BaseException | None, result: EncodedValue
    ) -> None:
        """Address and record the call that a job came to, then end the job."""
        task, arguments = job.task, job.encoded
        assert arguments is not None
        children: Sequence[Outcome] = ()
        child_hashes: Sequence[str] = ()
        if job.scope is not None:
            children = _list_child_calls(job.scope)
            child_hashes = [child.call_hash for child in children]
        call_hash = hash_call_node(task.hash, arguments.args_hash, result.value_hash, child_hashes)
        subtree = self._join_subtrees(task.hash, children)
        if job.has_drifted:
            subtree |= {drifted_task.hash}
        now = time.time()
        if job.has_provenance:
            if job.has_drifted:
                self._recorder.note_task(drifted_task)
            upstream = _NO_UPSTREAM if job.has_own_arguments else _find_upstream(job)
            context = job.context.encode() if job.context.values else None
            edges = [child.call_hash for child in children if child.has_provenance] if children else ()
            call = CallRecord(
                call_hash, task.fullname, task.hash, result, arguments, upstream, edges, subtree, now, context
            )
            self._recorder.add_call(call)
            if call_hash in job.told_apart:
                self._recorder.add_call(call._replace(context=EMPTY_CONTEXT.encode()))
        self._end(job, status, Outcome(value, error, call_hash, subtree, job.has_provenance), now)

    def _end(self, job: Job, status: JobStatus, outcome: Outcome, now: float) -> None:
        self._board.move(job, status)
        self.unfinished.pop(job.id, None)
        job.start_time = job.start_time or now
        job.end_time = now
        job.end(outcome)
        if job.has_provenance:
            self._recorder.note_job(job)
            if job.options:
                self._recorder.add_tags("Job", job.id, check_tags(job.options.get("tags")))
        else:
            self._recorder.note_hidden_task(job.task)
        if self._observers.on_finish is not None:
            self._observers.on_finish(job=job)

    def _join_subtrees(self, task_hash: str, children: Sequence[Outcome]) -> frozenset[str]:
        """Return the hashes of a task and of all tasks below it; equal sets are one object."""
        if not children:
            alone = self._singletons.get(task_hash)
            if alone is None:
                alone = self._singletons[task_hash] = frozenset((task_hash,))
            return alone
        distinct = {id(child.subtree): child.subtree for child in children}
        joined = frozenset((task_hash,)).union(*distinct.values())
        return self._subtrees.setdefault(joined, joined)


class Joining:
    """Waits for the job that makes the same call."""

    __slots__ = ("_finisher", "_job", "_ready", "_twin")

    def __init__(self, finisher: Finisher, ready: deque[Job], job: Job, twin: Job) -> None:
        self._finisher, self._ready = finisher, ready
        self._job, self._twin = job, twin

    def finish(self, promise: Promise[Any]) -> None:
        """End the job as the other one ended; if that was stopped with its group, decide on the job again."""
        if self._twin.group is not None and was_stopped(self._twin) and find_problem(self._job) is None:
            self._ready.append(self._job)
        else:
            self._finisher.join(self._job, self._twin)


class _Reduction:
    """Waits for the reduced result of a job."""

    __slots__ = ("_finisher", "_job", "_status")

    def __init__(self, finisher: Finisher, job: Job, status: JobStatus) -> None:
        self._finisher, self._job, self._status = finisher, job, status

    def finish(self, promise: Promise[Any]) -> None:
        """End the job with the result, or with the error that came instead."""
        if promise.is_rejected:
            self._finisher.fail(self._job, promise.error)
        else:
            self._finisher.resolve(self._job, promise.value, self._status)


def _list_child_calls(scope: Scope) -> Sequence[Outcome]:
    outcomes = [child.outcome for child in scope.children]
    return [outcome for outcome in outcomes if outcome is not None and outcome.call_hash]


def _find_upstream(job: Job) -> Mapping[int | str, Sequence[str]]:
    """Return the calls that a job's arguments came from, by position and name."""
    expression, parent = job.expr, job.parent_job
    if parent is None:
        return _NO_UPSTREAM
    raw: dict[int | str, Any] = dict(enumerate(expression.args))
    if expression.kwargs or job.task.defaults:
        raw.update(add_defaults(job.task.defaults, expression.args, expression.kwargs))
    return {place: calls for place, value in raw.items() if (calls := find_upstream_calls(value, parent))}
