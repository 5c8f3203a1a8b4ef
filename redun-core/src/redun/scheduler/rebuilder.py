"""Deciding whether a call has to run, from what is known about it; pure data in, pure data out.

What a call may be answered from follows from its options through one table, `MODES`. The scheduler looks up what the
mode allows, `decide` says what to do and why.

=========  =========  ============================  ==================  ======================
scope      check      finished in this execution    final result        single reduction
=========  =========  ============================  ==================  ======================
NONE       any        no                            no                  no
CSE        any        yes                           no                  no
BACKEND    full       yes                           no                  yes
BACKEND    shallow    yes                           yes, tried first    if no final result
=========  =========  ============================  ==================  ======================
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any, NamedTuple

from redun.backends.base import StoredCall
from redun.context import EMPTY_CONTEXT
from redun.options import CacheCheckValid, CacheResult, CacheScope
from redun.values.codec import EncodedValue

_NO_CONTEXT = EMPTY_CONTEXT.encode().value_hash
"""What is recorded as the context of a call that was made without one, if the same call was made in others, too."""


class Mode(NamedTuple):
    """What a call may be answered from."""

    this_execution: bool
    final_result: bool
    single_reduction: bool


NO_CACHE = Mode(False, False, False)
THIS_EXECUTION = Mode(True, False, False)
FULL = Mode(True, False, True)
SHALLOW = Mode(True, True, True)

MODES: Mapping[tuple[CacheScope, CacheCheckValid], Mode] = {
    (CacheScope.NONE, CacheCheckValid.FULL): NO_CACHE,
    (CacheScope.NONE, CacheCheckValid.SHALLOW): NO_CACHE,
    (CacheScope.CSE, CacheCheckValid.FULL): THIS_EXECUTION,
    (CacheScope.CSE, CacheCheckValid.SHALLOW): THIS_EXECUTION,
    (CacheScope.BACKEND, CacheCheckValid.FULL): FULL,
    (CacheScope.BACKEND, CacheCheckValid.SHALLOW): SHALLOW,
}


class Reason(Enum):
    """Why a call runs."""

    NOT_FOUND = "no earlier result is recorded"
    INVALID = "the recorded result is no longer valid"
    UNREADABLE = "the recorded result can't be read"
    NO_CACHE = "the cache is not used"


class Candidate(NamedTuple):
    """A recorded result that might answer a call.

    Attributes
    ----------
    kind
        ``CacheResult.ULTIMATE`` for a final result, ``CacheResult.SINGLE`` for a single reduction.
    stored
        The result as the store has it.
    value
        The result itself, when it could be read.
    leaves
        What in it behaves: expressions and other values.
    is_readable, is_valid, is_error
        Whether it could be read, whether every external value in it is as it was, and whether it is an error.
    call
        The recorded call, for a final result.
    """

    kind: CacheResult
    stored: EncodedValue
    value: Any = None
    leaves: Sequence[Any] = ()
    is_readable: bool = True
    is_valid: bool = True
    is_error: bool = False
    call: StoredCall | None = None


class Run(NamedTuple):
    """The call runs. What its reason says is at hand, because asking an enumeration for it takes a while."""

    reason: Reason
    text: str


def choose_mode(options: Mapping[str, Any], use_cache: bool) -> Mode:
    """Return what a call may be answered from.

    Parameters
    ----------
    options
        The call's options.
    use_cache
        Whether the execution uses results of earlier ones.
    """
    if not options:
        return FULL if use_cache else THIS_EXECUTION
    scope = options.get("cache_scope") or CacheScope.BACKEND
    if scope is CacheScope.BACKEND and not use_cache:
        scope = CacheScope.CSE
    mode = MODES[scope, options.get("check_valid") or CacheCheckValid.FULL]
    allowed = options.get("allowed_cache_results")
    if allowed is None:
        return mode
    return Mode(
        mode.this_execution and CacheResult.CSE in allowed,
        mode.final_result and CacheResult.ULTIMATE in allowed,
        mode.single_reduction and CacheResult.SINGLE in allowed,
    )


def choose_final_result(
    calls: Sequence[StoredCall], current_tasks: Mapping[str, int], context_hash: str = ""
) -> StoredCall | None:
    """Return the newest recorded call that was made in the same context, and whose tasks are all as they were then.

    Parameters
    ----------
    calls
        Recorded calls of the same task with the same arguments, newest first.
    current_tasks
        The hashes of the tasks that are defined now.
    context_hash
        The address of the context; empty for none.
    """
    for call in calls:
        in_context = (context_hash or _NO_CONTEXT) in call.contexts or not (context_hash or call.contexts)
        if in_context and all(task in current_tasks for task in call.subtree):
            return call
    return None


_NO_CACHE, _NOT_FOUND, _UNREADABLE, _INVALID = (
    Run(reason, reason.value) for reason in (Reason.NO_CACHE, Reason.NOT_FOUND, Reason.UNREADABLE, Reason.INVALID)
)


def decide(mode: Mode, candidate: Candidate | None, replays_errors: bool = False) -> Run | Candidate:
    """Return what to do with a call that this execution has not made yet: run it, or answer it with the candidate.

    Parameters
    ----------
    mode
        What the call may be answered from.
    candidate
        The recorded result that the mode prefers, if there is any. An invalid one has no substitute.
    replays_errors
        Whether a recorded error may answer it too.
    """
    if not (mode.single_reduction or mode.final_result):
        return _NO_CACHE
    if candidate is None or (candidate.is_error and not replays_errors):
        return _NOT_FOUND
    if not candidate.is_readable:
        return _UNREADABLE
    if not candidate.is_valid:
        return _INVALID
    return candidate


_LACKS_RESULT = frozenset({Reason.NOT_FOUND.value, Reason.INVALID.value, Reason.UNREADABLE.value})


def may_reuse(options: Mapping[str, Any], reason: str) -> bool:
    """Whether a call that runs may be answered by a result that an earlier execution left outside of the store.

    Parameters
    ----------
    options
        The call's options.
    reason
        Why the call runs.
    """
    if reason not in _LACKS_RESULT:
        return False
    allowed = options.get("allowed_cache_results") if options else None
    return allowed is None or CacheResult.SINGLE in allowed
