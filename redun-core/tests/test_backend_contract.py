"""The contract of stores, kept by the store that the kernel ships, and by one that has only what it must have."""

from redun.backends.base import Backend, StoredCall
from redun.backends.memory import MemoryBackend
from redun.testing import BackendContract


class TestMemory(BackendContract):
    """Dictionaries of this process."""

    is_durable = False
    is_shared = False

    def make_backend(self, folder):
        return MemoryBackend()


class Least(Backend):
    """A store of the three methods that a store must have."""

    def __init__(self, options=None):
        super().__init__(options)
        self.values, self.calls = {}, {}

    def lookup(self, eval_hashes):
        return {key: self.values[key] for key in eval_hashes if key in self.values}

    def lookup_calls(self, keys):
        found = {}
        for key in keys:
            if key in self.calls:
                calls = sorted(self.calls[key].values(), key=lambda call: -call[0])
                found[key] = [call for _, call in calls]
        return found

    def record(self, batch):
        values = {evaluation.eval_hash: evaluation.value for evaluation in batch.evaluations}
        calls = [
            ((call.task_hash, call.arguments.args_hash), call.timestamp, call.context, call.call_hash, call)
            for call in batch.calls
        ]
        self.values.update(values)
        for key, time, context, call_hash, call in calls:
            known = self.calls.setdefault(key, {})
            first, stored = known.get(call_hash, (time, StoredCall(call_hash, call.result, frozenset(call.subtree))))
            contexts = stored.contexts | ({context.value_hash} if context else set())
            known[call_hash] = first, stored._replace(contexts=contexts)


class TestLeast(BackendContract):
    """A store that knows neither tasks nor the past, and forgets jobs."""

    is_durable = False
    is_shared = False

    def make_backend(self, folder):
        return Least()
