"""The command ``redun debug``: a recorded job again, by hand."""

import io
import re
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from redun.registry import get_task_registry

SCRIPT = """
from dataclasses import dataclass
from redun import task

redun_namespace = "debugged"
SCALE = 10

@dataclass
class Point:
    x: int
    y: int = 0

@task()
def stretch(point: Point, *more: int, factor: int = SCALE):
    length = point.x * factor + sum(more)
    return length

@task()
async def later(x: int):
    y = x + 1
    return y

@task()
def fail(x: int):
    return 1 // x

@task(executor="process", version="1")
def elsewhere(x: int):
    return x

noname = task(name="noname", version="1", source="what nobody can run")(lambda x: x)

@task()
def main(x: int = 2):
    return [stretch(Point(x), 1, 2, factor=3), later(x), elsewhere(x), noname(x)]
"""


@pytest.fixture(scope="module")
def origin(tmp_path_factory):
    """A folder in which a workflow was run."""
    folder = tmp_path_factory.mktemp("origin")
    (folder / ".redun").mkdir()
    (folder / ".redun" / "redun.ini").write_text("[backend]\ndb_uri = sqlite:///redun.db\n")
    (folder / "debugged_flow.py").write_text(SCRIPT)
    program = Path(sys.executable).with_name("redun")
    subprocess.run([program, "run", "debugged_flow.py", "main"], cwd=folder, check=True, capture_output=True)
    return folder


@pytest.fixture
def recorded(project, origin):
    """A project in which a workflow was run, and its jobs by the names of their tasks."""
    shutil.copytree(origin, project, dirs_exist_ok=True)
    connection = sqlite3.connect(project / ".redun" / "redun.db")
    jobs = dict(connection.execute("SELECT name, id FROM job JOIN task ON hash = task_hash"))
    connection.close()
    return jobs


def forget_script():
    """Let the script be imported anew, as another process does."""
    sys.modules.pop("debugged_flow", None)
    for task in list(get_task_registry()):
        if task.namespace == "debugged":
            get_task_registry()._remove(task.fullname)


@pytest.fixture
def pdb(call, monkeypatch):
    """A function that runs ``redun debug`` with commands of the debugger as input."""

    def run(commands, *arguments):
        monkeypatch.setattr(sys, "stdin", io.StringIO("".join(f"{line}\n" for line in commands)))
        return call("debug", *arguments)

    return run


def count_rows(project):
    """Return how many jobs, calls and values are recorded."""
    connection = sqlite3.connect(project / ".redun" / "redun.db")
    counts = [
        connection.execute(f"SELECT count(*) FROM {table}").fetchone()
        for table in ("job", "call_node", "value", "task")
    ]
    connection.close()
    return counts


@pytest.mark.parametrize(("name", "shown"), [("stretch", "9\n"), ("later", "3\n"), ("elsewhere", "2\n")])
def test_result_is_printed_and_not_recorded(call, project, recorded, name, shown):
    """With --result the function is called with what it was called with, wherever it ran, and nothing is recorded."""
    before = count_rows(project)

    finished = call("debug", recorded[name][:8], "--result")

    assert finished == (0, shown, "")
    assert count_rows(project) == before


def test_debugger_starts_in_the_function(pdb, recorded):
    """The debugger stops at the first line of the function, with the arguments of the job."""
    finished = pdb(["p point, more, factor", "n", "p length", "c"], recorded["stretch"])

    assert finished.status == 0
    assert "length = point.x * factor + sum(more)" in finished.out
    assert "(Point(x=2, y=0), (1, 2), 3)" in finished.out
    assert finished.out.endswith("(Pdb) 9\n(Pdb) 9\n")


def test_coroutine_is_debugged(pdb, recorded):
    """The debugger stops in a coroutine, not in the event loop around it."""
    finished = pdb(["n", "p y", "c"], recorded["later"])

    assert finished.status == 0
    assert "asyncio" not in finished.out
    assert finished.out.endswith("(Pdb) 3\n(Pdb) 3\n")


def test_quitting_is_no_failure(pdb, recorded):
    """Who leaves the debugger gets neither a traceback nor a failure; the end of the commands leaves it, too."""
    assert pdb(["q"], recorded["stretch"])[::2] == (0, "")
    assert pdb([], recorded["stretch"])[::2] == (0, "")


