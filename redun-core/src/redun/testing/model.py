"""Any store behaves like a few dicts: a random test of a backend against a model.

The machine records random batches through several instances, one after the other, loads and closes them, and asks
everything that a scheduler asks. What a store has to answer is said by `DictStore`, which shares no code with any
backend. Needs hypothesis, which the extra ``redun-core[testing]`` installs.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from redun.backends.base import Backend, Batch, CallRecord, EvaluationRecord, StoredCall
from redun.testing.records import (
    Description,
    add_execution,
    call_key,
    describe_value,
    describe_values,
    encode,
    make_batch,
    make_call,
    make_evaluation,
    make_task,
)
from redun.values.codec import EncodedValue

MAX_INSTANCES = 3
_TASKS = [make_task(name) for name in "fg"]
_ARGS: list[list[int]] = [[], [0], [1]]
_CONTEXTS = [None, {"x": 1}, {"x": 2}]
_KEYS = [call_key(make_call(task, args, encode(0))) for task in _TASKS for args in _ARGS]
_EVAL_HASHES = [make_evaluation(task, args, encode(0)).eval_hash for task in _TASKS for args in _ARGS]
_START = 1_600_000_000
_LOCK: Any = threading.Lock()

_tasks = st.sampled_from(_TASKS)
_args = st.sampled_from(_ARGS)
_results = (st.integers(0, 1) | st.binary(max_size=9) | st.text(max_size=9)).map(encode)
_contexts = st.sampled_from(_CONTEXTS)
_times = st.integers(_START, _START + 9).map(float)
_evaluations = st.lists(st.builds(make_evaluation, _tasks, _args, _results), max_size=3)
_drawn_calls = st.lists(
    st.tuples(_tasks, _args, _results, st.lists(st.integers(0, 20), max_size=2), _contexts, _times), max_size=3
)
_instances = st.integers(0, MAX_INSTANCES - 1)


class DictStore:
    """What a store has to answer, in the plainest way.

    Attributes
    ----------
    values : dict
        The value last recorded under each evaluation's address.
    tasks : set
        The tasks with evaluations.
    calls : dict
        Calls by their address, as they were recorded first.
    contexts : dict
        The addresses of the contexts of each call.
    """

    def __init__(self) -> None:
        self.values: dict[str, EncodedValue] = {}
        self.tasks: set[str] = set()
        self.calls: dict[str, CallRecord] = {}
        self.contexts: dict[str, set[str]] = {}

    def record(self, batch: Batch) -> None:
        """Take a batch in."""
        for evaluation in batch.evaluations:
            self.values[evaluation.eval_hash] = evaluation.value
            self.tasks.add(evaluation.task_hash)
        for call in batch.calls:
            self.calls.setdefault(call.call_hash, call)
            self.contexts.setdefault(call.call_hash, set())
            if call.context is not None:
                self.contexts[call.call_hash].add(call.context.value_hash)

    def lookup(self, keys: Sequence[str]) -> Mapping[str, Description]:
        """Return what `Backend.lookup` has to answer."""
        return describe_values({key: self.values[key] for key in keys if key in self.values})

    def lookup_calls(self, keys: Sequence[tuple[str, str]]) -> Mapping[tuple[str, str], set[object]]:
        """Return what `Backend.lookup_calls` has to answer, the order aside."""
        found: dict[tuple[str, str], set[object]] = {}
        for call in self.calls.values():
            if call_key(call) in keys:
                contexts = frozenset(self.contexts[call.call_hash])
                described = call.call_hash, describe_value(call.result), frozenset(call.subtree), contexts
                found.setdefault(call_key(call), set()).add(described)
        return found

    def is_newest_first(self, calls: Sequence[StoredCall]) -> bool:
        """Whether calls are in an order that `Backend.lookup_calls` may return."""
        times = [self.calls[call.call_hash].timestamp for call in calls]
        return times == sorted(times, reverse=True)


class BackendMachine(RuleBasedStateMachine):
    """Does random things to a store and to a model of it; `make_backend_machine` makes one for a kind of store.

    Attributes
    ----------
    make : callable
        Returns a new instance, not loaded, on the store of a folder.
    is_durable, is_shared : bool
        See `BackendContract`.
    """

    make: Callable[[Path], Backend]
    is_durable: ClassVar[bool]
    is_shared: ClassVar[bool]

    @initialize()
    def open_store(self) -> None:
        """Open an empty store."""
        self._folder = TemporaryDirectory()
        self._model = DictStore()
        self._batches: list[Batch] = []
        self._stores: list[Backend] = []
        self._open_another()

    def _open_another(self) -> None:
        store = self.make(Path(self._folder.name))
        store.load()
        self._stores.append(store)

    def _store(self, number: int) -> Backend:
        return self._stores[number % len(self._stores)]

    @rule(number=_instances, evaluations=_evaluations, drawn=_drawn_calls, with_jobs=st.booleans())
    def record(
        self,
        number: int,
        evaluations: list[EvaluationRecord],
        drawn: list[tuple[EncodedValue, list[int], EncodedValue, list[int], Any, float]],
        with_jobs: bool,
    ) -> None:
        """Record evaluations and calls, some of them below others, with jobs or without."""
        calls: list[CallRecord] = []
        for task, args, result, below, context, time in drawn:
            known = [*self._model.calls.values(), *calls]
            children = [known[index % len(known)] for index in below if known]
            calls.append(make_call(task, args, result, children, context=context, timestamp=time))
        batch = make_batch(_TASKS, evaluations, calls)
        if with_jobs:
            add_execution(batch, _TASKS[0], f"execution {len(self._batches)}", calls[0].call_hash if calls else None)
        self._store(number).record(batch)
        self._model.record(batch)
        self._batches.append(batch)

    @precondition(lambda self: self._model.calls)
    @rule(number=_instances, index=st.integers(0, 99), context=_contexts, time=_times)
    def record_call_again(self, number: int, index: int, context: dict[str, int] | None, time: float) -> None:
        """Record a known call as it was made at another time, in whatever context."""
        call = list(self._model.calls.values())[index % len(self._model.calls)]
        made = call._replace(timestamp=time, context=None if context is None else encode(context))
        batch = make_batch(_TASKS, calls=[made])
        self._store(number).record(batch)
        self._model.record(batch)

    @precondition(lambda self: self._batches)
    @rule(number=_instances, index=st.integers(0, 99))
    def record_again(self, number: int, index: int) -> None:
        """Record a batch that was recorded before; its evaluations are the newest then."""
        batch = self._batches[index % len(self._batches)]
        self._store(number).record(batch)
        self._model.record(batch)

    @rule(number=_instances, evaluations=_evaluations, task=_tasks, args=_args)
    def record_in_vain(
        self, number: int, evaluations: list[EvaluationRecord], task: EncodedValue, args: list[int]
    ) -> None:
        """Record a batch with a call that can't be written; a store in memory may take what it can't write."""
        result = encode("unwritable")._replace(data=_LOCK)
        call = make_call(task, args, result, timestamp=float(_START))
        batch = make_batch(_TASKS, evaluations, [call])
        try:
            self._store(number).record(batch)
        except Exception:  # Whatever the store's way is to say no.
            return
        self._model.record(batch)

    @rule(number=_instances, keys=st.lists(st.sampled_from(_EVAL_HASHES), max_size=8))
    def look_up(self, number: int, keys: list[str]) -> None:
        """Look up some evaluations."""
        assert describe_values(self._store(number).lookup(keys)) == self._model.lookup(keys)

    @rule(number=_instances, keys=st.lists(st.sampled_from(_KEYS), max_size=6))
    def look_up_calls(self, number: int, keys: list[tuple[str, str]]) -> None:
        """Look up some calls."""
        self._check_calls(self._store(number), keys)

    @rule(number=_instances)
    def find_tasks(self, number: int) -> None:
        """Ask which tasks have evaluations; more may be named, but none less."""
        hashes = [task.value_hash for task in _TASKS]
        assert self._model.tasks <= set(self._store(number).find_tasks(hashes)) <= set(hashes)

    @precondition(lambda self: self.is_durable)
    @rule(number=_instances)
    def load_again(self, number: int) -> None:
        """Close an instance and load it again."""
        store = self._store(number)
        store.close()
        store.load()

    @precondition(lambda self: self.is_shared and len(self._stores) < MAX_INSTANCES)
    @rule()
    def open_another(self) -> None:
        """Open another instance beside those that are open."""
        self._open_another()

    @precondition(lambda self: self.is_durable)
    @rule()
    def open_another_after(self) -> None:
        """Close all instances and open another one."""
        for store in self._stores:
            store.close()
        self._stores.clear()
        self._open_another()

    def _check_calls(self, store: Backend, keys: list[tuple[str, str]]) -> None:
        found = store.lookup_calls(keys)
        described = {
            key: {(call.call_hash, describe_value(call.result), call.subtree, call.contexts) for call in calls}
            for key, calls in found.items()
        }
        assert described == self._model.lookup_calls(keys)
        assert [len(calls) for calls in found.values()] == [len(calls) for calls in described.values()]
        assert [key for key, calls in found.items() if not self._model.is_newest_first(calls)] == []

    def teardown(self) -> None:
        """Ask every instance for everything, then close them."""
        if not hasattr(self, "_stores"):
            return
        try:
            for store in self._stores:
                assert describe_values(store.lookup(_EVAL_HASHES)) == self._model.lookup(_EVAL_HASHES)
                self._check_calls(store, _KEYS)
        finally:
            for store in self._stores:
                store.close()
            self._folder.cleanup()


def make_backend_machine(
    make_backend: Callable[[Path], Backend], is_durable: bool = True, is_shared: bool = True
) -> type[BackendMachine]:
    """Return a state machine of hypothesis that compares a kind of backend with a plain dict.

    Parameters
    ----------
    make_backend
        Returns a new instance, not loaded, on the store of a folder.
    is_durable, is_shared
        See `BackendContract`.

    Examples
    --------
    >>> from hypothesis import settings
    >>> from hypothesis.stateful import run_state_machine_as_test
    >>> from redun.backends.memory import MemoryBackend
    >>> machine = make_backend_machine(lambda folder: MemoryBackend(), is_durable=False, is_shared=False)
    >>> run_state_machine_as_test(machine, settings=settings(max_examples=5, deadline=None, database=None))
    """
    attributes = {"make": staticmethod(make_backend), "is_durable": is_durable, "is_shared": is_shared}
    return type("Machine", (BackendMachine,), attributes)
