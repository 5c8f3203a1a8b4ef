"""A store that only caches: each batch of records is a file of a folder.

A file is renamed to its name when it is complete, so a batch is there as a whole or not at all, and any number of
processes can share a folder. Names begin with the time, so that the newest result comes last.
"""

import pickle
import time
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

from redun.backends.base import Backend, Batch
from redun.backends.memory import MemoryBackend


@dataclass(frozen=True)
class FilesOptions:
    folder: str = field(default="batches", metadata={"help": "where the files are"})
    config_dir: str = field(default=".", metadata={"help": "the folder that paths are relative to"})


class FilesBackend(Backend):
    options_type = FilesOptions

    def __init__(self, options: FilesOptions) -> None:
        super().__init__(options)
        self.folder = Path(options.config_dir, options.folder)
        self._index, self._read = MemoryBackend(), set()

    def load(self):
        self.folder.mkdir(parents=True, exist_ok=True)

    def lookup(self, eval_hashes):
        return self._catch_up().lookup(eval_hashes)

    def lookup_calls(self, keys):
        return self._catch_up().lookup_calls(keys)

    def record(self, batch):
        kept = Batch(evaluations=batch.evaluations, calls=batch.calls)
        MemoryBackend().record(kept)  # Fails when the batch can't be read, before anybody else has to.
        draft = self.folder / f"{uuid4()}.draft"
        draft.write_bytes(pickle.dumps(kept))
        draft.rename(self.folder / f"{time.time_ns()}-{draft.stem}.batch")

    def _catch_up(self):
        """Read what was recorded since the last time, by whomever; memory is the index of the files."""
        for path in sorted(set(self.folder.glob("*.batch")) - self._read):
            self._index.record(pickle.loads(path.read_bytes()))
            self._read.add(path)
        return self._index
