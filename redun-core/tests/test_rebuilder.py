"""Deciding whether a call runs: a table and a pure function over it."""

import pytest

from redun.backends.base import StoredCall
from redun.options import CacheCheckValid, CacheResult, CacheScope
from redun.scheduler.rebuilder import (
    FULL,
    NO_CACHE,
    SHALLOW,
    THIS_EXECUTION,
    Candidate,
    Mode,
    Reason,
    Run,
    choose_final_result,
    choose_mode,
    decide,
)
from redun.values.codec import EncodedValue

STORED = EncodedValue("hash", "builtins.int", "pickle", b"")
VALID = Candidate(CacheResult.SINGLE, STORED, 1)


@pytest.mark.parametrize(
    ("options", "use_cache", "mode"),
    [
        ({}, True, FULL),
        ({}, False, THIS_EXECUTION),
        ({"memory": 4}, True, FULL),
        ({"cache_scope": CacheScope.BACKEND}, True, FULL),
        ({"cache_scope": CacheScope.BACKEND}, False, THIS_EXECUTION),
        ({"cache_scope": CacheScope.CSE}, True, THIS_EXECUTION),
        ({"cache_scope": CacheScope.NONE}, True, NO_CACHE),
        ({"cache_scope": CacheScope.NONE}, False, NO_CACHE),
        ({"check_valid": CacheCheckValid.SHALLOW}, True, SHALLOW),
        ({"check_valid": CacheCheckValid.SHALLOW}, False, THIS_EXECUTION),
        ({"check_valid": CacheCheckValid.FULL}, True, FULL),
        ({"allowed_cache_results": set()}, True, Mode(False, False, False)),
        ({"allowed_cache_results": {CacheResult.CSE}}, True, THIS_EXECUTION),
        ({"allowed_cache_results": {CacheResult.SINGLE}}, True, Mode(False, False, True)),
        (
            {"allowed_cache_results": {CacheResult.ULTIMATE}, "check_valid": CacheCheckValid.SHALLOW},
            True,
            Mode(False, True, False),
        ),
    ],
)
def test_mode_follows_from_options(options, use_cache, mode):
    """The options of a call and the run's use of the cache say what the call may be answered from."""
    assert choose_mode(options, use_cache) == mode


def run(reason):
    """Return the decision that a call runs for a reason."""
    return Run(reason, reason.value)


@pytest.mark.parametrize(
    ("mode", "candidate", "decision"),
    [
        (NO_CACHE, None, run(Reason.NO_CACHE)),
        (NO_CACHE, VALID, run(Reason.NO_CACHE)),
        (THIS_EXECUTION, VALID, run(Reason.NO_CACHE)),
        (FULL, None, run(Reason.NOT_FOUND)),
        (FULL, VALID, VALID),
        (SHALLOW, VALID, VALID),
        (FULL, VALID._replace(is_error=True), run(Reason.NOT_FOUND)),
        (FULL, VALID._replace(is_readable=False), run(Reason.UNREADABLE)),
        (FULL, VALID._replace(is_readable=False, is_valid=False), run(Reason.UNREADABLE)),
        (FULL, VALID._replace(is_valid=False), run(Reason.INVALID)),
        (SHALLOW, VALID._replace(is_valid=False, kind=CacheResult.ULTIMATE), run(Reason.INVALID)),
    ],
)
def test_decision_follows_from_mode_and_candidate(mode, candidate, decision):
    """A valid recorded result is replayed where the mode reads the store; everything else runs, with its reason."""
    assert decide(mode, candidate) == decision


def test_newest_current_call_is_chosen():
    """Of recorded calls, newest first, the first counts whose whole subtree of tasks is defined as it was."""
    calls = [
        StoredCall(name, STORED, frozenset(tasks)) for name, tasks in (("new", "ab"), ("old", "a"), ("older", "a"))
    ]

    assert choose_final_result(calls, {"a": 1, "b": 1}) is calls[0]
    assert choose_final_result(calls, {"a": 1}) is calls[1]
    assert choose_final_result(calls, {}) is None
