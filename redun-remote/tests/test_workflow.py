"""Workflows on the subprocess executor, beside the same on threads."""

import logging
import sys
from contextlib import closing

import pytest

from redun import Scheduler
from redun.config import Config
from redun.errors import ExecutorError
from redun.scripting import ScriptError
from redun.utils import add_import_path, clear_import_paths

FLOW = """
from redun import File, cond, catch, script, task

redun_namespace = "remote_flow"


@task()
def add(a, b):
    print("adding", a, b)
    return a + b


@task()
def write(path, text):
    file = File(path)
    file.write(text)
    return file


@task()
def recover(error):
    return f"recovered from {type(error).__name__}: {error}"


@task()
def fail(text):
    raise ValueError(text)


@task()
def total(n):
    return add(n, total(n - 1)) if n else 0


@task(script=True)
def greet(name):
    return f"echo hello {name}"


@task()
def compute():
    return {
        "total": total(2),
        "lazy": [add(1, 2) + add(3, 4)],
        "caught": catch(fail("on purpose"), ValueError, recover),
        "script": greet("you"),
    }


@task()
def copy(folder):
    source = write(f"{folder}/a.txt", "b\\na\\n")
    return [source, sort_lines(source, f"{folder}/b.txt")]


@task()
def count(path):
    with open(path, "a") as file:
        file.write("x")
    return len(open(path).read())


@task()
def where():
    import os

    return os.getcwd()


@task()
def sort_lines(source, target):
    return script("sort in > out", inputs=[source.stage("in")], outputs=File(target).stage("out"), tempdir=True)
"""


@pytest.fixture
def flow(tmp_path, monkeypatch):
    """The module of a workflow, in a folder that is packed as code."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "remote_flow.py").write_text(FLOW)
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "path", [*sys.path])
    add_import_path(str(folder))
    import remote_flow

    yield remote_flow
    del sys.modules["remote_flow"]
    clear_import_paths()


@pytest.fixture
def open_scheduler(tmp_path):
    """A function that opens a scheduler whose default executor is of a type, with a store in memory."""

    def make(kind, **options):
        section = {"type": kind, "max_workers": "2", **options}
        return closing(Scheduler(Config({"executors.default": section}, str(tmp_path / "config"))))

    return make


def list_runs(scheduler):
    """Return the names of the tasks that the last execution ran."""
    last = max(scheduler.backend.executions.values(), key=lambda each: each.updated_time)
    jobs = [job for job in scheduler.backend.jobs.values() if job.execution_id == last.id]
    return sorted(scheduler.backend.tasks[job.task_hash].subtype.name for job in jobs if not job.cached)


def root_call(scheduler):
    """Return the address of the call of the last execution's root job."""
    last = max(scheduler.backend.executions.values(), key=lambda each: each.updated_time)
    return scheduler.backend.jobs[last.job_id].call_hash


def test_same_on_threads_and_in_subprocesses(flow, open_scheduler):
    """A workflow gives the same result, the same call graph and the same cache hits wherever its tasks run."""
    found = {}
    for kind in ("local", "subprocess"):
        with open_scheduler(kind) as scheduler:
            result = scheduler.run(flow.compute())
            cold, call_hash = list_runs(scheduler), root_call(scheduler)
            again = scheduler.run(flow.compute())
            found[kind] = (result, cold, call_hash, again, list_runs(scheduler), root_call(scheduler))

    assert found["subprocess"] == found["local"]
    assert found["local"][0]["caught"] == "recovered from ValueError: on purpose"


def test_files_and_scripts(flow, open_scheduler, tmp_path):
    """Files that remote tasks and scripts write are results, which are known the next time."""
    with open_scheduler("subprocess") as scheduler:
        source, target = scheduler.run(flow.copy(str(tmp_path)))
        scheduler.run(flow.copy(str(tmp_path)))

        assert (source.read(), target.read()) == ("b\na\n", "a\nb\n")
        assert list_runs(scheduler) == []


def test_output_is_logged_and_shown_with_errors(flow, open_scheduler, caplog):
    """What a remote task prints is logged as it comes; the last of it is shown with its error."""
    with open_scheduler("subprocess") as scheduler, caplog.at_level(logging.INFO, "redun"):
        scheduler.run(flow.add(1, 2))
        with pytest.raises(ValueError, match="broken") as caught:
            scheduler.run(flow.fail("broken"))

    assert any("adding 1 2" in record.getMessage() for record in caplog.records)
    frame = caught.value.redun_traceback.frames[-1]
    assert (frame.name, frame.filename, frame.line) == ("fail", flow.__file__, "raise ValueError(text)")


def test_run_without_cache_takes_no_output(flow, open_scheduler, tmp_path):
    """An execution without the cache makes every call again, also those with an output in the scratch space."""
    counter = tmp_path / "count"
    with open_scheduler("subprocess") as scheduler:
        results = [scheduler.run(flow.count(str(counter)), cache=cache) for cache in (True, False)]
    with open_scheduler("subprocess") as scheduler:
        results.append(scheduler.run(flow.count(str(counter))))

    assert results == [1, 2, 1]


def test_s3_is_a_scratch_space(flow, open_scheduler, s3_folder):
    """The scratch space may be in S3."""
    with open_scheduler("subprocess", scratch=s3_folder) as scheduler:
        assert scheduler.run(flow.add(1, 2)) == 3


@pytest.mark.slow
def test_scripts_travel_through_s3(flow, open_scheduler, s3_folder):
    """Scripts, their output and their files may be in S3 too."""
    with open_scheduler("subprocess", scratch=s3_folder) as scheduler:
        source = flow.write(f"{s3_folder}/a", "b\n")
        hello, sorted_file = scheduler.run([flow.greet("S3"), flow.sort_lines(source, f"{s3_folder}/b")])

        assert (hello, sorted_file.read()) == (b"hello S3\n", "b\n")


def test_code_that_is_not_sent_is_missed(flow, open_scheduler):
    """Without the module in the code package, the error says where it was looked for and what to set."""
    with (
        open_scheduler("subprocess", code_excludes="remote_flow.py") as scheduler,
        pytest.raises(ExecutorError, match=r"can't import module remote_flow.*it is not in the code package"),
    ):
        scheduler.run(flow.add(1, 2))


def test_work_dir_is_where_tasks_run(flow, open_scheduler, tmp_path):
    """With work_dir, tasks run in that folder, with the code that is there."""
    with open_scheduler("subprocess", work_dir=str(tmp_path / "project")) as scheduler:
        assert scheduler.run(flow.where()) == str(tmp_path / "project")


def test_failing_script_says_why(flow, open_scheduler):
    """A script that fails on a remote executor fails as it does on this machine."""
    with open_scheduler("subprocess") as scheduler, pytest.raises(ScriptError) as caught:
        scheduler.run(flow.greet("you; exit 4"))

    assert caught.value.exit_code == 4
