import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from redun import Scheduler, task
from redun.config import Config
from redun.file import File
from redun.workspace import Workspace
from redun_backend_sql.commands.log import log

redun_namespace = "test_log"

KILLED_RUN = """
import os, sys, time
from redun import Scheduler, task
from redun.config import Config
from redun.workspace import Workspace

@task(namespace="killed", version="1", source="def forever(): ...")
def forever():
    database = Workspace().open_backend().database
    while database.select("SELECT count(*) FROM job")[0][0] == 0:
        time.sleep(0.01)
    print("recorded", flush=True)
    sys.stdin.readline()

Scheduler(Config.read(".redun")).run(forever())
"""


@pytest.fixture
def folder(repository):
    """A working directory with a repository."""
    return repository.folder


@pytest.fixture
def run(repository):
    """Runs an expression and records it in the repository."""
    return repository.run


def show(*arguments, config_dir=None):
    result = CliRunner().invoke(log, arguments, obj=Workspace(config_dir), catch_exceptions=False)
    assert result.exit_code == 0
    return mask(result.output).splitlines()


def mask(text):
    text = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "TIME", text)
    text = re.sub(r"\d:\d\d:\d\d\.\d\d", "DURATION", text)
    text = re.sub(r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", "UUID", text)
    return re.sub(r"\b[0-9a-f]{40}\b", "HASH", re.sub(r"\b[0-9a-f]{8}\b", "ID", text))


def query(statement):
    with Scheduler(Config.read(".redun")) as scheduler:
        return scheduler.backend.database.select(statement)


@task
def add(a, b=2, *, c=3):
    return a + b + c


@task
def write(path, text):
    file = File(path)
    file.write(text)
    return file


@task
def read(file):
    return file.read()


@task
def pipeline(path):
    return read(write(path, "text"))


@task
def fail(x):
    reason = f"no {x}"
    raise ValueError(reason)


@task
def failing(x):
    return fail(x)


def test_executions_are_listed_newest_first(run):
    """Without an id, the executions are listed from the newest to the oldest, with status, time and command."""
    run(add(1), "w.py", "first")
    with pytest.raises(ValueError, match="no"):
        run(failing(1), "w.py", "second one")
    run(add(1), "w.py", "third")

    actual = show()

    assert actual == [
        "Recent executions:",
        "",
        "Exec ID [ DONE ] TIME:  run w.py third",
        "Exec ID [FAILED] TIME:  run w.py second one",
        "Exec ID [ DONE ] TIME:  run w.py first",
    ]


def test_list_of_executions_is_cut(run):
    """The latest hundred executions are listed, or all if that is asked for."""
    with Scheduler(Config.read(".redun")) as scheduler:
        for _ in range(103):
            scheduler.run(add(1))

    actual = (len(show()), len(show("--all")))

    assert actual == (102, 105)


@pytest.mark.parametrize(("key", "expected"), [("-", "third"), ("~1", "second"), ("~2", "first")])
def test_execution_by_age(run, key, expected):
    """A dash shows the latest execution, a tilde and a number one that many before it."""
    for name in ("first", "second", "third"):
        run(add(1), name)

    assert show(key)[0] == f"Exec UUID [ DONE ] TIME:  run {expected}"


def test_execution_is_shown_with_its_jobs(run):
    """An execution is shown with its duration, how many jobs came to what, and the tree of its jobs."""
    run(pipeline("a"), "w.py", "pipeline")

    actual = show("-")

    assert actual == [
        "Exec UUID [ DONE ] TIME:  run w.py pipeline",
        "Duration: DURATION",
        "",
        "Jobs: 3 (DONE: 3)",
        "-" * 80,
        "Job ID [ DONE ] TIME:  test_log.pipeline('a')",
        "  Job ID [ DONE ] TIME:  test_log.write('a', 'text')",
        "  Job ID [ DONE ] TIME:  test_log.read(File(path='a', hash='ID'))",
    ]


def test_arguments_are_shown_as_they_are_written(run):
    """A call is shown with its arguments by position first, then those by name, sorted."""
    run(add(1))

    assert show("-")[-1] == "Job ID [ DONE ] TIME:  test_log.add(1, b=2, c=3)"


def test_cached_jobs_are_marked(run):
    """A job that was answered from the cache is marked so, its execution is done."""
    run(add(1))
    run(add(1))

    actual = show("-")

    assert (actual[0], actual[3], actual[-1][:16]) == (
        "Exec UUID [ DONE ] TIME:  run",
        "Jobs: 1 (CACHED: 1)",
        "Job ID [CACHED] ",
    )


def test_statuses_are_counted_in_order(run):
    """The jobs of an execution are counted by status: those done first, then those cached, then those failed."""
    run(add(1))
    with pytest.raises(ValueError, match="no 1"):
        run([add(1), add(9), fail(1)])

    assert "Jobs: 4 (DONE: 1, CACHED: 1, FAILED: 2)" in show("-")


def test_job_is_shown_with_its_call_and_task(run):
    """A job is shown with where it stands, its call with arguments and result, and the task's source."""
    run(pipeline("a"))
    [(job_id,)] = query("SELECT job.id FROM job JOIN task ON task.hash = task_hash WHERE name = 'read'")

    actual = show(job_id[:12])

    assert actual == [
        "Job UUID [ DONE ] TIME:  test_log.read(File(path='a', hash='ID'))",
        "Traceback: Exec ID > (3 Jobs) > Job ID test_log.pipeline > Job ID test_log.read",
        "Duration: DURATION",
        "",
        "CallNode HASH test_log.read",
        "  Args:   File(path='a', hash='ID')",
        "  Result: 'text'",
        "",
        "Task HASH test_log.read",
        "",
        "    def read(file):",
        "        return file.read()",
        "",
        "Upstream dataflow:",
        "",
        "  result = <ID> 'text'",
        "",
        "  result <-- <ID> test_log.read(file)",
        "    file = <ID> File(path='a', hash='ID')",
        "",
        "  file <-- <ID> test_log.write(path, text)",
        "    path = <ID> 'a'",
        "    text = <ID> 'text'",
        "",
        "  path <-- argument of <ID> test_log.pipeline(path)",
        "       <-- origin",
        "",
        "  text <-- origin",
    ]


def test_call_and_value_are_shown(run):
    """A call is shown with its arguments and result; a value with its type and the latest job that made it."""
    run(read(write("a", "text")))
    [(call_hash, value_hash)] = query("SELECT call_hash, value_hash FROM call_node WHERE task_name LIKE '%.read'")

    actual = [show(call_hash[:10]), show(value_hash[:10])]

    dataflow = [
        "",
        "Upstream dataflow:",
        "",
        "  NAME = <ID> 'text'",
        "",
        "  NAME <-- <ID> test_log.read(file)",
        "    file = <ID> File(path='a', hash='ID')",
        "",
        "  file <-- <ID> test_log.write(path, text)",
        "    path = <ID> 'a'",
        "    text = <ID> 'text'",
        "",
        "  path <-- origin",
        "",
        "  text <-- origin",
    ]
    assert actual == [
        [
            "CallNode HASH test_log.read",
            "  Args:   File(path='a', hash='ID')",
            "  Result: 'text'",
            *[line.replace("NAME", "result") for line in dataflow],
        ],
        [
            "Value HASH builtins.str",
            "  'text'",
            "  In Job ID [ DONE ] TIME:  test_log.read(File(path='a', hash='ID'))",
            *[line.replace("NAME", "value") for line in dataflow],
        ],
    ]


def test_task_is_shown_with_its_source(run):
    """A task is shown with its first job and its source."""
    run(write("a", "text"))

    actual = show("test_log.write")

    assert actual[:4] == [
        "Task HASH test_log.write",
        "  First Job ID [ DONE ] TIME:  test_log.write('a', 'text')",
        "",
        "    def write(path, text):",
    ]
    assert show(write.hash) == actual


@pytest.mark.parametrize("spelling", ["a", "./a", "{folder}/a"])
def test_file_is_shown_with_the_job_that_made_it(run, folder, spelling):
    """A file is shown with the job that made it, from which inputs and by which code."""
    run(pipeline("a"))

    actual = show(spelling.format(folder=folder))

    assert actual[:4] == [
        f"File ID {spelling.format(folder=folder)}",
        "Produced by Job ID [ DONE ] TIME:  test_log.write('a', 'text')",
        "",
        "Job UUID [ DONE ] TIME:  test_log.write('a', 'text')",
    ]
    assert "    def write(path, text):" in actual


def test_file_that_was_read_is_shown_with_the_reader(run):
    """A file that no job made is shown with the latest job that read it."""
    Path("in").write_text("x")
    run(read(File("in")))

    assert show("in")[:2] == [
        "File ID in",
        "Consumed by Job ID [ DONE ] TIME:  test_log.read(File(path='in', hash='ID'))",
    ]


def test_failed_job_is_shown_with_its_error(run):
    """A failed job is shown with its error, and the traceback from the root job to the line that raised it."""
    with pytest.raises(ValueError, match="no 1"):
        run(failing(1))
    [(job_id,)] = query("SELECT job.id FROM job JOIN task ON task.hash = task_hash WHERE name = 'fail'")

    actual = show(job_id)

    assert actual[0] == "Job UUID [FAILED] TIME:  test_log.fail(1)"
    assert "  Raised: ValueError('no 1')" in actual
    shown = actual[actual.index("Traceback (most recent task last):") :]
    assert [re.sub(r'File ".*", line \d+', "PLACE", line) for line in shown] == [
        "Traceback (most recent task last):",
        "  Job ID: PLACE, in test_log.failing",
        "    def failing(x):",
        "    x = 1",
        "  Job ID: PLACE, in test_log.fail",
        "    def fail(x):",
        "    x = 1",
        "  PLACE, in fail",
        "    raise ValueError(reason)",
        "    reason = 'no 1'",
        "    x      = 1",
        "ValueError('no 1')",
    ]


def test_running_job_is_shown_as_running(folder):
    """A job that has no end runs, and its execution with it; once its process was killed, both are lost."""
    with subprocess.Popen(
        [sys.executable, "-c", KILLED_RUN], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        assert process.stdout.readline() == b"recorded\n"
        running = show("-")
        os.kill(process.pid, signal.SIGKILL)
    [(job_id,)] = query("SELECT id FROM job")

    killed = show("-")
    job = show(job_id)

    assert running[0] == "Exec UUID [ RUN  ] TIME:  killed.forever()"
    assert running[2:] == ["Jobs: 1 (RUNNING: 1)", "-" * 80, "Job ID [ RUN  ] TIME:  killed.forever(...)"]
    assert killed[0] == "Exec UUID [ LOST ] TIME:  killed.forever() (0 of 1 jobs had ended)"
    assert killed[2:] == ["Jobs: 1 (LOST: 1)", "-" * 80, "Job ID [ LOST ] TIME:  killed.forever(...)"]
    assert job[:4] == [
        "Job UUID [ LOST ] TIME:  killed.forever(...)",
        "Traceback: Exec ID > (1 Jobs) > Job ID killed.forever",
        "",
        "CallNode UNKNOWN: Job has not finished or has been killed.",
    ]
