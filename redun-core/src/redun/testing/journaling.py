"""What a store that has a journal has to get right about it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from redun.backends.base import Backend
from redun.testing.other_process import OtherProcess
from redun.testing.records import (
    call_key,
    describe_call,
    describe_calls,
    describe_value,
    describe_values,
    encode,
    make_batch,
    make_call,
    make_evaluation,
    make_task,
)
from redun.testing.sharing import SharingContract

_TASK = make_task()


class JournalingContract(SharingContract):
    """The part of the contract of stores that is about the journal; `BackendContract` is the whole."""

    @pytest.fixture
    def journaling(self, backend: Backend) -> Backend:
        """An open store that has a journal."""
        if backend.journal_delay is None:
            pytest.skip("this store has no journal (journal_delay)")
        return backend

    def test_journaled_records_are_found_once_recorded(
        self, journaling: Backend, reader: Callable[[Backend], Backend]
    ) -> None:
        """Records that were journaled, some at a time, and then recorded together are found as any others."""
        evaluations = [make_evaluation(_TASK, [number], encode(number)) for number in range(10)]
        calls = [make_call(_TASK, [number], encode(number), context={"x": number}) for number in range(10)]
        whole = make_batch([_TASK])
        for evaluation, call in zip(evaluations, calls, strict=True):
            batch = make_batch([_TASK], [evaluation], [call])
            journaling.journal(batch)
            whole.extend(batch)

        journaling.record(whole)

        store = reader(journaling)
        found = store.lookup([item.eval_hash for item in evaluations]), store.lookup_calls(map(call_key, calls))
        assert describe_values(found[0]) == {item.eval_hash: describe_value(item.value) for item in evaluations}
        assert describe_calls(found[1]) == {call_key(call): [describe_call(call)] for call in calls}

    def test_newest_evaluation_counts_in_the_journal(
        self, journaling: Backend, successor: Callable[[Backend], Backend]
    ) -> None:
        """What was journaled and recorded before does not come back when something newer was recorded."""
        for result in ("old", "new"):
            batch = make_batch([_TASK], [make_evaluation(_TASK, [1], encode(result))])
            journaling.journal(batch)
            journaling.record(batch)

        (found,) = successor(journaling).lookup([make_evaluation(_TASK, [1], encode("new")).eval_hash]).values()

        assert describe_value(found) == describe_value(encode("new"))

    def test_journal_goes_on_while_records_are_written(
        self, journaling: Backend, successor: Callable[[Backend], Backend]
    ) -> None:
        """In the pauses of `record` further records can be journaled, and recorded afterwards."""
        late = [make_evaluation(_TASK, ["late", number], encode(number)) for number in range(1_000)]
        waiting = iter(late)
        journaled = make_batch([_TASK])

        def pause() -> None:
            batch = make_batch([_TASK], [evaluation for evaluation, _ in zip(waiting, range(3), strict=False)])
            journaling.journal(batch)
            journaled.extend(batch)

        early = [make_evaluation(_TASK, [number], encode(number)) for number in range(self.many)]
        journaling.set_pause(pause)
        journaling.record(make_batch([_TASK], early))
        journaling.set_pause(_do_nothing)
        journaling.record(journaled)

        found = successor(journaling).lookup([item.eval_hash for item in (*early, *journaled.evaluations)])
        assert len(found) == len(early) + len(journaled.evaluations)

    @pytest.mark.usefixtures("_durable")
    def test_killed_journal_holds_whole_batches(
        self, journaling: Backend, open_backend: Callable[[], Backend], start_process: Callable[..., OtherProcess]
    ) -> None:
        """What a killed process had journaled is found by who loads the store next, the batch at hand or not."""
        journaling.close()
        names = self.kill_writers(start_process, "journal")

        self.check_batches_are_whole(open_backend(), names)


def _do_nothing() -> None:
    """Do nothing."""
