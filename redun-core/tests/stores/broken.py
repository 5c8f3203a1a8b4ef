"""Stores in memory that break the contract of stores, each in its own way."""

import threading
from dataclasses import dataclass

from redun.backends.base import Batch, EvaluationRecord
from redun.backends.memory import MemoryBackend
from redun.hashing import hash_eval

from .folder import mean_durations

EVERYTHING = {}


@dataclass(frozen=True)
class BareOptions:
    size: int = 1


class Undescribed(MemoryBackend):
    options_type = BareOptions


class Textual(MemoryBackend):
    def record(self, batch):
        def change(value):
            return value._replace(data=value.data.decode("utf-8", "replace").encode())

        evaluations = [item._replace(value=change(item.value)) for item in batch.evaluations]
        calls = [call._replace(result=change(call.result)) for call in batch.calls]
        super().record(Batch(batch.tasks, batch.values, evaluations, calls))


class Empty(MemoryBackend):
    def lookup(self, keys):
        return {key: value for key, value in super().lookup(keys).items() if value.data}


class Small(MemoryBackend):
    def lookup(self, keys):
        return {key: value._replace(data=value.data[: 2**20]) for key, value in super().lookup(keys).items()}


class Vague(MemoryBackend):
    def lookup(self, keys):
        return {key: super(Vague, self).lookup([key]).get(key) for key in keys}


class Narrow(MemoryBackend):
    def lookup(self, keys):
        assert len(keys) <= 500
        return super().lookup(keys)

    def lookup_calls(self, keys):
        keys = list(keys)
        assert len(keys) <= 500
        return super().lookup_calls(keys)


class Generous(MemoryBackend):
    def lookup(self, keys):
        return super().lookup(list(self.evaluations))


class Unrepeating(MemoryBackend):
    def lookup(self, keys):
        assert len(set(keys)) == len(keys)
        return super().lookup(keys)


class Short(MemoryBackend):
    def record(self, batch):
        super().record(batch)
        self.evaluations.update((item.eval_hash[:8], item) for item in batch.evaluations)

    def lookup(self, keys):
        return {key: value for key in keys for value in super(Short, self).lookup([key[:8]]).values()}


class Stale(MemoryBackend):
    def record(self, batch):
        known = self.evaluations.copy()
        super().record(batch)
        self.evaluations.update(known)


class Repeating(MemoryBackend):
    def record(self, batch):
        known = [call for call in batch.calls if call and call.call_hash in self.calls]
        super().record(batch)
        for call in known:
            self._record_call(call)


class Torn(MemoryBackend):
    def record(self, batch):
        for evaluation in batch.evaluations:
            super().record(Batch(batch.tasks, evaluations=[evaluation]))
        super().record(Batch(batch.tasks, batch.values, [], batch.calls, batch.jobs, batch.job_ends))


class Dropping(MemoryBackend):
    def record(self, batch):
        super().record(Batch(batch.tasks, batch.values, batch.evaluations[:500], batch.calls[:500]))


class Forgetful(MemoryBackend):
    def record(self, batch):
        self.evaluations = dict(list(self.evaluations.items())[-200:])
        super().record(batch)


class Nervous(MemoryBackend):
    def record(self, batch):
        assert len(batch)
        super().record(batch)


class Tagged(MemoryBackend):
    def record(self, batch):
        super().record(batch)
        for tag in batch.tags:
            self._contexts.setdefault(tag.entity_id, set()).add(tag.key)


class Strict(MemoryBackend):
    is_open = False

    def load(self):
        assert not self.is_open
        self.is_open = True

    def close(self):
        self.is_open = False


class Bound(MemoryBackend):
    def load(self):
        self.thread = threading.get_ident()

    def record(self, batch):
        assert threading.get_ident() == self.thread
        super().record(batch)


class Common(MemoryBackend):
    def __init__(self, options=None):
        super().__init__(options)
        self.evaluations = EVERYTHING


