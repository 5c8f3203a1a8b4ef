import gc
import os
import pickle
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner
from repositories import Repository

from redun import Scheduler, task
from redun.arguments import EncodedArguments
from redun.backends.base import Batch, ExecutionRecord, JobRecord
from redun.config import Config, create_config
from redun.errors import BackendError, ConfigError, RedunError
from redun.values.base import FileSubtype
from redun.values.codec import EncodedValue
from redun.workspace import Workspace
from redun_backend_sql.backend import SqlBackend
from redun_backend_sql.commands.log import log
from redun_backend_sql.describe import describe_execution
from redun_backend_sql.display import RULE
from redun_backend_sql.options import SqlOptions
from redun_backend_sql.query import list_executions

redun_namespace = "test_log_safety"


class Touch:
    """Makes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (Path(self.path),)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def repository(folder):
    """A repository with one recorded execution."""
    create_config(".redun")
    with Scheduler(Config.read(".redun")) as scheduler:
        scheduler.run(add(1))
    return folder / ".redun"


def show(*arguments, config_dir=None):
    return CliRunner().invoke(log, arguments, obj=Workspace(config_dir), catch_exceptions=False).output


@task
def add(x):
    return x + 1


@pytest.mark.parametrize("key", ["nothing", "deadbeef", "~7", "no/such/file", "s3://bucket/a", "%", "a b", "x" * 5_000])
def test_nothing_found_is_said(repository, key):
    """An id under which nothing is recorded is an error that repeats it and says what may be given."""
    with pytest.raises(RedunError, match=r"nothing is recorded under .*: give the start of an id") as caught:
        show(key)

    assert repr(key) in str(caught.value)


def test_empty_repository_says_what_to_do(folder):
    """In a repository without executions the list says that there are none and how to make one."""
    create_config(".redun")

    assert show() == "No executions are recorded yet: run a workflow with `redun run`.\n"


@pytest.mark.parametrize("arguments", [(), ("-",), ("a",)])
def test_no_repository_is_an_error(folder, arguments):
    """Without a repository the log is an error that says where it was looked for and what to do; none is made."""
    with pytest.raises(
        ConfigError, match=r"there is no redun repository in .* or above: run a workflow, or `redun init`"
    ):
        show(*arguments)

    assert os.listdir(folder) == []


def test_named_repository_that_does_not_exist_is_an_error(folder):
    """A repository that was named and does not exist is an error that names it; it is not made."""
    with pytest.raises(ConfigError, match=r"No redun config found at nope/redun\.ini"):
        show(config_dir="nope")

    assert os.listdir(folder) == []


def test_store_in_memory_has_no_log(folder):
    """With a store that is no database the log is an error that says what to configure."""
    Repository(folder).configure("type = memory")

    with pytest.raises(BackendError, match=r"keeps no log: set \[backend\] db_uri"):
        show()


@pytest.mark.parametrize("key", [None, "-"])
def test_damaged_database_is_an_error(repository, key):
    """A database whose records can't be read is an error in one sentence that names it."""
    path = repository / "redun.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
        [(page,)] = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'job'").fetchall()
        [(size,)] = connection.execute("PRAGMA page_size").fetchall()
    data = bytearray(path.read_bytes())
    data[(page - 1) * size : page * size] = b"\xff" * size
    path.write_bytes(data)

    with pytest.raises(BackendError, match=r"redun\.db can't be used: .*malformed"):
        show(*[key] if key else [])


def test_execution_without_its_root_job_has_failed(repository):
    """An execution whose root job is missing is shown as failed."""
    with closing(sqlite3.connect(repository / "redun.db")) as connection:
        [(execution_id,)] = connection.execute("SELECT id FROM execution").fetchall()
        connection.execute("DELETE FROM job")
        connection.commit()

    assert f"Exec {execution_id} [FAILED]" in show(execution_id)


@task
def accept(value):
    return 1


@task
def give_away():
    return accept(lambda: 1)


def test_job_that_failed_before_its_call_is_shown_as_failed(folder):
    """A job whose arguments can't be stored is shown as failed, and that it never became a call."""
    create_config(".redun")
    with Scheduler(Config.read(".redun")) as scheduler, pytest.raises(RedunError, match="function"):
        scheduler.run(accept(lambda: 1))

    job_id = show("-").split("Job ")[1].split()[0]

    assert f"Job {job_id} [FAILED]" in show("-")
    assert "CallNode UNKNOWN: Job failed before its call could be made" in show(job_id)


