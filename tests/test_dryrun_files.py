"""A dry run finds the file that changed among many, in a store on disk."""

import pytest

from redun import File, Scheduler, task
from redun.config import Config
from redun.errors import DryRunResult

redun_namespace = "test_dryrun_files"
COUNT = 150


@task()
def align(sample, reference):
    return len(sample.read()) + len(reference.read())


@task()
def align_all(folder, count):
    return [align(File(f"{folder}/sample{number}.txt"), File(f"{folder}/ref.txt")) for number in range(count)]


@pytest.fixture
def scheduler(tmp_path):
    """A scheduler with a store on disk."""
    with Scheduler(Config({"backend": {"db_uri": f"sqlite:///{tmp_path}/redun.db"}})) as scheduler:
        yield scheduler


@pytest.fixture
def folder(tmp_path, scheduler):
    """A folder with many files, each of which a recorded call has read, and one that changed since."""
    (tmp_path / "ref.txt").write_text("ref")
    for number in range(COUNT):
        (tmp_path / f"sample{number}.txt").write_text("x" * number)
    scheduler.run(align_all(str(tmp_path), COUNT))
    (tmp_path / "sample3.txt").write_text("changed")
    return tmp_path


def explain(scheduler, expr):
    """Return why the only call that would run would."""
    with pytest.raises(DryRunResult) as found:
        scheduler.run(expr, dryrun=True)
    ((misses,),) = [list(found.value.misses.values())]
    return misses.examples[0].explanation


def test_changed_file_in_a_recorded_result_is_named(scheduler, folder):
    """A recorded result that calls a task with a file which changed since is explained by that file."""
    explanation = explain(scheduler, align_all(str(folder), COUNT))

    assert explanation.reason == "the recorded result is no longer valid"
    assert [line.partition(", hash=")[0] for line in explanation.details] == [f"File(path={folder}/sample3.txt"]


def test_changed_file_among_the_arguments_is_named(scheduler, folder):
    """Of many calls that share a file, the one that was given the same file before is compared."""
    changed = f"{folder}/sample3.txt"

    explanation = explain(scheduler, align(File(changed), File(f"{folder}/ref.txt")))

    assert explanation.reason == f"file {changed!r} changed"
    (detail,) = explanation.details
    assert detail.startswith(f"sample: file {changed!r} changed (hash ")


def test_new_file_is_told_from_a_changed_one(scheduler, folder):
    """A file of which no call is recorded is compared with the latest call, and shown as another file."""
    (folder / "new.txt").write_text("new")

    explanation = explain(scheduler, align(File(f"{folder}/new.txt"), File(f"{folder}/ref.txt")))

    assert explanation.reason == "argument sample changed"
    assert explanation.details[0].endswith("/new.txt'")
