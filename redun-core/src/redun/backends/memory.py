"""A store in memory: the cache and the call graph of one process, gone with it."""

from __future__ import annotations

from bisect import insort
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from operator import attrgetter
from typing import Any

from redun.backends.base import (
    ERROR_TYPE,
    MAX_PAST_CALLS,
    Backend,
    Batch,
    CallRecord,
    EvaluationRecord,
    ExecutionRecord,
    JobRecord,
    PastCall,
    StoredCall,
    find_files,
    place_arguments,
)
from redun.backends.handles import HandleRecord, walk_states
from redun.values.base import TaskSubtype
from redun.values.codec import EncodedValue


class MemoryBackend(Backend):
    """A backend of dictionaries; they are public for tests and notebooks to look into.

    Attributes
    ----------
    tasks, values, evaluations, calls, jobs, executions : dict
        The records by their hash or id.
    tags : dict
        The keys and values of tags, by the type and the id of what they are on.
    handles : dict
        The states of handles by their hash.
    """

    def __init__(self, options: Any = None) -> None:
        super().__init__(options)
        self.tasks: dict[str, EncodedValue] = {}
        self.values: dict[str, EncodedValue] = {}
        self.evaluations: dict[str, EvaluationRecord] = {}
        self.calls: dict[str, CallRecord] = {}
        self.jobs: dict[str, JobRecord] = {}
        self.executions: dict[str, ExecutionRecord] = {}
        self.tags: dict[tuple[str, str], list[tuple[str, Any]]] = {}
        self.handles: dict[str, HandleRecord] = {}
        self._states_after: dict[str, dict[str, None]] = {}
        self._evaluated: set[str] = set()
        self._calls_of: dict[tuple[str, str], list[CallRecord]] = {}
        self._contexts: dict[str, set[str]] = {}
        self._calls_named: dict[str, list[CallRecord]] = {}
        self._calls_given: dict[tuple[str, str], list[CallRecord]] = {}

    def lookup(self, eval_hashes: Sequence[str]) -> Mapping[str, EncodedValue]:
        found = self.evaluations
        return {key: _stored(found[key].value) for key in eval_hashes if key in found}

    def find_execution(self, job_id: str) -> str | None:
        job = self.jobs.get(job_id)
        return None if job is None else job.execution_id

    def find_tasks(self, task_hashes: Sequence[str]) -> Collection[str]:
        return self._evaluated.intersection(task_hashes)

    def lookup_calls(self, keys: Iterable[tuple[str, str]]) -> Mapping[tuple[str, str], Sequence[StoredCall]]:
        return {
            key: [
                StoredCall(
                    call.call_hash,
                    _stored(call.result),
                    frozenset(call.subtree),
                    frozenset(self._contexts.get(call.call_hash, ())),
                )
                for call in reversed(self._calls_of[key])
            ]
            for key in keys
            if key in self._calls_of
        }

    def find_unrecorded(self, call_hashes: Sequence[str]) -> Collection[str]:
        return set(call_hashes) - self.calls.keys()

    def find_calls(self, task_name: str, paths: Sequence[str] = ()) -> Sequence[PastCall]:
        given = [self._calls_given.get((task_name, path), []) for path in paths]
        groups = given if paths else [self._calls_named.get(task_name, [])]
        newest = chain.from_iterable(islice(reversed(group), MAX_PAST_CALLS) for group in groups)
        return [self._past_call(call) for call in {call.call_hash: call for call in newest}.values()]

    def _past_call(self, call: CallRecord) -> PastCall:
        task = self.tasks.get(call.task_hash)
        definition = task.subtype if task is not None else None
        return PastCall(
            call.call_hash,
            call.task_hash,
            call.arguments.args_hash,
            definition.source if isinstance(definition, TaskSubtype) else "",
            place_arguments(call.arguments),
            call.result.type_name == ERROR_TYPE,
            task.data if task is not None else b"",
        )

    def record(self, batch: Batch) -> None:
        values: dict[str, EncodedValue] = {}
        for value in _list_values(batch):  # Before anything is written: a batch that can't be read leaves nothing.
            values.setdefault(value.value_hash, value)
            for subvalue in value.subvalues:
                values.setdefault(subvalue.value_hash, subvalue)
        for value_hash, value in values.items():
            self.values.setdefault(value_hash, value)
        for task in batch.tasks.values():
            self.tasks.setdefault(task.value_hash, task)
        for evaluation in batch.evaluations:
            self.evaluations[evaluation.eval_hash] = evaluation
            self._evaluated.add(evaluation.task_hash)
        for call in batch.calls:
            if call.call_hash not in self.calls:
                self._record_call(call)
            if call.context is not None:
                self._contexts.setdefault(call.call_hash, set()).add(call.context.value_hash)
        self.jobs.update(batch.jobs)
        self.jobs.update(batch.job_ends)
        self.executions.update(batch.executions)
        for tag in batch.tags:
            tags = self.tags.setdefault((tag.entity_type, tag.entity_id), [])
            if (tag.key, tag.value) not in tags:
                tags.append((tag.key, tag.value))
        self._record_handles(batch)

    def find_handles(self, handle_hashes: Sequence[str]) -> Mapping[str, bool]:
        return {key: self.handles[key].is_valid for key in handle_hashes if key in self.handles}

    def find_states_after(self, handle_hashes: Sequence[str]) -> Collection[str]:
        def list_children(state: str) -> Iterable[str]:
            return self._states_after.get(state, ())

        found = walk_states(self.handles.keys() & set(handle_hashes), list_children, lambda key: self.handles[key].key)
        return [state for state in found if self.handles[state].is_valid]

    def _record_handles(self, batch: Batch) -> None:
        for record in batch.handles.records.values():
            known = self.handles.get(record.hash)
            parents = record.parents if known is None else tuple(dict.fromkeys((*known.parents, *record.parents)))
            self.handles[record.hash] = record._replace(parents=parents)
            for parent in record.parents:
                self._states_after.setdefault(parent, {})[record.hash] = None
        for handle_hash in batch.handles.invalid & self.handles.keys():
            self.handles[handle_hash] = self.handles[handle_hash]._replace(is_valid=False)

    def _record_call(self, call: CallRecord) -> None:
        self.calls[call.call_hash] = call
        group = self._calls_of.setdefault((call.task_hash, call.arguments.args_hash), [])
        insort(group, call, key=attrgetter("timestamp"))
        self._calls_named.setdefault(call.task_name, []).append(call)
        arguments = [*call.arguments.positional, *call.arguments.keyword.values()]
        for path in {path for value in arguments for path in find_files(value)}:
            self._calls_given.setdefault((call.task_name, path), []).append(call)


def _list_values(batch: Batch) -> Iterator[EncodedValue]:
    yield from batch.tasks.values()
    yield from batch.values.values()
    yield from (record.value for record in batch.handles.records.values())
    for evaluation in batch.evaluations:
        yield evaluation.value
    for call in batch.calls:
        yield call.result
        yield from call.arguments.positional
        yield from call.arguments.keyword.values()
        if call.context is not None:
            yield call.context


def _stored(value: EncodedValue) -> EncodedValue:
    """Return a value as a look-up gives it: without the values inside it, which are recorded on their own."""
    return EncodedValue(value.value_hash, value.type_name, value.format, value.data)
