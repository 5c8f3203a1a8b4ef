import os
import sqlite3
from dataclasses import dataclass
from pathlib import Path

import pytest

from redun import Scheduler, cond, task
from redun.backends.memory import MemoryBackend
from redun.executors.local import LocalExecutor
from redun.file import ContentFile, Dir, File, FileSet, IFile
from redun.functools import map_
from redun.values.base import FileSubtype

redun_namespace = "test_file_workflow"


@dataclass
class Report:
    title: str
    file: File


class NotingExecutor(LocalExecutor):
    """Runs tasks on threads and notes the names of those of this module."""

    def __init__(self):
        super().__init__()
        self.ran = []

    def submit_many(self, calls):
        names = [call.task_name.partition(f"{redun_namespace}.") for call in calls]
        self.ran.extend(name for _, own, name in names if own)
        return super().submit_many(calls)


@pytest.fixture(params=["memory", "sql"])
def run(request, tmp_path, monkeypatch):
    """Returns the result of an expression and the names of the tasks that ran; every run is a scheduler of its own."""
    monkeypatch.chdir(tmp_path)
    backend = MemoryBackend()

    def run_workflow(expr):
        config = {"backend": {"db_uri": f"sqlite:///{tmp_path}/redun.db"}} if request.param == "sql" else None
        executor = NotingExecutor()
        with Scheduler(config, backend=None if config else backend, executor=executor) as scheduler:
            return scheduler.run(expr), sorted(executor.ran)

    run_workflow.backend = backend
    return run_workflow


def list_recorded_files(run):
    if run.backend.values:
        found = [(value.subtype, key) for key, value in run.backend.values.items()]
        return {(subtype.path, key) for subtype, key in found if isinstance(subtype, FileSubtype)}
    connection = sqlite3.connect("redun.db")
    try:
        return set(connection.execute("SELECT path, value_hash FROM file"))
    finally:
        connection.close()


@task
def read(file):
    return file.read()


@task
def write(path, text):
    file = File(path)
    file.write(text)
    return file


@task
def copy(file, path):
    return file.copy_to(File(path))


@task
def pipeline(text):
    return copy(write("middle", text), "out")


def edit(path):
    Path(path).write_text("edited")


def touch(path):
    os.utime(path, (5, 5))


def replace_with_directory(path):
    os.remove(path)
    os.mkdir(path)


@pytest.mark.parametrize(
    ("make", "change", "expected"),
    [
        (File, edit, ["read"]),
        (File, touch, ["read"]),
        (File, lambda path: None, []),
        (ContentFile, edit, ["read"]),
        (ContentFile, touch, []),
        (IFile, edit, []),
    ],
)
def test_changed_input_runs_again(run, make, change, expected):
    """A task runs again when an input file is another one by the identity of its kind, and only then."""
    Path("in").write_text("first")
    run(read(make("in")))
    change("in")

    _, actual = run(read(make("in")))

    assert actual == expected


def test_edited_input_gives_the_new_result(run):
    """The result for an edited file is that of the new content; edited back, it is the recorded one again."""
    Path("in").write_text("first")
    touch("in")
    results = [run(read(File("in")))]

    edit("in")
    results.append(run(read(File("in"))))
    Path("in").write_text("first")
    touch("in")
    results.append(run(read(File("in"))))

    assert results == [("first", ["read"]), ("edited", ["read"]), ("first", [])]


def test_missing_input_fails_and_is_tried_again(run):
    """A task that fails for want of a file runs again when the file is there."""
    with pytest.raises(FileNotFoundError, match="in"):
        run(read(File("in")))
    Path("in").write_text("now")

    assert run(read(File("in"))) == ("now", ["read"])


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda: None, []),
        (lambda: edit("out"), ["copy"]),
        (lambda: touch("out"), ["copy"]),
        (lambda: os.remove("out"), ["copy"]),
        (lambda: os.remove("middle"), ["copy", "write"]),
    ],
    ids=["unchanged", "edited", "touched", "deleted", "upstream deleted"],
)
def test_changed_output_is_made_again(run, change, expected):
    """When an output file is no longer what it was, the task that made it runs again, and those that use it."""
    run(pipeline("text"))
    change()

    result, actual = run(pipeline("text"))

    assert actual == expected
    assert (result.read(), result.is_valid()) == ("text", True)


@task
def make_content_file():
    if os.path.isdir("out"):
        os.rmdir("out")
    file = ContentFile("out")
    file.write("text")
    return file


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (touch, []),
        (edit, ["make_content_file"]),
        (os.remove, ["make_content_file"]),
        (replace_with_directory, ["make_content_file"]),
    ],
)
def test_changed_content_is_made_again(run, change, expected):
    """An output known by its content is made again when that changed or is gone."""
    run(make_content_file())
    change("out")

    _, actual = run(make_content_file())

    assert actual == expected


