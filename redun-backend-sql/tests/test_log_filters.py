"""What options of ``redun log`` select."""

import json
import os
import pty
import subprocess
import sys
import time

import pytest
from click.testing import CliRunner

from redun import Scheduler, task
from redun.config import Config
from redun.file import File
from redun.values.registry import get_type_registry
from redun.workspace import Workspace
from redun_backend_sql.commands.log import log

redun_namespace = "log_filters"

FIRST, SECOND, THIRD = ("1" * 36, "2" * 36, "3" * 36)


@task(version="1")
def inc(x):
    return x + 1


@task(version="1", namespace="other")
def write(path):
    file = File(path)
    file.write("text")
    return file


@task(version="1", tags=[("team", "red")])
def main(x):
    return [inc(x), inc(x + 1)]


@task(version="1")
def fail(x):
    raise ValueError(f"no {x}")


@pytest.fixture
def folder(repository):
    """A repository with three executions."""
    repository.run(main(1), "main", execution_id=FIRST, tags=[("env", "prod")])
    repository.run(write("a.txt"), "write", execution_id=SECOND)
    with pytest.raises(ValueError, match="no 7"):
        repository.run(fail(7), "fail", execution_id=THIRD, tags=[("env", "test")])
    return repository.folder


def show(*arguments):
    """Return the lines that the command shows."""
    result = CliRunner().invoke(log, arguments, obj=Workspace(), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output.splitlines()


def names(lines):
    """Return what lines are about: type and command, call or name."""
    return [f"{line.split()[0]} {line.partition(':  ')[2].partition(' (')[0] or line.split()[2]}" for line in lines]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--exec"], ["Exec run fail", "Exec run write", "Exec run main"]),
        (["--exec-status", "failed"], ["Exec run fail"]),
        (["--exec-status", "DONE,RUNNING"], ["Exec run write", "Exec run main"]),
        (["--exec", "-t", "env"], ["Exec run fail", "Exec run main"]),
        (["--exec", "--tag", "env=prod"], ["Exec run main"]),
        (["--job", "--exec-tag", "env=test"], ["Job log_filters.fail(7)"]),
        (["--job-status", "FAILED"], ["Job log_filters.fail(7)"]),
        (["--job", "--task-name", "inc"], ["Job log_filters.inc(2)", "Job log_filters.inc(1)"]),
        (["--job", "--task-name", "log_filters.m*"], ["Job log_filters.main(1)"]),
        (
            ["--task", "--task-name", "log_filters.*"],
            ["Task log_filters.fail", "Task log_filters.inc", "Task log_filters.main"],
        ),
        (["--task", "--tag", "team=red"], ["Task log_filters.main"]),
        (["--job", "--exec-id", "-"], ["Job log_filters.fail(7)"]),
        (["--job", "--exec-id", "~1"], ["Job other.write('a.txt')"]),
        (["--call-node", "--exec-id", SECOND], ["CallNode other.write"]),
        (["--job", "--task-name", "nothing"], []),
    ],
    ids=" ".join,
)
def test_records_are_selected(folder, arguments, expected):
    """Records of a type, with a status, a tag, a task or an execution are listed, the newest first."""
    found = names([line for line in show(*arguments) if line != "Nothing that is recorded fits."])

    assert (sorted(found) if "--task" in arguments or "inc" in arguments else found) == (
        sorted(expected) if "--task" in arguments or "inc" in arguments else expected
    )


@pytest.mark.parametrize(("option", "value", "call"), [("--arg", 1, "inc(1)"), ("--result", 3, "inc(2)")])
def test_calls_are_selected_by_their_values(folder, option, value, call):
    """Calls that were given a value, or returned it, are found by the address of the value."""
    address = get_type_registry().encode(value).value_hash

    found = names(show("--job", "--task-name", "inc", option, address))

    assert found == [f"Job log_filters.{call}"]


def test_files_are_selected_by_their_paths(folder):
    """Files are found by patterns of their paths, values by their types."""
    by_path, by_type = show("--file-path", "*.txt"), show("--value-type", "redun.File")

    assert [line.split()[0::2] for line in by_path] == [["File", "a.txt"]]
    assert [line.split()[0::2] for line in by_type] == [["Value", "redun.File"]]
    assert show("--file-path", "a.txt", "--detail")[1].startswith("Produced by Job ")
    assert show("--file-path", "*.csv") == ["Nothing that is recorded fits."]


