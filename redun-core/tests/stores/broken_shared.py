"""Stores in folders that break the contract of stores, each in its own way."""

from pathlib import Path

from redun.backends.base import Batch
from redun.backends.memory import MemoryBackend
from redun.errors import BackendError

from .folder import Folder, FolderShare


class Fading(Folder):
    def close(self):
        for path in Path(self.options.config_dir).glob("*.batch"):
            path.unlink()


class Blinkered(Folder):
    def load(self):
        super().load()
        self.refresh()
        self.refresh = lambda: None

    def record(self, batch):
        super().record(batch)
        MemoryBackend.record(self, batch)


class LastContext(Folder):
    def refresh(self):
        super().refresh()
        self._contexts = {call: set(sorted(known)[-1:]) for call, known in self._contexts.items()}


class Overwriting(Folder):
    count = 0

    def write(self, name, data):
        self.count += 1
        super().write(f"{self.count:020}", data)


class TornFiles(Folder):
    def record(self, batch):
        for evaluation in batch.evaluations:
            super().record(Batch(batch.tasks, evaluations=[evaluation]))
        super().record(Batch(batch.tasks, calls=batch.calls))


class Late(Folder):
    waiting = None

    def record(self, batch):
        waiting, self.waiting = self.waiting, batch
        if waiting:
            super().record(waiting)

    def close(self):
        if self.waiting:
            super().record(self.waiting)
        self.waiting = None


class Unjournaled(Folder):
    def journal(self, batch):
        pass


class Skipping(Folder):
    skipped = frozenset()

    def journal(self, batch):
        super().journal(batch)
        self.skipped = self.skipped.union(evaluation.eval_hash for evaluation in batch.evaluations)

    def record(self, batch):
        evaluations = [item for item in batch.evaluations if not item or item.eval_hash not in self.skipped]
        super().record(Batch(batch.tasks, batch.values, evaluations, batch.calls))


class Reviving(Folder):
    journaled_last = None

    def journal(self, batch):
        self.journaled_last = self.journaled_last or batch

    def close(self):
        if self.journaled_last:
            super().record(self.journaled_last)


class Busy(Folder):
    is_busy = False

    def record(self, batch):
        self.is_busy = True
        super().record(batch)
        self.is_busy = False

    def journal(self, batch):
        if self.is_busy:
            raise BackendError("busy")
        super().journal(batch)


class Lonely(Folder):
    def share(self, execution_id):
        return LonelyShare(self.folder, execution_id)


class LonelyShare(FolderShare):
    def find_rivals(self):
        return {}


class Asleep(Folder):
    def share(self, execution_id):
        return AsleepShare(self.folder, execution_id)


class AsleepShare(FolderShare):
    def beat(self):
        pass


class Granting(Folder):
    def share(self, execution_id):
        return GrantingShare(self.folder, execution_id)


class GrantingShare(FolderShare):
    def claim(self, eval_hashes):
        return ()


class Stubborn(Folder):
    def share(self, execution_id):
        return StubbornShare(self.folder, execution_id)


class StubbornShare(FolderShare):
    def release(self, eval_hashes):
        pass


class Eternal(Folder):
    def share(self, execution_id):
        return EternalShare(self.folder, execution_id)


class EternalShare(FolderShare):
    def is_alive(self, execution_id):
        return self.find_owner(execution_id).exists()