def test_workflow_is_an_expression(call, recorded):
    """Of a task that calls others, the calls are shown and not made; an execution stands for its workflow."""
    finished = call("debug", "-", "--result")

    assert finished.status == 0
    assert finished.out.startswith("[debugged.stretch(Point(x=2, y=0), 1, 2, factor=3),")


def test_failure_has_the_frames_of_the_function(call, project, recorded, caplog):
    """A job that failed fails again, with the frames of the user's own code alone, and exit status 1."""
    call("run", "debugged_flow.py", "fail", "--x", "0")
    forget_script()

    finished = call("debug", "-", "--result")

    assert (finished.status, finished.out) == (1, "")
    assert finished.err.startswith("Traceback (most recent call last):\n")
    assert re.findall(r'File ".*/(\w+\.py)"', finished.err) == ["debugged_flow.py"]
    assert finished.err.endswith("ZeroDivisionError: integer division or modulo by zero\n")


def test_changed_source_is_said(call, project, recorded):
    """Where the source has changed, that is said with the change, and today's is run; --recorded runs the old one."""
    (project / "debugged_flow.py").write_text(
        SCRIPT.replace("sum(more)", "len(more)").replace("SCALE = 10", "SCALE = 5")
    )

    today = call("debug", recorded["stretch"], "--result")
    forget_script()
    then = call("debug", recorded["stretch"], "--result", "--recorded")

    assert (today.out, then.out) == ("8\n", "9\n")
    assert today.err.startswith("Task debugged.stretch has changed since: this runs it as it is today, --recorded as")
    assert "  -    length = point.x * factor + sum(more)\n  +    length = point.x * factor + len(more)\n" in today.err
    assert then.err == ""


def test_recorded_source_of_a_task_that_is_gone(call, project, recorded):
    """A task that is not there any more can be run as it was recorded."""
    (project / "debugged_flow.py").write_text(
        SCRIPT.replace("def later", "def sooner").replace("later(x)", "sooner(x)")
    )

    today = call("debug", recorded["later"], "--result")
    forget_script()
    then = call("debug", recorded["later"], "--result", "--recorded")

    assert (today.status, then) == (1, (0, "3\n", ""))
    assert "there is no task debugged.later in debugged_flow any more: --recorded runs it as it was" in today.err


def test_recorded_source_is_shown_by_the_debugger(pdb, recorded):
    """The debugger shows the lines of a recorded source."""
    finished = pdb(["l", "c"], recorded["stretch"], "--recorded")

    assert "<recorded debugged.stretch>(2)stretch()" in finished.out
    assert "->\tlength = point.x * factor" in finished.out.replace("    ", "\t").replace("\t\t", "\t")


def test_source_that_defines_no_function_is_a_sentence(call, recorded):
    """A task made by a program is run as it is today, and can't be run as it was."""
    finished = call("debug", recorded["noname"], "--result", "--recorded")

    assert (finished.status, finished.out) == (1, "")
    assert "what is recorded of task debugged.noname is no definition of a function" in finished.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["zzzz"], "no execution or job is recorded under 'zzzz'"),
        (["~7"], "no execution or job is recorded under '~7'"),
        (["-", "--script", "gone.py"], "Cannot find Python script file or module: gone.py"),
    ],
)
def test_what_can_not_be_found_is_a_sentence(call, recorded, arguments, words):
    """A job or script that is not there is one sentence."""
    finished = call("debug", *arguments)

    assert (finished.status, finished.out, len(finished.err.splitlines())) == (1, "", 1)
    assert words in finished.err


def test_script_that_is_elsewhere_is_asked_for(call, project, recorded, monkeypatch):
    """From another directory the script has to be named."""
    (project / "sub").mkdir()
    monkeypatch.chdir(project / "sub")

    missing, named = call("debug", "-", "--result"), call("debug", "-", "--result", "--script", "../debugged_flow.py")

    assert "was run by the script debugged_flow.py, which is not here" in missing.err
    assert named.status == 0


def test_job_of_a_program_needs_a_script(call, project, recorded):
    """Of an execution that `redun run` did not start, the script is not known."""
    connection = sqlite3.connect(project / ".redun" / "redun.db")
    connection.execute("UPDATE execution SET args = '[\"scheduler.run\"]'")
    connection.commit()
    connection.close()

    finished = call("debug", "-", "--result")

    assert "was not started by `redun run`: name its script with --script" in finished.err


def test_help_warns_of_unpickling(call):
    """The help says that arguments are unpickled."""
    assert "Arguments are unpickled, which runs code" in call("debug", "--help").out
