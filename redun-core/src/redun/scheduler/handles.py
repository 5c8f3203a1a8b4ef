"""The states of handles in one execution: what calls get of them, what they lead to, and which of them still hold.

A state is *reached* once the execution has it: it was passed, forked for a call, brought about by one, or found in a
recorded result that still holds. Whether a state that was not reached is valid the store knows, apart from those that
this execution has put an end to.

Before a call with handles is handed to an executor,

- every valid state that came from one that the call gets is *put an end to*, unless this execution has reached it:
  what the program does now takes the place of what it did then, and of everything that was done after that,
- the state that the call leads to is noted, as not valid yet,
- both are made safe against a kill.

The state becomes valid together with the record of the call's result. So whenever a process is killed between a change
outside and its record, the store knows that the earlier states are gone and that the new one was not reached, and the
call is made again.

A recorded result answers a call with handles if the state that the call led to is valid still, or was never heard of,
and so is every state in the result. That holds whether the call returned a handle or not: one that only looks at what
is outside, or returns something else after a change, is made again as well when what it built on was. Of a call that
failed nothing is relied on, so a recorded error that may answer it does so.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

from redun.arguments import find_argument_leaves
from redun.backends.base import Backend
from redun.backends.handles import HandleRecord
from redun.logging import logger
from redun.scheduler.current import get_current_scheduler
from redun.scheduler.forks import Forks
from redun.scheduler.rebuilder import Candidate, Reason
from redun.values.nested import substitute
from redun.values.registry import get_type_registry
from redun.values.state import StateValue, list_states

if TYPE_CHECKING:
    from redun.scheduler.job import Job
    from redun.scheduler.record import Recorder

BROKEN_OFF = "an earlier call, which may have changed a handle, did not come to its end"
"""Why a call runs that was begun before and has no result."""


class _Step(NamedTuple):
    """That a call leads from one state to another one."""

    job: Job
    start: StateValue
    end: StateValue


class _Doubt(NamedTuple):
    """On which states it depends whether a recorded result holds: those in it, and those that its call led to."""

    inside: Sequence[str]
    ends: Sequence[str]

    def is_resolved(self, found: Mapping[str, bool]) -> bool:
        return all(found.get(key, False) for key in self.inside) and all(found.get(key, True) for key in self.ends)


class HandleStates:
    """What one execution knows of the states of handles.

    Parameters
    ----------
    backend
        The store.
    recorder
        Writes down what happens.
    """

    def __init__(self, backend: Backend, recorder: Recorder) -> None:
        self._backend = backend
        self._recorder = recorder
        self._reached: set[str] = set()
        self._ended: set[str] = set()
        self._asked: list[str] | None = None

    def fork_arguments(self, job: Job, leaves: Sequence[Any]) -> None:
        """Let a job get forks of the handles among its arguments.

        Parameters
        ----------
        job
            The job.
        leaves
            What in its arguments behaves; if there is no handle among that, nothing is done.
        """
        passed = list_states(leaves)
        if not passed:
            return
        states = {state.get_hash(): state for state in passed}
        scope = job.parent_job.scope if job.parent_job is not None else None
        numbers = dict.fromkeys(states, 0)
        if scope is not None:
            scope.forks = scope.forks or Forks(scope)
            numbers.update(scope.forks.number(job, states))
        forks = {key: state.preprocess({"call_order": numbers[key]}) for key, state in states.items()}
        self._reached.update(states)
        self._reached.update(fork.get_hash() for fork in forks.values())
        replacements = {id(leaf): forks[leaf.get_hash()] for leaf in passed}
        job.args = substitute(job.args, replacements)
        job.kwargs = substitute(job.kwargs, replacements)

    def begin(self, jobs: Sequence[Job]) -> None:
        """Note what calls that are about to run may do to handles, and make that safe against a kill.

        Raises
        ------
        BackendError
            When the store can't do that; then none of them may run.
        """
        if not self._reached:
            return
        steps = [step for job in jobs for step in _list_steps(job)]
        if not steps:
            return
        starts = {step.start.get_hash(): step.start for step in steps}
        states = {key: start.get_state() for key, start in starts.items()}
        ends = {step.end.get_hash() for step in steps}
        parents = {state.parent_hash for state in states.values()}
        known = self._backend.find_handles([*starts, *ends, *(parents - {""})])
        self._note_broken_off([step for step in steps if known.get(step.end.get_hash()) is False])
        self._end_states({end for end in ends if known.get(end) or end in self._reached})
        self._end_states({*self._backend.find_states_after(list(starts))} - self._reached)
        for key, start in starts.items():
            self._note_fork(start, known.keys() | starts.keys())
            self._reached.add(key)
        for step in steps:
            self._recorder.add_handle(_make_record(step.end, False, [step.start.get_hash()]))
        self._recorder.secure()

    def _note_broken_off(self, steps: Iterable[_Step]) -> None:
        for job, start, end in steps:
            if job.reason == Reason.NOT_FOUND.value and end.get_hash() not in self._ended:
                job.reason = BROKEN_OFF
                name = start.get_state().fullname
                logger.info("Handle %s: %s; %s runs again", name, BROKEN_OFF, job.task.fullname)

    def _end_states(self, hashes: set[str]) -> None:
        self._reached -= hashes
        self._ended |= hashes
        self._recorder.invalidate_handles(sorted(hashes))

    def _note_fork(self, fork: StateValue, known: Iterable[str]) -> None:
        """Note a state that a call gets, and those that it was forked off as far as they are at hand."""
        state = fork.get_state()
        parents = [state.parent_hash] if state.parent is not None or state.parent_hash in known else []
        if state.parent is not None:
            self._note_fork(state.parent, known)
        self._recorder.add_handle(_make_record(fork, True, parents))

    def note_result(self, job: Job, leaves: Sequence[Any]) -> None:
        """Note the states that a call led to: of the handles that it got, and of those that it returned.

        Parameters
        ----------
        job
            The job that made the call.
        leaves
            What in the task's result behaves, before the call was applied to it.
        """
        if not (self._reached or leaves):
            return
        for _, start, end in _list_steps(job):
            self._recorder.add_handle(_make_record(end, True, [start.get_hash()]))
            self._reached.add(end.get_hash())
        for before in list_states(leaves):
            after = before.apply_call(job.eval_hash)
            self._note_fork(before, ())
            self._recorder.add_handle(_make_record(after, True, [before.get_hash()]))
            self._reached.update((before.get_hash(), after.get_hash()))

    def note_replay(self, job: Job, leaves: Sequence[Any]) -> None:
        """Note the states that a call led to which a recorded result answers, by what behaves in the result."""
        if leaves or self._reached:
            self._reached.update(state.get_hash() for state in list_states(leaves))
            self._reached.update(step.end.get_hash() for step in _list_steps(job))

    def merge(self, states: Sequence[StateValue]) -> None:
        """Note that the first of some states stands for all of them from now on."""
        first, *rest = states
        for state in states:
            self._note_fork(state, ())
        parents = [state.get_hash() for state in rest if state.get_hash() != first.get_hash()]
        self._recorder.add_handle(_make_record(first, True, parents))
        self._reached.update(state.get_hash() for state in states)

    def is_valid(self, state_hash: str) -> bool:
        """Whether a state is valid. In `check_candidates` the answer may be put off: then it is taken for valid."""
        if state_hash in self._reached:
            return True
        if state_hash in self._ended:
            return False
        if self._asked is None:
            return self._backend.find_handles([state_hash]).get(state_hash, False)
        self._asked.append(state_hash)
        return True

    def check_candidates(self, jobs: Sequence[Job], candidates: Iterator[Candidate | None]) -> list[Candidate | None]:
        """Return recorded results for jobs as they are read, with one look-up for all states that they depend on."""
        asked = self._asked = []
        read: list[Candidate | None] = []
        doubtful: dict[int, _Doubt] = {}
        try:
            for job, candidate in zip(jobs, candidates, strict=True):
                if candidate is not None and (asked or self._reached):
                    steps = _list_steps(job) if self._reached and not candidate.is_error else ()
                    ends = [step.end.get_hash() for step in steps]
                    if asked or ends:
                        doubtful[len(read)] = _Doubt(list(asked), ends)
                        asked.clear()
                read.append(candidate)
        finally:
            self._asked = None
        if doubtful:
            found = self._backend.find_handles([key for doubt in doubtful.values() for key in chain(*doubt)])
            known = {
                key: key in self._reached or (is_valid and key not in self._ended) for key, is_valid in found.items()
            }
            for index, doubt in doubtful.items():
                if not doubt.is_resolved(known):
                    candidate = read[index]
                    read[index] = candidate and candidate._replace(is_valid=False)
        return read


def is_valid_state(state_hash: str) -> bool:
    """Whether a state of a handle is valid, as the execution that runs on this thread knows it.

    Raises
    ------
    NoCurrentScheduler
        When none runs.
    """
    scheduler = get_current_scheduler()
    assert scheduler is not None
    return scheduler._running_loop.handles.is_valid(state_hash)


def _list_steps(job: Job) -> Iterator[_Step]:
    for start in list_states(find_argument_leaves(job.args, job.kwargs)):
        yield _Step(job, start, start.apply_call(job.eval_hash))


def _make_record(value: StateValue, is_valid: bool, parents: Iterable[str]) -> HandleRecord:
    state = value.get_state()
    encoded = get_type_registry().encode(value)
    return HandleRecord(state.hash, state.fullname, encoded, state.key, is_valid, tuple(parents))
