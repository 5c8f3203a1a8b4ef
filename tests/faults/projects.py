"""A folder with a workflow and a store, and what can be told of it from outside.

Each task of the workflow notes, before anything else, that it was started: in a file that no fault touches. What the
store has recorded is read from a copy of its files, the tables with plain SQL and the journals frame by frame, so that
looking changes nothing.
"""

import pickle
import shutil
import sqlite3
import tempfile
from contextlib import closing, suppress
from pathlib import Path

from redun.values.registry import get_type_registry
from redun_backend_sql.journal.batches import unpack_batch
from redun_backend_sql.journal.frames import Damage, read_frames

STORE = ".redun"
"""The configuration folder of a project."""

VALUES = "values"
"""The folder of the value store, in the configuration folder."""

WORKFLOW = """
import os, time
from faults.shim import arm
from redun import task

redun_namespace = "faults"

def note(label):
    with open(os.environ["FAULTS_NOTES"], "a") as stream:
        stream.write(label + "\\n")

@task()
def step(layer, number, before):
    note(f"step-{layer}-{number}")
    return f"step-{layer}-{number}"

@task()
def join(layer, parts):
    note(f"join-{layer}")
    return f"join-{layer}"

@task()
def main(layers: int = 3, width: int = 4, first: int = 0) -> str:
    before = "begin"
    for layer in range(layers):
        before = join(layer, [step(layer, number, before) for number in range(first, first + width)])
    return before

@task()
def wait_for_gate():
    note("gate")
    while not os.path.exists("gate"):
        time.sleep(0.005)
    arm()
    return "gate"

@task()
def gated() -> str:
    return join(0, [wait_for_gate()])
"""

_LABELS = "SELECT value_hash, value FROM evaluation JOIN value USING (value_hash) WHERE type = 'builtins.str'"
_VALUES = "SELECT value_hash, value FROM value WHERE type = 'builtins.str'"


class Project:
    """A folder with a workflow.

    Parameters
    ----------
    folder
        The folder; it is made if need be.
    place
        Where in it the configuration folder is.

    Attributes
    ----------
    store : Path
        The configuration folder, in which faults happen.
    options : tuple of str
        What lets ``redun`` use it.
    notes : Path
        Which tasks were started.
    """

    def __init__(self, folder, place=STORE):
        self.folder, self.place = Path(folder), place
        self.folder.mkdir(exist_ok=True)
        self.store = self.folder / place
        self.options = () if place == STORE else ("-c", place)
        self.notes = self.folder / "notes"

    def copy(self, folder):
        """Return a copy of it in another folder."""
        shutil.copytree(self.folder, folder)
        return Project(folder, self.place)

    def list_started(self):
        """Return the labels of the tasks that were started, in order."""
        return self.notes.read_text().split() if self.notes.exists() else []

    def forget_started(self):
        """Forget which tasks were started."""
        self.notes.unlink(missing_ok=True)

    def find_recorded(self):
        """Return the labels of the tasks whose results are recorded, in the tables or in a journal."""
        with tempfile.TemporaryDirectory() as copied:
            for path in self.store.glob("redun.db*"):
                if not path.name.endswith("-shm"):
                    shutil.copy(path, copied)
            labels = set(_list_journaled(Path(copied)))
            if Path(copied, "redun.db").exists():
                with closing(sqlite3.connect(Path(copied, "redun.db"))) as connection:
                    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
                    rows = connection.execute(_LABELS) if {"evaluation", "value"} <= tables else ()
                    labels.update(pickle.loads(data) for _, data in self._complete(rows))
        return labels

    def _complete(self, rows):
        """Yield the addresses and bytes of values, as far as they are in their rows or in the value store."""
        for value_hash, data in rows:
            blob = self.store / VALUES / value_hash[:2] / value_hash[2:]
            if data or blob.exists():
                yield value_hash, data or blob.read_bytes()

    def find_recorded_live(self):
        """Return what `find_recorded` does while the store is in use."""
        labels = set(_list_journaled(self.store))
        with closing(sqlite3.connect(self.store / "redun.db", timeout=60)) as connection:
            return labels | {pickle.loads(data) for _, data in connection.execute(_LABELS)}

    def find_faults(self):
        """Return what is wrong with the tables, as sentences; the store is not in use."""
        with closing(sqlite3.connect(self.store / "redun.db")) as connection:
            found = [f"integrity: {text}" for (text,) in connection.execute("PRAGMA integrity_check") if text != "ok"]
            found += [f"dangling reference: {row}" for row in connection.execute("PRAGMA foreign_key_check")]
            for value_hash, data in self._complete(connection.execute(_VALUES)):
                if get_type_registry().encode(pickle.loads(data)).value_hash != value_hash:
                    found.append(f"value {value_hash} has another hash")
        return found

    def list_leftovers(self):
        """Return the names of files that belong there only while a command runs."""
        kept = {"redun.ini", "redun.db", VALUES}
        return sorted(path.name for path in self.store.iterdir() if path.name not in kept)


def _list_journaled(folder):
    for path in folder.glob("*.journal"):
        with suppress(FileNotFoundError), path.open("rb") as stream:
            for content in read_frames(stream):
                if isinstance(content, Damage):
                    break
                for evaluation in unpack_batch(content).evaluations:
                    if evaluation.value.type_name == "builtins.str":
                        yield pickle.loads(evaluation.value.data)
