import logging
import os
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from redun import Scheduler, task
from redun.backends.memory import MemoryBackend
from redun.file import ContentFile, Dir, File, IFile

redun_namespace = "test_drift"

RAN, MEANWHILE = [], []


@dataclass
class Parcel:
    label: str
    contents: list


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Returns the result of an expression and the names of the tasks that ran; every run is a scheduler of its own."""
    monkeypatch.chdir(tmp_path)
    backend = MemoryBackend()

    def run_workflow(expr, meanwhile=leave, stores_in_database=False):
        RAN.clear()
        MEANWHILE[:] = [meanwhile]
        config = {"backend": {"db_uri": f"sqlite:///{tmp_path}/redun.db"}} if stores_in_database else None
        with Scheduler(config, backend=None if config else backend) as scheduler:
            return scheduler.run(expr), sorted(RAN)

    return run_workflow


@pytest.fixture
def warnings(caplog):
    """What was warned of."""
    caplog.set_level(logging.WARNING, logger="redun")
    return lambda: [record.getMessage() for record in caplog.records if "changed while" in record.getMessage()]


def put(path, text, time):
    Path(path).parent.mkdir(exist_ok=True)
    Path(path).write_text(text)
    os.utime(path, (time, time))


def change():
    """Change the input behind the back of the task that reads it."""
    put("in/a", "changed", 2)


def touch():
    os.utime("in/a", (2, 2))


def add():
    put("in/b", "", 2)


def leave():
    return


@task
def read(value):
    RAN.append("read")
    MEANWHILE[0]()
    return Path("in/a").read_text()


@task(check_valid="shallow")
def shallow():
    RAN.append("shallow")
    return [read(File("in/a"))]


def make_value(kind):
    return {
        "file": lambda: File("in/a"),
        "list": lambda: [1, {"x": File("in/a")}],
        "dataclass": lambda: Parcel("a", [File("in/a")]),
        "content": lambda: ContentFile("in/a"),
        "directory": lambda: Dir("in"),
        "immutable": lambda: IFile("in/a"),
    }[kind]()


@pytest.mark.parametrize(
    ("kind", "meanwhile", "place"),
    [
        ("file", change, "in/a"),
        ("list", change, "in/a"),
        ("dataclass", touch, "in/a"),
        ("content", change, "in/a"),
        ("directory", change, "in"),
        ("directory", add, "in"),
        ("file", leave, None),
        ("directory", leave, None),
        ("content", touch, None),
        ("immutable", change, None),
    ],
)
def test_input_that_changes_meanwhile(run, warnings, kind, meanwhile, place):
    """The result for an input that changed while the task ran is used and not cached, and the input is named."""
    put("in/a", "first", 1)

    first = run(read(make_value(kind)), meanwhile)
    put("in/a", "first", 1)
    Path("in/b").unlink(missing_ok=True)
    second = run(read(make_value(kind)))

    text = "changed" if meanwhile is change else "first"
    assert first == (text, ["read"])
    assert second == (("first", ["read"]) if place else (text, []))
    assert len(warnings()) == bool(place)
    assert all(f"{place!r} changed while task test_drift.read ran" in warning for warning in warnings())


@pytest.mark.parametrize("stores_in_database", [False, True])
def test_shallow_results_above_are_not_cached(run, stores_in_database):
    """A result that was made of one that is not cached is not replayed either, without a look at the calls below."""
    put("in/a", "first", 1)

    first = run(shallow(), change, stores_in_database)
    put("in/a", "first", 1)
    second = run(shallow(), leave, stores_in_database)
    third = run(shallow(), leave, stores_in_database)

    assert [first, second, third] == [(["changed"], ["read", "shallow"]), (["first"], ["read"]), (["first"], [])]


@task
def write():
    RAN.append("write")
    file = File("out")
    file.write("text")
    MEANWHILE[0]()
    return {"made": [file]}


def spoil():
    put("out", "other", 3)


@pytest.mark.parametrize(("meanwhile", "reruns"), [(spoil, True), (leave, False)])
def test_output_that_changes_before_it_is_recorded(run, warnings, meanwhile, reruns):
    """An output that changed between being written and being recorded is named, and the task runs again."""
    run(write(), meanwhile)

    result, ran = run(write())

    assert (result["made"][0].read(), ran) == ("text", ["write"] if reruns else [])
    assert [("'out' changed while task test_drift.write ran" in warning) for warning in warnings()] == [True] * reruns


def test_recorded_calls_stay_whole(run, tmp_path):
    """What is recorded of a call whose input changed refers to nothing that is not recorded."""
    put("in/a", "first", 1)

    run(read(File("in/a")), change, True)

    with closing(sqlite3.connect(tmp_path / "redun.db")) as connection:
        subtrees = connection.execute(
            "SELECT name, task.hash IS NULL FROM call_subtree_task LEFT JOIN task ON task.hash = task_hash"
        ).fetchall()
        evaluations = connection.execute("SELECT task_hash FROM evaluation JOIN task ON hash = task_hash").fetchall()
    assert ("drifted", 0) in subtrees
    assert all(is_missing == 0 for _, is_missing in subtrees)
    assert evaluations == []
