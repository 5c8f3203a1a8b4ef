"""Parts of workflows under a scheduler of their own."""

import logging
import sqlite3
import sys
from contextlib import closing
from importlib import reload

import pytest

from redun import Scheduler
from redun.config import Config
from redun.errors import SchedulerError
from redun.scheduler import subrun
from redun.scheduler.extend import extend_run
from redun.utils import add_import_path, clear_import_paths
from redun_remote.subrun import list_load_modules

MODULES = ["subrun_flow"]

FLOW = """
from redun import get_context, task
from redun.scheduler import JobInfo, subrun

redun_namespace = "subrun_flow"


@task()
def add(a, b):
    return a + b


@task()
def total(n):
    return add(n, total(n - 1)) if n else 0


@task()
def fail():
    raise ValueError("below")


@task()
def where(memory=get_context("memory", 0)):
    return memory


@task()
def options(info=JobInfo()):
    return dict(info.options)


@task()
def nested():
    return subrun(options(), "default", load_modules=["subrun_flow"])


@task()
def main(n, executor, **options):
    return [subrun(total(n), executor, load_modules=["subrun_flow"], **options)]
"""


@pytest.fixture
def flow(tmp_path, monkeypatch):
    """The module of a workflow."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "subrun_flow.py").write_text(FLOW)
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "path", [*sys.path])
    add_import_path(str(folder))
    import subrun_flow

    yield subrun_flow
    del sys.modules["subrun_flow"]
    clear_import_paths()


@pytest.fixture
def open_scheduler(tmp_path):
    """A function that opens a scheduler with a database, whose executor "remote" runs tasks in new processes."""

    def make(**backend):
        sections = {
            "backend": {"db_uri": "sqlite:///redun.db", **backend},
            "executors.remote": {"type": "subprocess", "max_workers": "2"},
        }
        (tmp_path / "config").mkdir(exist_ok=True)
        return closing(Scheduler(Config(sections, str(tmp_path / "config"))))

    return make


@pytest.fixture
def select(tmp_path):
    """A function that asks the database."""

    def ask(statement):
        with closing(sqlite3.connect(tmp_path / "config" / "redun.db")) as database:
            return database.execute(statement).fetchall()

    return ask


TREE = """
SELECT child.execution_id = parent.execution_id, task_parent.name, task_child.name
FROM job AS child JOIN job AS parent ON child.parent_id = parent.id
JOIN task AS task_parent ON task_parent.hash = parent.task_hash
JOIN task AS task_child ON task_child.hash = child.task_hash
ORDER BY child.start_time
"""


def test_jobs_stand_under_the_job_of_the_subrun(flow, open_scheduler, select, caplog):
    """The jobs of a subrun belong to the same execution, below the job that ran its scheduler."""
    with open_scheduler() as scheduler, caplog.at_level(logging.INFO, "redun"):
        assert scheduler.run(flow.main(2, "remote")) == [3]

    assert select(TREE)[:2] == [(1, "main", "subrun_root_task"), (1, "subrun_root_task", "total")]
    assert select("SELECT count(*) FROM execution") == [(1,)]
    assert select("SELECT count(*) FROM job WHERE end_time IS NULL") == [(0,)]
    assert select("PRAGMA foreign_key_check") == []
    assert any("on remote: 5 jobs (5 DONE)" in record.getMessage() for record in caplog.records)


def test_call_of_a_subrun_is_a_child_of_its_job(flow, open_scheduler, select):
    """In the call graph, what a subrun called is below it, as if it had been called there."""
    with open_scheduler() as scheduler:
        scheduler.run(flow.main(1, "remote"))

    edges = select(
        "SELECT above.task_name, below.task_name FROM call_edge JOIN call_node AS above ON above.call_hash = parent_id "
        "JOIN call_node AS below ON below.call_hash = child_id"
    )
    assert ("redun.subrun_root_task", "subrun_flow.total") in edges


def test_subrun_is_answered_from_the_cache_until_a_task_below_changes(flow, open_scheduler, tmp_path, select):
    """A known subrun starts nothing; when the source of a task below it changes, it runs again, and just that."""
    with open_scheduler() as scheduler:
        scheduler.run(flow.main(1, "remote"))
        scheduler.run(flow.main(1, "remote"))
        counts = [select("SELECT count(*) FROM job WHERE NOT cached")]
        (tmp_path / "project" / "subrun_flow.py").write_text(FLOW.replace("a + b", "b + a"))
        reload(flow)

        assert scheduler.run(flow.main(1, "remote")) == [1]

    counts.append(select("SELECT count(*) FROM job WHERE NOT cached"))
    assert counts[0] == [(5,)]
    assert select("SELECT count(*) FROM task WHERE name = 'add'") == [(2,)]
    assert counts[1] == [(7,)]


def test_execution_of_its_own(flow, open_scheduler, select):
    """With new_execution, the jobs of a subrun belong to another execution, and its root job is below nothing."""
    with open_scheduler() as scheduler:
        assert scheduler.run(flow.main(1, "remote", new_execution=True)) == [1]

    assert select("SELECT count(*) FROM execution") == [(2,)]
    assert select("SELECT count(*) FROM job WHERE parent_id IS NULL") == [(2,)]


def test_subrun_on_a_thread(flow, open_scheduler, select):
    """The scheduler may run on a thread of this process."""
    with open_scheduler() as scheduler:
        assert scheduler.run(flow.main(2, "default")) == [3]

    assert select("SELECT count(*) FROM execution") == [(1,)]


def test_error_below_arrives(flow, open_scheduler):
    """A task that fails in a subrun fails the workflow with its own error, which is not remembered as a result."""
    with open_scheduler() as scheduler:
        for _ in range(2):
            with pytest.raises(ValueError, match="below") as caught:
                scheduler.run(subrun(flow.fail(), "default", load_modules=MODULES))

    names = [frame.name for frame in caught.value.redun_traceback.frames]
    assert names[0] == "redun.subrun_root_task"
    assert "fail" in names


def test_context_and_exported_options_reach_below(flow, open_scheduler):
    """What holds for the job around a subrun holds for its jobs."""
    with open_scheduler() as scheduler:
        assert scheduler.run(subrun(flow.where(), "default", load_modules=MODULES), context={"memory": 8}) == 8
        assert scheduler.run(flow.nested.export_options(color="red")())["color"] == "red"


def test_store_in_memory_can_not_be_gone_on_with(flow, tmp_path):
    """Without a store that both sides reach, a subrun says what to configure; an execution of its own is possible."""
    with closing(Scheduler()) as scheduler:
        with pytest.raises(SchedulerError, match="configure a store that both sides reach"):
            extend_run(scheduler, flow.total(1), "no-such-job", patience=0)
        assert scheduler.run(subrun(flow.total(1), "default", load_modules=MODULES, new_execution=True)) == 1


def test_secrets_are_not_sent(flow, open_scheduler, tmp_path, select, caplog):
    """Passwords and keys of the configuration are neither recorded, nor in the scratch space, nor logged."""
    sections = {
        "backend": {"db_uri": "sqlite:///redun.db"},
        "executors.remote": {"type": "subprocess"},
        "executors.other": {"type": "local", "token": "hunter2", "url": "https://me:hunter2@host/x"},
    }
    (tmp_path / "config").mkdir()
    with (
        closing(Scheduler(Config(sections, str(tmp_path / "config")))) as scheduler,
        caplog.at_level(logging.DEBUG, "redun"),
    ):
        scheduler.run(subrun(flow.total(0), "remote", load_modules=MODULES))

    files = [path for path in tmp_path.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    assert [path for path in files if b"hunter2" in path.read_bytes()] == []
    assert any(b"https://me@host/x" in path.read_bytes() for path in files)
    assert "hunter2" not in caplog.text


def test_config_and_folder_contradict(flow):
    """A subrun is configured in one way."""
    with closing(Scheduler()) as scheduler, pytest.raises(SchedulerError, match="config or config_dir, not both"):
        scheduler.run(subrun(flow.total(0), "default", load_modules=MODULES, config={}, config_dir="."))


def test_config_of_its_own(flow, tmp_path):
    """A subrun may have a configuration of its own, as a mapping or as a folder."""
    folder = tmp_path / "other"
    folder.mkdir()
    (folder / "redun.ini").write_text("[backend]\ntype = memory\n")
    with closing(Scheduler()) as scheduler:
        for settings in ({"config": {"backend": {"type": "memory"}}}, {"config_dir": str(folder)}):
            assert (
                scheduler.run(subrun(flow.total(1), "default", load_modules=MODULES, new_execution=True, **settings))
                == 1
            )


def test_signature_is_recorded(flow, open_scheduler, select):
    """The arguments of the call that runs a subrun's scheduler are recorded as those of every call."""
    with open_scheduler() as scheduler:
        scheduler.run(subrun(flow.total(0), "default", load_modules=MODULES, memory=4))

    keys = {key for (key,) in select("SELECT arg_key FROM argument")}
    assert {"config", "config_dir", "expr", "export_options", "load_modules", "new_execution", "run_config"} <= keys


def test_modules_of_known_tasks_are_loaded_there(flow):
    """By default, the modules of all tasks that are known here are imported there, but for redun's own."""
    modules = list_load_modules()

    assert "subrun_flow" in modules
    assert [name for name in modules if name in ("__main__", "redun.functools")] == []
