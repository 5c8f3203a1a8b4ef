"""Deciding on calls whose arguments are known: answered by this execution, answered by the store, or run.

The frontier is worked off in batches: one look-up in the store answers for all of its calls. Each call is made once per
execution, so a later one with the same key joins the first, whether that is still running or done.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from redun.backends.base import Backend, StoredCall
from redun.errors import FailureKind, InvalidValueError, SchedulerError, StoppedCallError
from redun.options import CacheResult
from redun.promise import Promise
from redun.registry import get_task_registry
from redun.scheduler.failure import ErrorValue
from redun.scheduler.handles import HandleStates
from redun.scheduler.job import Job, list_ancestors
from redun.scheduler.outside import looking_ahead
from redun.scheduler.rebuilder import (
    NO_CACHE,
    Candidate,
    Mode,
    Reason,
    Run,
    choose_final_result,
    choose_mode,
    decide,
)
from redun.scheduler.retry import find_kind
from redun.scheduler.seen import SeenTasks
from redun.scheduler.sizes import check_arguments, find_limit
from redun.values.codec import EncodedValue
from redun.values.registry import get_type_registry


class Join(NamedTuple):
    """The call was made in this execution already, by another job."""

    twin: Job


class Rejected(NamedTuple):
    """The call can't be made, because its arguments can't be stored or are too large, or a plugin fails to decide."""

    error: Exception


Decision = Run | Candidate | Join | Rejected

_ERROR = ErrorValue.type_name
_decode_and_check = get_type_registry().decode_and_check


class CallTable:
    """The calls of one execution by their key, and the questions put to the store on their behalf.

    Parameters
    ----------
    backend
        The store.
    use_cache
        Whether results of earlier executions are used.
    handles
        Knows which states of handles are valid.
    may_look_up
        What plugins say about looking a job up in the store; None if no plugin has a say.
    """

    def __init__(
        self,
        backend: Backend,
        use_cache: bool,
        handles: HandleStates,
        may_look_up: Callable[..., bool | None] | None = None,
    ) -> None:
        self._backend = backend
        self._handles = handles
        self._use_cache = use_cache
        self._may_look_up = may_look_up
        self._default_mode = choose_mode({}, use_cache)
        self._seen_tasks = SeenTasks(backend)
        self._calls: dict[str, Job] = {}
        self._max_value_size = find_limit(backend)
        self._questions: list[tuple[str, Promise[Candidate | None]]] = []

    def decide_all(self, jobs: Sequence[Job]) -> list[tuple[Job, Decision, Candidate | None]]:
        """Return what to do with each of some jobs, in their order, and what the store had for it."""
        calls, handles, choose, limit = self._calls, self._handles, self._choose_mode, self._max_value_size
        verdicts: list[Mode | Join | Rejected] = []
        for job in jobs:
            try:
                eval_hash = job.prepare() if job.encoded is None else job.eval_hash  # It may be decided on again.
                check_arguments(job, limit)
                mode = choose(job)
            except Exception as error:
                verdicts.append(Rejected(error))
                continue
            if job.context.values:
                eval_hash += job.context.hash
            twin = calls.setdefault(eval_hash, job) if mode.this_execution else job
            if twin is not job and was_stopped(twin):
                twin = calls[eval_hash] = job
            if twin is job:
                verdicts.append(mode)
            elif twin.outcome is None and twin in list_ancestors(job):
                verdicts.append(Rejected(SchedulerError(f"task {job.task.fullname} needs the result of its own call")))
            else:
                verdicts.append(Join(twin))
        final, single = self._look_up(jobs, verdicts)
        read = (
            _find_candidate(job, verdict, final, single) if isinstance(verdict, Mode) else None
            for job, verdict in zip(jobs, verdicts, strict=True)
        )
        with looking_ahead([*single.values(), *(call.result for call in final.values())]):
            candidates = handles.check_candidates(jobs, read)
        decisions: list[tuple[Job, Decision, Candidate | None]] = []
        for job, verdict, candidate in zip(jobs, verdicts, candidates, strict=True):
            decision = decide(verdict, candidate, job.replays_errors) if isinstance(verdict, Mode) else verdict
            if isinstance(decision, Candidate) and not decision.is_error:
                handles.note_replay(job, decision.leaves)
            decisions.append((job, decision, candidate))
        return decisions

    def _choose_mode(self, job: Job) -> Mode:
        if not job.has_provenance:
            return NO_CACHE
        if not (job.options or self._may_look_up or job.task.is_coroutine):
            return self._default_mode
        use_cache = self._use_cache
        if self._may_look_up is not None and self._may_look_up(job=job) is False:
            use_cache = False
        mode = choose_mode(job.options, use_cache)
        return mode._replace(single_reduction=False) if job.task.is_coroutine else mode

    def forget(self) -> None:
        """Let go of all calls, once none is to be decided on any more: collecting a million jobs takes a while."""
        self._calls.clear()

    def is_shared(self, job: Job) -> bool:
        """Whether a result that another execution records can answer a call."""
        return self._choose_mode(job).single_reduction

    def notice_recorded(self, jobs: Sequence[Job]) -> list[Job]:
        """Look again for results of some calls of which none was found; return those of which there is one now."""
        asked = [job for job in jobs if job.reason == Reason.NOT_FOUND.value]
        found = self._backend.lookup([job.eval_hash for job in asked]) if asked else {}
        recorded = [job for job in asked if job.eval_hash in found]
        for job in recorded:
            self._seen_tasks.add(job.task.hash)
        return recorded

    def ask(self, eval_hash: str) -> Promise[Candidate | None]:
        """Return the promise of the recorded single reduction under a key, for scheduler tasks that cache."""
        promise: Promise[Candidate | None] = Promise()
        self._questions.append((eval_hash, promise))
        return promise

    @property
    def has_questions(self) -> bool:
        """Whether anything was asked that has not been answered."""
        return bool(self._questions)

    def answer_questions(self) -> bool:
        """Answer everything that was asked with one look-up; return whether there was anything."""
        questions, self._questions = self._questions, []
        if not questions:
            return False
        stored = self._backend.lookup([key for key, _ in questions]) if self._use_cache else {}
        for key, promise in questions:
            value = stored.get(key)
            promise.do_resolve(None if value is None else _read(CacheResult.SINGLE, value))
        return True

    def _look_up(
        self, jobs: Sequence[Job], verdicts: Sequence[Mode | object]
    ) -> tuple[Mapping[str, StoredCall], Mapping[str, EncodedValue]]:
        """Return recorded final results by job id, and single reductions by key, of calls whose modes allow them."""
        asked: list[Job] = []
        wanted: list[Job] = []
        failed: list[Job] = []
        for job, mode in zip(jobs, verdicts, strict=True):
            if isinstance(mode, Mode):
                if mode.final_result:
                    wanted.append(job)
                if mode.single_reduction:
                    asked.append(job)
                    if job.replays_errors:
                        failed.append(job)
        final = self._look_up_final(wanted)
        if final:
            asked = [job for job in asked if job.id not in final]
        keys = [job.eval_hash for job in self._seen_tasks.keep_seen(asked)]
        single = self._backend.lookup(keys) if keys else {}
        if failed:
            errors = self._look_up_final([job for job in failed if job.eval_hash not in single])
            final = {**final, **errors}
        return final, single

    def _look_up_final(self, jobs: Sequence[Job]) -> Mapping[str, StoredCall]:
        """Return recorded calls whose tasks are all as they were, by the ids of the jobs that they can answer."""
        if not jobs:
            return {}
        keys = {job.id: (job.task.hash, _args_hash(job)) for job in jobs}
        recorded = self._backend.lookup_calls(set(keys.values()))
        current = get_task_registry().task_hashes
        contexts = {job.id: job.context.hash for job in jobs}
        chosen = {
            job_id: choose_final_result(recorded.get(key, ()), current, contexts[job_id])
            for job_id, key in keys.items()
        }
        for job in jobs:
            if chosen[job.id] is None and (others := recorded.get(keys[job.id])):
                has_context = bool(contexts[job.id])
                job.told_apart = [call.call_hash for call in others if bool(call.contexts) is not has_context]
        return {job_id: call for job_id, call in chosen.items() if call is not None}


def was_stopped(job: Job) -> bool:
    """Whether a job has ended without having come to anything."""
    return job.outcome is not None and isinstance(job.outcome.error, StoppedCallError)


def _args_hash(job: Job) -> str:
    assert job.encoded is not None
    return job.encoded.args_hash


def _find_candidate(
    job: Job, mode: Mode, final: Mapping[str, StoredCall], single: Mapping[str, EncodedValue]
) -> Candidate | None:
    call = final.get(job.id) if final else None
    if call is not None and (mode.final_result or call.result.type_name == ErrorValue.type_name):
        candidate = _read(CacheResult.ULTIMATE, call.result, call)
        return None if _is_of_stopped(candidate) else candidate
    stored = single.get(job.eval_hash) if single and mode.single_reduction else None
    return None if stored is None else _read(CacheResult.SINGLE, stored)


def _is_of_stopped(candidate: Candidate) -> bool:
    """Whether a recorded call did not fail of itself, so that what it came to is no answer."""
    error = candidate.value
    return isinstance(error, ErrorValue) and find_kind(error.error) is FailureKind.CANCELLED


def _read(kind: CacheResult, stored: EncodedValue, call: StoredCall | None = None) -> Candidate:
    """Read a recorded result and check whether it still is valid; what can't be read is described by its value."""
    is_error = stored.type_name == _ERROR
    try:
        value, leaves, is_valid = _decode_and_check(stored.type_name, stored.format, stored.data)
    except Exception as error:  # Of a pickle that can't be read, or of a value that can't say whether it is valid.
        problem = str(error) if isinstance(error, InvalidValueError) else f"{type(error).__name__}: {error}"
        return Candidate(kind, stored, value=problem, is_readable=False, is_error=is_error, call=call)
    return Candidate(kind, stored, value, leaves, True, is_valid, is_error, call)
