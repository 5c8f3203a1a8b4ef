"""What every store has to get right that outlives its process, or that several processes use."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import ClassVar

import pytest

from redun.backends.base import Backend
from redun.testing.elsewhere import SIZE, make_written_batch, write_batches, write_until_killed
from redun.testing.other_process import OtherProcess
from redun.testing.recalling import RecallingContract
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

_TASK = make_task()


class SharingContract(RecallingContract):
    """The part of the contract of stores that is about other processes; `BackendContract` is the whole.

    Attributes
    ----------
    deaths : int
        At how many moments of its work a process that writes is killed.
    """

    deaths: ClassVar[int] = 8

    @pytest.fixture
    def start_process(self, tmp_path: Path) -> Callable[..., OtherProcess]:
        """A function that starts another process which calls a function with the class and options of a backend."""

        def start(function: Callable[..., None], *args: object) -> OtherProcess:
            backend = self.make_backend(tmp_path)
            return OtherProcess(self.seconds, function, type(backend), backend.options, *args)

        return start

    @pytest.fixture
    def _shared(self) -> None:
        if not self.is_shared:
            pytest.skip("only one instance at a time can have this store open (is_shared)")

    @pytest.fixture
    def _durable(self) -> None:
        if not self.is_durable:
            pytest.skip("this store is empty when it is opened again (is_durable)")

    @pytest.mark.usefixtures("_shared")
    def test_what_is_recorded_later_is_found(self, backend: Backend, open_backend: Callable[[], Backend]) -> None:
        """What an instance looked for in vain it finds as soon as another one has recorded it."""
        other = open_backend()
        evaluation, call = make_evaluation(_TASK, [1], encode(1)), make_call(_TASK, [1], encode(1))
        other.find_tasks([_TASK.value_hash])
        before: list[object] = [other.lookup([evaluation.eval_hash]), other.lookup_calls([call_key(call)])]

        backend.record(make_batch([_TASK], [evaluation], [call]))

        found, calls = other.lookup([evaluation.eval_hash]), other.lookup_calls([call_key(call)])
        assert before == [{}, {}]
        assert describe_values(found) == {evaluation.eval_hash: describe_value(encode(1))}
        assert describe_calls(calls) == {call_key(call): [describe_call(call)]}
        assert list(other.find_tasks([_TASK.value_hash])) == [_TASK.value_hash]

    @pytest.mark.usefixtures("_shared")
    def test_instances_agree_on_the_newest(self, backend: Backend, open_backend: Callable[[], Backend]) -> None:
        """Instances that record evaluations of one key in turn all find the last one, whoever recorded it."""
        stores = [backend, open_backend(), open_backend()]
        evaluations = [make_evaluation(_TASK, [1], encode(number)) for number in range(7)]
        found = []

        for number, evaluation in enumerate(evaluations):
            stores[number % 3].record(make_batch([_TASK], [evaluation]))
            found.append([store.lookup([evaluation.eval_hash])[evaluation.eval_hash].data for store in stores])

        assert found == [[encode(number).data] * 3 for number in range(7)]

    @pytest.mark.usefixtures("_shared")
    def test_instances_add_to_one_call(self, backend: Backend, open_backend: Callable[[], Backend]) -> None:
        """A call that two instances record is found once, with the contexts that each recorded it in."""
        calls = [make_call(_TASK, [1], encode(1), context={"x": value}) for value in ("a", "b")]
        stores = [backend, open_backend()]

        for store, call in zip(stores, calls, strict=True):
            store.record(make_batch([_TASK], calls=[call]))

        contexts = {encode({"x": value}).value_hash for value in ("a", "b")}
        found = [store.lookup_calls([call_key(calls[0])])[call_key(calls[0])] for store in stores]
        assert [[(call.call_hash, set(call.contexts)) for call in group] for group in found] == [
            [(calls[0].call_hash, contexts)]
        ] * 2

    @pytest.mark.usefixtures("_shared")
    def test_processes_write_at_once(
        self, open_backend: Callable[[], Backend], start_process: Callable[..., OtherProcess]
    ) -> None:
        """Processes that open an empty store and write the same and other keys at once lose nothing."""
        writers, count = ("first", "second", "third"), 15

        with ExitStack() as stack:
            processes = [
                stack.enter_context(start_process(write_batches, ["shared", writer], count)) for writer in writers
            ]
            ready = [process.hear() for process in processes]
            for process in processes:
                process.tell("go")
            written = [process.finish() for process in processes]

        assert ready == ["ready"] * 3
        assert written == [[f"{number}" for number in range(count)]] * 3
        store = open_backend()
        found = [_count_found(store, ["shared", writer], number) for writer in writers for number in range(count)]
        assert found == [(2 * SIZE, 2 * SIZE)] * (3 * count)

    def kill_writers(self, start_process: Callable[..., OtherProcess], method: str) -> Sequence[str]:
        """Let processes write two batches each, all killed at other moments while they write the second one.

        Returns
        -------
        Sequence[str]
            The names of the tasks whose records they wrote.
        """
        with start_process(write_until_killed, method, "killed after", 0) as process:
            (total,) = map(int, process.wait_until_killed())
        moments = sorted({1 + total * part // self.deaths for part in range(self.deaths)})
        for moment in moments:
            with start_process(write_until_killed, method, f"killed at {moment}", moment) as process:
                process.wait_until_killed()
        return ["killed after", *(f"killed at {moment}" for moment in moments)]

    def check_batches_are_whole(self, store: Backend, names: Sequence[str]) -> None:
        """Fail unless everything is there that killed writers had written, and what they were writing is or is not."""
        found = [[_count_found(store, [name], number) for number in (0, 1)] for name in names]
        assert [before for before, _ in found] == [(SIZE, SIZE)] * len(names)
        assert [last for _, last in found if last not in [(SIZE, SIZE), (0, 0)]] == []
        assert found[0][1] == (SIZE, SIZE)
        store.record(make_written_batch(["last"], 0))
        assert _count_found(store, ["last"], 0) == (SIZE, SIZE)

    @pytest.mark.usefixtures("_durable")
    def test_killed_writer_leaves_whole_batches(
        self, open_backend: Callable[[], Backend], start_process: Callable[..., OtherProcess]
    ) -> None:
        """A killed writer leaves what it recorded before, and the batch at hand as a whole or not at all."""
        names = self.kill_writers(start_process, "record")

        self.check_batches_are_whole(open_backend(), names)


def _count_found(store: Backend, names: Sequence[str], number: int) -> tuple[int, int]:
    """Return how many evaluations and calls of a batch are in a store, each as it was recorded."""
    batch = make_written_batch(names, number)
    values = describe_values(store.lookup([evaluation.eval_hash for evaluation in batch.evaluations]))
    calls = describe_calls(store.lookup_calls([call_key(call) for call in batch.calls]))
    right = [item for item in batch.evaluations if values.get(item.eval_hash) == describe_value(item.value)]
    return len(right), len([call for call in batch.calls if calls.get(call_key(call)) == [describe_call(call)]])