@task
def read_all(value):
    files = value if isinstance(value, (list, tuple)) else value.values() if isinstance(value, dict) else [value.file]
    return [file.read() for file in files]


@task
def make_in(kind):
    file = File("out")
    file.write("text")
    return WRAPPERS[kind](file)


WRAPPERS = {
    "list": lambda file: [file],
    "tuple": lambda file: (file,),
    "dict": lambda file: {"key": file},
    "dataclass": lambda file: Report("title", file),
}


@pytest.mark.parametrize("kind", WRAPPERS)
def test_files_inside_arguments_count(run, kind):
    """A task runs again when a file anywhere inside an argument changed, and is recorded with its path."""
    Path("in").write_text("first")
    first = run(read_all(WRAPPERS[kind](File("in"))))
    same = run(read_all(WRAPPERS[kind](File("in"))))
    edit("in")

    changed = run(read_all(WRAPPERS[kind](File("in"))))

    assert [first, same, changed] == [(["first"], ["read_all"]), (["first"], []), (["edited"], ["read_all"])]
    assert {path for path, _ in list_recorded_files(run)} == {"in"}
    assert len(list_recorded_files(run)) == 2


@pytest.mark.parametrize("kind", WRAPPERS)
def test_files_inside_results_count(run, kind):
    """A task runs again when a file anywhere inside its result is no longer what it was."""
    run(make_in(kind))
    _, same = run(make_in(kind))
    edit("out")

    _, changed = run(make_in(kind))

    assert (same, changed) == ([], ["make_in"])


@task
def read_places(place):
    return sorted(file.read() for file in place)


@pytest.mark.parametrize("make", [lambda: Dir("d"), lambda: FileSet("d/**")])
def test_directories_are_inputs(run, make):
    """A task that takes a directory or a file set runs again when anything in it changed or came."""
    os.makedirs("d/sub")
    Path("d/sub/a").write_text("a")
    results = [run(read_places(make())), run(read_places(make()))]

    Path("d/b").write_text("b")
    results.append(run(read_places(make())))

    assert results == [(["a"], ["read_places"]), (["a"], []), (["a", "b"], ["read_places"])]
    assert {"d/sub/a", "d/b"} <= {path for path, _ in list_recorded_files(run)}


@task
def make_directory():
    directory = Dir("d")
    directory.file("a").write("a")
    directory.file("sub/b").write("b")
    return directory


def test_directories_are_outputs(run):
    """A task that made a directory runs again when a file in it is gone, which brings it back."""
    run(make_directory())
    _, same = run(make_directory())
    os.remove("d/sub/b")

    result, changed = run(make_directory())

    assert (same, changed) == ([], ["make_directory"])
    assert sorted(file.path for file in result) == ["d/a", "d/sub/b"]


def test_files_are_recorded_in_their_state(run):
    """Inputs and outputs are recorded under their paths, each with the hash of the state that it had."""
    Path("in").write_text("first")
    before = File("in").hash
    result, _ = run(copy(File("in"), "out"))
    edit("in")
    after = File("in").hash

    run(copy(File("in"), "out2"))

    assert {("in", before), ("in", after), ("out", result.hash)} <= list_recorded_files(run)


@task
def measure(file):
    return {"text": file.read()}


@task
def add(prefix, file):
    return prefix + file.read()


@task
def get_item():
    return measure(File("in"))["text"]


@task
def add_operands():
    return [read(File("in")) + "!", 1]


@task
def map_partial():
    return map_(add.partial(file=File("in")), ["<"])


@task
def choose():
    return cond(read(File("in")) == "first", "it is", read(File("in")))


@task
def give_partial():
    return add.partial(file=File("in"))


@task
def call_partial():
    return call_given(give_partial())


@task
def call_given(function):
    return function("<")


@pytest.mark.parametrize(
    ("workflow", "expected"),
    [
        (get_item, ["first", "edited"]),
        (add_operands, [["first!", 1], ["edited!", 1]]),
        (map_partial, [["<first"], ["<edited"]]),
        (choose, ["it is", "edited"]),
        (call_partial, ["<first", "<edited"]),
    ],
)
def test_lazy_results_do_not_go_stale(run, workflow, expected):
    """However a recorded result refers to a file, the workflow sees the file as it is now."""
    Path("in").write_text("first")
    results = [run(workflow())[0]]
    unchanged = run(workflow())

    edit("in")
    results.append(run(workflow())[0])

    assert (results, unchanged) == (expected, (expected[0], []))
