"""What every store has to get right about values under keys: the cache."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import ClassVar

import pytest

from redun.backends.base import Backend, EvaluationRecord
from redun.testing.records import (
    describe_value,
    describe_values,
    encode,
    make_batch,
    make_call,
    make_evaluation,
    make_task,
)
from redun.testing.samples import make_values

_TASK = make_task()


class StoringContract:
    """The part of the contract of stores that is about the cache; `BackendContract` is the whole.

    Attributes
    ----------
    is_durable : bool
        Whether what was recorded is there when the store is opened again. False for stores in memory.
    is_shared : bool
        Whether several instances, in this and in other processes, can have one store open at the same time.
    many : int
        How many keys are "many". A batch of that many evaluations and as many calls is recorded, too.
    seconds : float
        How long any wait may take.
    """

    is_durable: ClassVar[bool] = True
    is_shared: ClassVar[bool] = True
    many: ClassVar[int] = 10_000
    seconds: ClassVar[float] = 120

    def make_backend(self, folder: Path) -> Backend:
        """Return a new instance of the backend, not loaded.

        Parameters
        ----------
        folder
            An empty folder for each test. All instances made for one folder are to open the same store, and those of
            another folder another one, wherever that may be. Other processes get an instance by applying its class to
            its `options`.
        """
        raise NotImplementedError("define make_backend in the subclass")

    @pytest.fixture
    def open_backend(self, tmp_path: Path) -> Iterator[Callable[[], Backend]]:
        """A function that opens another instance on the test's store; all are closed after the test."""
        with ExitStack() as opened:

            def open_another() -> Backend:
                backend = self.make_backend(tmp_path)
                backend.load()
                opened.callback(backend.close)
                return backend

            yield open_another

    @pytest.fixture
    def backend(self, open_backend: Callable[[], Backend]) -> Backend:
        """An instance on the test's store, open."""
        return open_backend()

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Let every way to read what was recorded have a test of its own, as far as the store allows it."""
        if "reader" in metafunc.fixturenames:
            ways = ["itself", *["another beside it"] * self.is_shared]
            ways += ["itself loaded again", "another after it"] * self.is_durable
            metafunc.parametrize("reader", ways, indirect=True)

    @pytest.fixture
    def reader(
        self, request: pytest.FixtureRequest, open_backend: Callable[[], Backend]
    ) -> Callable[[Backend], Backend]:
        """A function that takes the instance that recorded something, and returns one that is to find it."""
        return partial(_find_reader, open_backend, request.param)

    @pytest.fixture
    def successor(self, open_backend: Callable[[], Backend]) -> Callable[[Backend], Backend]:
        """As `reader`, but only one, that has as little as possible to do with the instance that recorded."""
        way = "another after it" if self.is_durable else "another beside it" if self.is_shared else "itself"
        return partial(_find_reader, open_backend, way)

    def test_values_are_found_byte_for_byte(self, backend: Backend, reader: Callable[[Backend], Backend]) -> None:
        """Values of every kind and size are found as they were recorded, by whoever opens the store."""
        values = make_values()
        evaluations = {name: make_evaluation(_TASK, [name], value) for name, value in values.items()}

        backend.record(make_batch([_TASK], evaluations.values()))

        found = reader(backend).lookup([evaluation.eval_hash for evaluation in evaluations.values()])
        assert set(found) == {evaluation.eval_hash for evaluation in evaluations.values()}
        changed = [
            name
            for name, evaluation in evaluations.items()
            if describe_value(found[evaluation.eval_hash]) != describe_value(values[name])
        ]
        assert changed == []

    def test_unknown_keys_are_absent(self, backend: Backend) -> None:
        """Keys under which nothing was recorded are absent from answers, in an empty store and in one that is not."""
        empty: list[object] = [backend.lookup(["0" * 40]), backend.lookup_calls([("0" * 40, "1" * 40)])]
        evaluation, call = make_evaluation(_TASK, [1], encode(1)), make_call(_TASK, [2], encode(2))
        backend.record(make_batch([_TASK], [evaluation], [call]))

        values = backend.lookup(["0" * 40, call.call_hash])
        calls = backend.lookup_calls([("0" * 40, "1" * 40), (_TASK.value_hash, evaluation.args_hash)])

        assert empty == [{}, {}]
        assert (values, calls) == ({}, {})

    @pytest.mark.parametrize("count", ["none", "one", "a few", "501", "many"])
    def test_any_number_of_keys_is_looked_up(self, backend: Backend, count: str) -> None:
        """One look-up answers no key, one or many, known, unknown and repeated ones, and nothing else."""
        number = {"none": 0, "one": 1, "a few": 7, "501": 501, "many": self.many}[count]
        evaluations = [make_evaluation(_TASK, [index], encode(index % 100)) for index in range(number + 3)]
        backend.record(make_batch([_TASK], evaluations))
        asked = [evaluation.eval_hash for evaluation in evaluations[:number]]
        unknown = [f"{index:040}" for index in range(number // 2)]

        found = backend.lookup([*asked, *unknown, *asked[:3]])

        expected = {evaluation.eval_hash: describe_value(evaluation.value) for evaluation in evaluations[:number]}
        assert describe_values(found) == expected

    def test_similar_keys_are_kept_apart(self, backend: Backend) -> None:
        """Keys that differ in one character, wherever that is, have each their own value."""
        keys = [f"{'0' * place}1{'0' * (39 - place)}" for place in range(40)]
        evaluations = [
            EvaluationRecord(key, _TASK.value_hash, f"{place:040}", encode(place)) for place, key in enumerate(keys)
        ]

        backend.record(make_batch([_TASK], evaluations[:20]))
        backend.record(make_batch([_TASK], evaluations[20:]))

        found = backend.lookup([*keys, "0" * 40])
        assert describe_values(found) == {key: describe_value(encode(place)) for place, key in enumerate(keys)}

    @pytest.mark.parametrize("batches", [1, 2, 3])
    def test_newest_evaluation_counts(
        self, backend: Backend, reader: Callable[[Backend], Backend], batches: int
    ) -> None:
        """Of several evaluations under one key the last one recorded counts, in one batch or in several."""
        evaluations = [make_evaluation(_TASK, [1], encode(result)) for result in ("first", "second", "first", "last")]

        for group in _split(evaluations, batches):
            backend.record(make_batch([_TASK], group))

        (found,) = reader(backend).lookup([evaluations[0].eval_hash]).values()
        assert describe_value(found) == describe_value(encode("last"))


def _split(records: Sequence[EvaluationRecord], count: int) -> Iterator[Sequence[EvaluationRecord]]:
    size = -(-len(records) // count)
    for start in range(0, len(records), size):
        yield records[start : start + size]


def _find_reader(open_backend: Callable[[], Backend], way: str, backend: Backend) -> Backend:
    if way in ("itself loaded again", "another after it"):
        backend.close()
    if "another" in way:
        return open_backend()
    backend.load()
    return backend
