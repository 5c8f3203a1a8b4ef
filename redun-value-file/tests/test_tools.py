import builtins
import pdb
from pathlib import Path

import pytest

from redun import Scheduler
from redun.backends.memory import MemoryBackend
from redun.errors import RedunError
from redun.file import ContentDir, ContentFile, Dir, File
from redun.registry import get_task_registry
from redun.tools import copy_dir, copy_file, copy_files, debug_task, render_template


@pytest.fixture
def run():
    """Returns the result of an expression and how many jobs were not answered from the cache."""
    backend = MemoryBackend()
    known = set()

    def run_workflow(expr):
        with Scheduler(backend=backend) as scheduler:
            result = scheduler.run(expr)
        new = [job for key, job in backend.jobs.items() if key not in known and not job.cached]
        known.update(backend.jobs)
        return result, len(new)

    return run_workflow


def make(folder, *names):
    for name in names:
        path = Path(folder, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)


@pytest.mark.parametrize("name", ["debug_task", "copy_file", "copy_files", "copy_dir", "render_template"])
def test_tasks_are_known_by_version(name):
    """The tasks of the module are redun's own, and stay the same as long as their version does."""
    task = get_task_registry().get(f"redun.{name}")

    assert (task.namespace, task.version) == ("redun", "1")


def test_file_is_copied(run, tmp_path):
    """Copying a file gives the copy; it is copied again when the source changes or the copy is gone, and only then."""
    make(tmp_path, "a")
    source, path = File(tmp_path / "a"), str(tmp_path / "b")
    seen = []

    for step in ("first", "again", "gone", "edited"):
        if step == "gone":
            Path(path).unlink()
        if step == "edited":
            Path(source.path).write_text("other")
        copied, count = run(copy_file(File(source.path), path))
        seen.append((copied.read(), count > 0))

    assert seen == [("a", True), ("a", False), ("a", True), ("other", True)]


def test_folder_keeps_the_name(run, tmp_path):
    """A destination with a slash at its end is a folder."""
    make(tmp_path, "a.txt")

    copied, _ = run(copy_file(ContentFile(tmp_path / "a.txt"), f"{tmp_path}/new/"))

    assert (type(copied), copied.path, copied.read()) == (ContentFile, f"{tmp_path}/new/a.txt", "a.txt")


def test_existing_files_may_be_left(run, tmp_path):
    """What exists is left if that is asked for, which makes no other call of it."""
    make(tmp_path, "a", "b")

    kept, first = run(copy_file(File(tmp_path / "a"), str(tmp_path / "b"), skip_if_exists=True))
    _, second = run(copy_file(File(tmp_path / "a"), str(tmp_path / "b"), skip_if_exists=False))

    assert (kept.read(), first > 0, second) == ("b", True, 0)


def test_files_are_copied_in_order(run, tmp_path):
    """Several files are copied each to its path."""
    make(tmp_path, "a", "b")

    copies, _ = run(copy_files([File(tmp_path / "a"), File(tmp_path / "b")], [f"{tmp_path}/c", f"{tmp_path}/d/"]))

    assert [(copied.path, copied.read()) for copied in copies] == [(f"{tmp_path}/c", "a"), (f"{tmp_path}/d/b", "b")]


def test_files_need_as_many_paths(run, tmp_path):
    """A path is needed for each file."""
    with pytest.raises(ValueError, match="shorter"):
        run(copy_files([File(tmp_path / "a")], []))


@pytest.mark.parametrize("kind", [Dir, ContentDir])
def test_directory_is_copied(run, tmp_path, kind):
    """Copying a directory gives the copy as it is then; it is kept while both are as they were, and brought back."""
    make(tmp_path / "d", "a", "sub/b")
    seen = []

    for step in ("first", "again", "gone", "more"):
        if step == "gone":
            (tmp_path / "e" / "sub" / "b").unlink()
        if step == "more":
            make(tmp_path / "d", "c")
        copied, count = run(copy_dir(kind(tmp_path / "d"), str(tmp_path / "e")))
        seen.append(([copied.rel_path(file.path) for file in copied], copied.is_valid(), count > 0))

    assert type(copied) is kind
    assert seen == [
        (["a", "sub/b"], True, True),
        (["a", "sub/b"], True, False),
        (["a", "sub/b"], True, True),
        (["a", "c", "sub/b"], True, True),
    ]


def test_template_is_filled_in(run, tmp_path):
    """A template is filled in with values and with the templates that it includes."""
    make(tmp_path / "parts", "head")
    template = File(tmp_path / "t")
    template.write("{% include 'head' %}\n{% for n in names %}{{ n }};{% endfor %}\n")

    made, _ = run(render_template(str(tmp_path / "out"), template, {"names": ["a<", "b"]}, str(tmp_path / "parts")))

    assert made.read() == "head\na<;b;\n"


def test_template_without_the_library(run, tmp_path, monkeypatch):
    """Without jinja2 the error says what to install."""
    make(tmp_path, "t")
    original = builtins.__import__

    def refuse(name, *args, **kwargs):
        if name == "jinja2":
            raise ImportError(name)
        return original(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", refuse)

    with pytest.raises(RedunError, match=r"pip install 'redun-value-file\[templates\]'"):
        run(render_template(str(tmp_path / "out"), File(tmp_path / "t"), {}))


def test_debugger_is_opened_each_time(run, monkeypatch):
    """The debugger is opened whenever the workflow gets there, cached or not, and the value passed on."""
    opened = []
    monkeypatch.setattr(pdb, "set_trace", lambda: opened.append(True))

    results = [run(debug_task([1]))[0] for _ in range(2)]

    assert (results, opened) == ([[1], [1]], [True, True])
