"""A good store: a folder of batches, with a journal and claims, that any number of processes share."""

import os
import pickle
import time
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from uuid import uuid4

from redun.backends.memory import MemoryBackend
from redun.backends.sharing import Share


@dataclass(frozen=True)
class FolderOptions:
    config_dir: str = field(metadata={"help": "where it is"})


def mean_durations(store, task_names, counts=lambda job: not job.cached):
    """Return the mean of what jobs that count took, by the names of their tasks."""
    took = {}
    for job in store.jobs.values():
        if job.end_time is not None and counts(job):
            definition = store.tasks[job.task_hash].subtype
            name = ".".join(filter(None, (definition.namespace, definition.name)))
            took.setdefault(name, []).append(job.end_time - job.start_time)
    return {name: fmean(took[name]) for name in task_names if name in took}


class Folder(MemoryBackend):
    """Each batch is a file, each batch in the journal another one; memory is an index of what was read."""

    options_type = FolderOptions
    journal_delay = 0.05

    def __init__(self, options):
        super().__init__(options)
        self.folder = Path(options.config_dir)
        self.known, self.journaled, self.pause = set(), [], lambda: None

    def load(self):
        for path in self.folder.glob("*.journal"):
            if not is_alive(path.name.split("-")[1]):
                path.rename(path.with_suffix(".batch"))

    def refresh(self):
        for path in sorted(self.folder.glob("*.batch")):
            if path.name not in self.known:
                self.known.add(path.name)
                super().record(pickle.loads(path.read_bytes()))

    def lookup(self, keys):
        self.refresh()
        return super().lookup(keys)

    def lookup_calls(self, keys):
        self.refresh()
        return super().lookup_calls(keys)

    def find_tasks(self, keys):
        self.refresh()
        return super().find_tasks(keys)

    def find_calls(self, task_name, paths=()):
        self.refresh()
        return super().find_calls(task_name, paths)

    def find_durations(self, task_names):
        self.refresh()
        return mean_durations(self, task_names)

    def find_handles(self, handle_hashes):
        self.refresh()
        return super().find_handles(handle_hashes)

    def find_states_after(self, handle_hashes):
        self.refresh()
        return super().find_states_after(handle_hashes)

    def record(self, batch):
        MemoryBackend().record(batch)  # It fails if the batch can't be read.
        journaled, self.journaled = self.journaled, []
        self.pause()
        self.write(batch, ".batch")
        for path in journaled:
            path.unlink()

    def set_pause(self, pause):
        self.pause = pause

    def journal(self, batch):
        self.journaled.append(self.write(batch, ".journal"))

    def write(self, batch, suffix):
        draft = self.folder / uuid4().hex
        draft.write_bytes(pickle.dumps(batch))
        return draft.rename(self.folder / f"{time.time_ns():020}-{os.getpid()}-{uuid4().hex}{suffix}")

    def share(self, execution_id):
        return FolderShare(self.folder, execution_id)


class FolderShare(Share):
    """An execution is a file with the id of its process, a claim one with the name of the execution."""

    def __init__(self, folder, execution_id):
        self.folder, self.id = folder, execution_id
        self.own = self.find_owner(execution_id)
        self.own.write_text(f"{os.getpid()}")

    def find_owner(self, execution_id):
        return self.folder / f"{execution_id}.owner"

    def is_alive(self, execution_id):
        owner = self.find_owner(execution_id)
        return owner.exists() and is_alive(owner.read_text())

    def find_rivals(self):
        owners = {path.stem: path.stat().st_mtime_ns for path in self.folder.glob("*.owner") if path != self.own}
        return {name: mark for name, mark in owners.items() if self.is_alive(name)}

    def beat(self):
        os.utime(self.own, ns=(0, max(time.time_ns(), self.own.stat().st_mtime_ns + 1)))

    def claim(self, eval_hashes):
        return [key for key in eval_hashes if not self.has(key)]

    def has(self, key):
        claim, draft = self.folder / f"{key}.claim", self.folder / uuid4().hex
        draft.write_text(self.id)
        try:
            os.link(draft, claim)
        except FileExistsError:
            if not self.is_alive(claim.read_text()):
                draft.rename(claim)
        draft.unlink(missing_ok=True)
        return claim.read_text() == self.id

    def release(self, eval_hashes):
        for key in eval_hashes:
            (self.folder / f"{key}.claim").unlink()

    def leave(self):
        self.release([path.stem for path in self.folder.glob("*.claim") if path.read_text() == self.id])
        self.own.unlink()


def is_alive(process):
    """Whether a process runs; one that has ended, but was not waited for yet, does not."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