HOSTILE = {
    "plain": ("demo.Value", "application/python-pickle", pickle.dumps),
    "graph": ("builtins.list", "application/python-pickle-graph", lambda value: pickle.dumps([value, [value]])),
    "error": ("redun.ErrorValue", "application/python-pickle", pickle.dumps),
    "nested": ("builtins.dict", "application/python-pickle", lambda value: pickle.dumps({"a": [value, {value}]})),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_log_runs_no_code_of_stored_values(backend, uri, folder, make_task, make_call, kind):
    """Showing records executes nothing that somebody stored, whatever the value is and wherever it is."""
    type_name, data_format, dump = HOSTILE[kind]
    value = EncodedValue("e" * 40, type_name, data_format, dump(Touch(folder / "ran")), (), FileSubtype("hostile"))
    record_call(backend, make_task("f"), make_call, value)
    Repository(Path(), uri)

    shown = [show(key) for key in ("-", "0123456789", "c" * 12, "test.f", "hostile", "e" * 12)]

    assert not (folder / "ran").exists()
    assert all(shown)
    assert any("Path.touch(" in text or "touch(" in text or "Touch" in text for text in shown)


class Odd:
    """Pickles as an object of a class with any state."""

    def __init__(self, state):
        self.state = state

    def __reduce__(self):
        return Odd, (1,), self.state


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"no pickle",
        pickle.dumps(None),
        pickle.dumps([1, 2]),
        pickle.dumps(Odd({"error": 1, "traceback": 2})),
        pickle.dumps(Odd({"error": ValueError("x"), "traceback": None})),
        pickle.dumps(Odd({"error": ValueError("x"), "traceback": Odd({"frames": None})})),
        pickle.dumps(Odd({"error": ValueError("x"), "traceback": Odd({"frames": [3, Odd({})]})})),
        pickle.dumps(Odd({"error": 1, "traceback": Odd({"frames": 5})})),
        pickle.dumps(Odd({"error": 1, "traceback": Odd({"frames": [Odd({"locals": 7})]})})),
        pickle.dumps(Odd({"error": 1, "traceback": Odd({"frames": [Odd({"locals": {1: 2, "a": 3}})]})})),
    ],
    ids=range(11),
)
def test_errors_of_any_shape_can_be_shown(backend, uri, folder, make_task, make_call, value):
    """A failed job whose recorded error is damaged or of an unknown shape is shown as failed all the same."""
    encoded = EncodedValue("e" * 40, "redun.ErrorValue", "application/python-pickle", value)
    record_call(backend, make_task("f"), make_call, encoded)
    Repository(Path(), uri)

    shown = show("0123456789")

    assert "[FAILED]" in shown


def record_call(backend, task_value, make_call, value):
    """Records a call with the value as its argument and its result, as call cccc and job 0123456789."""
    arguments = EncodedArguments([value], {}, "a" * 40)
    call = make_call(task_value, [], 1)._replace(call_hash="c" * 40, arguments=arguments, result=value)
    job = JobRecord("0123456789", 1.0, 2.0, task_value.value_hash, False, "c" * 40, None, "x" * 36)
    execution = ExecutionRecord("x" * 36, '["redun", "run"]', "0123456789", 2.0)
    tasks = {task_value.value_hash: task_value}
    backend.record(Batch(tasks, calls=[call], jobs={job.id: job}, executions={execution.id: execution}))


@pytest.fixture
def deep_execution(backend, make_task):
    """An execution whose jobs are twenty thousand levels deep."""
    task_value = make_task("f")
    parents = [None, *range(19_999)]
    jobs = {
        f"j{level:05}": JobRecord(
            f"j{level:05}",
            float(level),
            level + 1.0,
            task_value.value_hash,
            False,
            None,
            None if parent is None else f"j{parent:05}",
            "deep",
        )
        for level, parent in enumerate(parents)
    }
    execution = ExecutionRecord("deep", "[]", "j00000", 1.0)
    backend.record(Batch({task_value.value_hash: task_value}, jobs=jobs, executions={"deep": execution}))
    return backend


def test_deep_execution_is_shown(deep_execution):
    """The tree of jobs is shown whatever its depth, a line for each job if all are asked for."""
    [execution] = list_executions(deep_execution.database)

    lines = describe_execution(deep_execution.database, execution, show_all=True)

    assert sum(1 for _ in lines) == 20_000 + 5


def test_top_of_a_deep_execution_is_shown(deep_execution):
    """Of a large execution the top of the tree is shown, and how to see all of it."""
    [execution] = list_executions(deep_execution.database)

    lines = list(describe_execution(deep_execution.database, execution))

    assert lines.index(RULE) == 5 + 11
    assert len(lines) == lines.index(RULE) + 1 + 200 + 1
    assert lines[-1] == "These are the first 200 lines; --all shows all jobs."


def test_lines_of_a_deep_execution_stay_short(deep_execution):
    """A line of a deep tree is not longer than can be read."""
    [execution] = list_executions(deep_execution.database)

    longest = max(map(len, describe_execution(deep_execution.database, execution, show_all=True)))

    assert 100 < longest < 200


def test_deep_job_is_shown_with_its_nearest_ancestors(deep_execution, uri, folder):
    """A job deep in the tree is shown with the nearest of the jobs above it, and the rest is left out."""
    Repository(Path(), uri)

    [line] = [line for line in show("j19999").splitlines() if line.startswith("Traceback:")]

    assert line.startswith("Traceback: Exec deep > (20000 Jobs) > ... > Job j19989 test.f > ")
    assert line.endswith(" > Job j19998 test.f > Job j19999 test.f")


def test_log_leaves_the_database_as_it_is(repository):
    """Looking at records changes none of them."""
    with closing(sqlite3.connect(repository / "redun.db")) as connection:
        before = list(connection.iterdump())

        for key in ((), ("-",), ("test_log_safety.add",)):
            show(*key)

        assert list(connection.iterdump()) == before


def test_log_works_while_another_process_writes(repository):
    """Records can be looked at while somebody else is in the middle of writing."""
    backend = SqlBackend(SqlOptions(config_dir=str(repository)))
    backend.load()

    with backend.database.transaction() as connection:
        connection.execute("DELETE FROM execution")
        shown = show()
    backend.close()

    assert shown.startswith("Recent executions:\n\nExec ")


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="open files can't be listed")
def test_log_closes_the_database(repository):
    """When the log has been shown, the database is closed."""
    gc.disable()
    try:
        show("-")
        opened = [os.path.realpath(f"/proc/self/fd/{number}") for number in os.listdir("/proc/self/fd")]
    finally:
        gc.enable()

    assert str(repository / "redun.db") not in opened
