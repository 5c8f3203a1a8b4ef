"""What every store has to get right about batches, whole and repeated, and about being opened and closed."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import fields, is_dataclass
from pathlib import Path

import pytest

from redun.backends.base import Backend, Batch
from redun.testing.records import (
    add_execution,
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
from redun.testing.samples import BAD_RECORDS, ODD_TEXTS
from redun.testing.storing import StoringContract

_TASK = make_task()


class WritingContract(StoringContract):
    """The part of the contract of stores that is about batches; `BackendContract` is the whole."""

    def test_options_are_described(self, tmp_path: Path) -> None:
        """The options are a dataclass whose every field has help, and an instance keeps its own as `options`."""
        backend = self.make_backend(tmp_path)

        assert is_dataclass(backend.options_type)
        undescribed = [item.name for item in fields(backend.options_type) if not item.metadata.get("help")]
        assert undescribed == []
        assert isinstance(backend.options, backend.options_type)

    def test_recording_twice_changes_nothing(self, backend: Backend, reader: Callable[[Backend], Backend]) -> None:
        """A batch that was recorded already can be recorded again, and every answer stays as it was."""
        child = make_call(_TASK, [0], encode(0), context={"a": 1})
        parent = make_call(make_task("g"), [1], encode(1), [child, child], upstream={0: [child.call_hash]})
        evaluation = make_evaluation(_TASK, [0], encode(0))
        batch = make_batch([_TASK, make_task("g")], [evaluation, evaluation], [child, parent, child])
        add_execution(batch, _TASK, "x", child.call_hash)
        keys = [call_key(child), call_key(parent)]
        backend.record(batch)
        before = describe_values(backend.lookup([evaluation.eval_hash])), describe_calls(backend.lookup_calls(keys))

        for _ in range(2):
            backend.record(batch)

        found = reader(backend)
        again = describe_values(found.lookup([evaluation.eval_hash])), describe_calls(found.lookup_calls(keys))
        assert again == before
        assert [len(calls) for calls in before[1].values()] == [1, 1]

    @pytest.mark.parametrize("bad", BAD_RECORDS)
    def test_batch_is_recorded_as_a_whole(
        self, backend: Backend, successor: Callable[[Backend], Backend], bad: str
    ) -> None:
        """Of a batch that can't be recorded nothing is; the store works on, and takes the batch without what is bad."""

        def make_good() -> Batch:
            batch = make_batch([_TASK], [evaluation], [call])
            add_execution(batch, _TASK, "before", call.call_hash)
            return batch

        def list_found(store: Backend) -> list[int]:
            return [len(store.lookup([evaluation.eval_hash])), len(store.lookup_calls([call_key(call)]))]

        evaluation, call = make_evaluation(_TASK, ["good"], encode(1)), make_call(_TASK, ["good"], encode(1))
        batch = make_good()
        BAD_RECORDS[bad](batch)
        is_recorded = True

        try:
            backend.record(batch)
        except Exception:  # Whatever the store's way is to say no. One that keeps nothing of the bad record says yes.
            is_recorded = False

        assert list_found(backend) == ([1, 1] if is_recorded else [0, 0])
        backend.record(make_good())
        assert list_found(successor(backend)) == [1, 1]

    def test_large_batch_is_recorded(self, backend: Backend, successor: Callable[[Backend], Backend]) -> None:
        """Many evaluations and as many calls are recorded at once and found again."""
        evaluations = [make_evaluation(_TASK, [index], encode(index)) for index in range(self.many)]
        calls = [make_call(_TASK, [index], encode(index)) for index in range(self.many)]

        backend.record(make_batch([_TASK], evaluations, calls))

        store = successor(backend)
        found = store.lookup([evaluation.eval_hash for evaluation in evaluations])
        found_calls = store.lookup_calls([call_key(call) for call in calls])
        assert describe_values(found) == {item.eval_hash: describe_value(item.value) for item in evaluations}
        assert {key: len(stored) for key, stored in found_calls.items()} == {call_key(call): 1 for call in calls}

    def test_many_small_batches_are_recorded(self, backend: Backend, successor: Callable[[Backend], Backend]) -> None:
        """Hundreds of batches, each looked for as soon as it is recorded, are all found in the end."""
        evaluations = [make_evaluation(_TASK, [index], encode(index)) for index in range(300)]
        missing = []

        for evaluation in evaluations:
            backend.lookup([evaluation.eval_hash])
            backend.record(make_batch([_TASK], [evaluation]))
            missing += [] if backend.lookup([evaluation.eval_hash]) else [evaluation]

        assert missing == []
        assert len(successor(backend).lookup([evaluation.eval_hash for evaluation in evaluations])) == 300

    def test_empty_batch_changes_nothing(self, backend: Backend) -> None:
        """A batch of nothing is recorded without effect."""
        backend.record(Batch())

        assert dict(backend.lookup(["0" * 40])) == {}

    def test_jobs_leave_answers_as_they_are(self, backend: Backend, successor: Callable[[Backend], Backend]) -> None:
        """Executions, jobs that end in later batches, and tags, under whatever ids, never change what is looked up."""
        evaluation, call = make_evaluation(_TASK, [1], encode(1)), make_call(_TASK, [1], encode(1))
        backend.record(make_batch([_TASK], [evaluation], [call]))
        for execution_id in (*ODD_TEXTS, evaluation.eval_hash, call.call_hash):
            started = Batch()
            add_execution(started, _TASK, execution_id, None)
            started.jobs = {job_id: job._replace(end_time=None) for job_id, job in started.jobs.items()}
            ended = Batch()
            add_execution(ended, _TASK, execution_id, call.call_hash, end=3.5)
            ended.tasks, ended.jobs, ended.job_ends = {}, {}, ended.jobs

            backend.record(started)
            backend.record(ended)

        store = successor(backend)
        found, calls = store.lookup([evaluation.eval_hash]), store.lookup_calls([call_key(call)])
        assert describe_values(found) == {evaluation.eval_hash: describe_value(encode(1))}
        assert describe_calls(calls) == {call_key(call): [describe_call(call)]}

    def test_load_and_close_are_repeatable(self, tmp_path: Path) -> None:
        """Loading what is loaded and closing what is closed, or was never open, changes nothing."""
        evaluation = make_evaluation(_TASK, [1], encode(1))
        backend = self.make_backend(tmp_path)

        backend.close()
        for _ in range(3):
            backend.load()
            backend.load()
            backend.record(make_batch([_TASK], [evaluation]))
            backend.load()
            assert list(backend.lookup([evaluation.eval_hash])) == [evaluation.eval_hash]
            backend.close()
            backend.close()

    def test_threads_take_turns(self, backend: Backend) -> None:
        """A backend that one thread loaded is used by others, one at a time."""
        evaluations = [make_evaluation(_TASK, [index], encode(index)) for index in range(5)]
        found: list[int] = []

        def use(number: int) -> None:
            backend.record(make_batch([_TASK], [evaluations[number]]))
            found.append(len(backend.lookup([evaluation.eval_hash for evaluation in evaluations])))

        for number in range(5):
            with ThreadPoolExecutor(1) as thread:
                thread.submit(use, number).result(self.seconds)

        assert found == [1, 2, 3, 4, 5]

    def test_stores_are_kept_apart(self, backend: Backend, tmp_path_factory: pytest.TempPathFactory) -> None:
        """What one store holds another one does not."""
        evaluation = make_evaluation(_TASK, [1], encode(1))
        backend.record(make_batch([_TASK], [evaluation]))
        other = self.make_backend(tmp_path_factory.mktemp("other"))

        with closing(other):
            other.load()
            found = other.lookup([evaluation.eval_hash])

        assert dict(found) == {}