class Altered(MemoryBackend):
    def lookup_calls(self, keys):
        found = super().lookup_calls(keys)
        return {key: [self.alter(call) for call in calls] for key, calls in found.items()}


class Childless(Altered):
    def alter(self, call):
        return call._replace(subtree=frozenset([self.calls[call.call_hash].task_hash]))


class Contextless(Altered):
    def alter(self, call):
        return call._replace(contexts=frozenset())


class OldestFirst(MemoryBackend):
    def lookup_calls(self, keys):
        return {key: calls[::-1] for key, calls in super().lookup_calls(keys).items()}


class Renewing(MemoryBackend):
    def record(self, batch):
        for call in batch.calls:
            key = call.task_hash, call.arguments.args_hash
            self.calls.pop(call.call_hash, None)
            self._calls_of[key] = [old for old in self._calls_of.get(key, []) if old.call_hash != call.call_hash]
        super().record(batch)


class Argumentative(MemoryBackend):
    def lookup_calls(self, keys):
        named = {args_hash: calls for (_, args_hash), calls in super().lookup_calls(list(self._calls_of)).items()}
        return {key: named[key[1]] for key in keys if key[1] in named}


class Mingling(MemoryBackend):
    def record(self, batch):
        super().record(batch)
        for call in batch.calls:
            key = hash_eval(call.task_hash, call.arguments.args_hash)
            self.evaluations.setdefault(key, EvaluationRecord(key, call.task_hash, "", call.result))


class Formatting(MemoryBackend):
    def record(self, batch):
        for call in batch.calls:
            call.task_name % ()
        super().record(batch)


class Unaware(MemoryBackend):
    def find_tasks(self, task_hashes):
        return list(super().find_tasks(task_hashes))[:100]


class Presuming(MemoryBackend):
    def find_unrecorded(self, call_hashes):
        return list(super().find_unrecorded(call_hashes))[:100]


class PastOldestFirst(MemoryBackend):
    def find_calls(self, task_name, paths=()):
        return super().find_calls(task_name, paths)[::-1]


class PastByEnd(MemoryBackend):
    def find_calls(self, task_name, paths=()):
        names = [name for name in self._calls_named if name.endswith(task_name)]
        return [call for name in names for call in super(PastByEnd, self).find_calls(name, paths)]


class PastWithoutPaths(MemoryBackend):
    def find_calls(self, task_name, paths=()):
        return super().find_calls(task_name)


class PastWithoutEnd(MemoryBackend):
    def find_calls(self, task_name, paths=()):
        return [self._past_call(call) for call in reversed(self._calls_named.get(task_name, []))]


class PastWithoutBeginning(MemoryBackend):
    def find_calls(self, task_name, paths=()):
        return [self._past_call(call) for call in self._calls_named[task_name]]


class Indiscriminate(MemoryBackend):
    def find_durations(self, task_names):
        return mean_durations(self, task_names, counts=lambda job: True)


class Untimed(MemoryBackend):
    def find_durations(self, task_names):
        return dict.fromkeys(task_names, 0.0)


class Amnesiac(MemoryBackend):
    def lookup(self, keys):
        return {}


class Credulous(MemoryBackend):
    def find_handles(self, handle_hashes):
        return dict.fromkeys(super().find_handles(handle_hashes), True)


class Believing(MemoryBackend):
    def record(self, batch):
        valid = {key: state for key, state in self.handles.items() if state.is_valid}
        super().record(batch)
        self.handles.update(valid)


class Mixing(MemoryBackend):
    def find_states_after(self, handle_hashes):
        found, stack = set(), list(handle_hashes)
        while stack:
            new = set(self._states_after.get(stack.pop(), ())) - found
            found |= new
            stack += new
        return [state for state in found if self.handles[state].is_valid]


class Nearsighted(MemoryBackend):
    def find_states_after(self, handle_hashes):
        assert len(handle_hashes) <= 1_000
        return super().find_states_after(handle_hashes)