@pytest.fixture
def dated(repository, folder, monkeypatch):
    """A repository whose executions began on three days in March."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    with Scheduler(Config.read(repository.config_dir)) as scheduler:
        scheduler.load()
        for day, execution in enumerate((FIRST, SECOND, THIRD), 1):
            begin = f"2026-03-0{day} 10:00:00.000000"
            scheduler.backend.database.execute(
                f"UPDATE job SET start_time = '{begin}' WHERE execution_id = ?", execution
            )
    yield folder
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--exec", "--since", "2026-03-02"], ["Exec run fail", "Exec run write"]),
        (["--exec", "--until", "2026-03-02"], ["Exec run write", "Exec run main"]),
        (["--exec", "--since", "2026-03-02", "--until", "2026-03-02"], ["Exec run write"]),
        (["--exec", "--since", "2026-03-01T10:00:01", "--until", "2026-03-03T10:00"], ["Exec run write"]),
        (["--job", "--until", "2026-03-01", "--task-name", "main"], ["Job log_filters.main(1)"]),
        (["--call-node", "--since", "2026-03-03"], ["CallNode log_filters.fail"]),
        (["--task", "--since", "2026-03-03"], ["Task log_filters.fail"]),
        (["--file-path", "*", "--since", "2026-03-02"], ["File a.txt"]),
        (["--file-path", "*", "--since", "2026-03-03"], []),
        (["--exec", "--since", "2026-03-03", "--until", "2026-03-01"], []),
        (["--exec", "--since", "2020-01-01", "--until", "1h"], ["Exec run fail", "Exec run write", "Exec run main"]),
    ],
    ids=" ".join,
)
def test_records_are_selected_by_time(dated, arguments, expected):
    """What began in a period is found: executions, jobs, and the calls, tasks and values of such jobs."""
    assert names([line for line in show(*arguments) if line != "Nothing that is recorded fits."]) == expected


def test_time_that_can_not_be_read_is_refused(folder):
    """A text that is no time is an error of usage that shows what is."""
    result = CliRunner().invoke(log, ["--since", "lately"], obj=Workspace())

    assert result.exit_code == 2
    assert "'lately' is no time: give a date (2026-03-01)" in result.output


def test_records_are_counted(folder):
    """With --count there is a line for each type with how many records there are."""
    assert show("--count", "--exec", "--job") == ["       3 Execution", "       5 Job"]
    assert show("--count", "--job-status", "FAILED") == ["       1 Job"]


def test_records_are_written_as_json(folder):
    """With --format json there is one record on a line, as `redun export` writes it."""
    selected = [json.loads(line) for line in show("--job", "--task-name", "fail", "--format", "json")]
    named = [json.loads(line) for line in show(THIRD, "--format", "json")]
    latest = [json.loads(line) for line in show("--format", "json")]
    file = [json.loads(line) for line in show("a.txt", "--format", "json")]

    assert [(record["_type"], record["status"]) for record in selected] == [("Job", "FAILED")]
    assert [record["id"] for record in named] == [THIRD]
    assert [record["id"] for record in latest] == [THIRD, SECOND, FIRST]
    assert [record["_type"] for record in file] == ["Value"]


def test_records_are_shown_in_detail(folder):
    """With --detail each record is shown as if it had been asked for by its id."""
    lines = show("--job", "--job-status", "FAILED", "--detail")

    assert lines[0].startswith("Job ")
    assert lines[-1] == "ValueError('no 7')"


def test_selection_is_cut(folder):
    """The latest hundred records are listed, or all if that is asked for."""
    with Scheduler(Config.read(".redun")) as scheduler:
        scheduler.run([inc(number) for number in range(100, 210)])

    some, everything = show("--job"), show("--job", "--all")

    assert len([line for line in some if line.startswith("Job ")]) == 100
    assert some[-1] == "These are the latest 100; --all shows all of them, --count how many there are."
    assert len(everything) == 116


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--job-status", "GONE"], "there is no status 'GONE'; use RUNNING, FAILED, CACHED, DONE"),
        (["--exec-status", "CACHED"], "there is no status 'CACHED'"),
        (["--tag", "=1"], "must be written as key=value"),
        (["-", "--job"], "ID names records, and options select them: give one or the other"),
    ],
)
def test_wrong_selection_is_refused(folder, arguments, message):
    """An option that makes no sense is a sentence, and exit status 2."""
    result = CliRunner().invoke(log, arguments, obj=Workspace())

    assert (result.exit_code, message in result.output) == (2, True)


@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
def test_terminal_gets_a_pager(folder):
    """On a terminal the lines go through a pager; --no-pager writes them at once."""
    reader, writer = pty.openpty()
    environment = {**os.environ, "PAGER": "sed s/^/paged:/", "TERM": "xterm"}
    program = [sys.executable, "-m", "redun_cli", "log", "--exec"]

    for arguments in ([], ["--no-pager"]):
        subprocess.run([*program, *arguments], cwd=folder, stdout=writer, stdin=writer, env=environment, check=True)
    os.close(writer)
    lines = os.read(reader, 10_000).decode().splitlines()
    os.close(reader)

    assert [line.partition("Exec ")[0] for line in lines if "Exec " in line] == ["paged:"] * 3 + [""] * 3


def test_counts_are_written_for_programs(folder):
    """With --count and --format json, one object says how many records of each type there are."""
    [line] = show("--count", "--exec", "--job", "--format", "json")

    assert json.loads(line) == {"Execution": 3, "Job": 5}
