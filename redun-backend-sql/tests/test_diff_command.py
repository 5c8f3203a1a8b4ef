"""The command ``redun diff``."""

import re

import pytest
from click.testing import CliRunner

from redun import Scheduler, task
from redun.config import Config
from redun.errors import RedunError
from redun.workspace import Workspace
from redun_backend_sql.commands.diff import diff

redun_namespace = "diff_command"

FIRST, SECOND = "1" * 36, "2" * 36


def define(name, func, source=None):
    """Return a task of some source."""
    return task(name=name, source=source or f"def {name}(): ...")(func)


@pytest.fixture
def run(repository):
    """Runs an expression and records it in the repository, as an execution of some id."""
    return lambda expr, execution_id, **settings: repository.run(expr, execution_id=execution_id, **settings)


def show(*keys):
    """Return the lines that the command shows, ids, times and durations masked."""
    result = CliRunner().invoke(diff, keys, obj=Workspace(), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    text = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "TIME", result.output)
    text = re.sub(r"\d:\d\d:\d\d\.\d\d", "DURATION", re.sub(r"\b(?!1{8}|2{8})[0-9a-f]{8}\b", "ID", text))
    return [" ".join(re.sub(r"\b\d+\.\d\d\b", "S", line).split()) for line in text.splitlines()]


def test_changes_are_shown(run):
    """Tasks that came and went, changed sources, what ran, changed results and calls of one side are shown."""
    inc = define("inc", lambda x: x + 1)
    old = define("old", lambda x: x)
    run([inc(1), inc(2), old(7)], FIRST)
    inc = define("inc", lambda x: x + 10, "def inc(x): return x + 10")
    new = define("new", lambda x: x)
    run([inc(1), inc(2), inc(3), new(7)], SECOND)

    lines = show("~1")

    assert lines[:5] == [
        "Exec 11111111 [ DONE ] TIME: run",
        "Exec 22222222 [ DONE ] TIME: run",
        "Duration: DURATION --> DURATION",
        "",
        "TASK JOBS RAN SECONDS",
    ]
    rows = {
        line.split()[0]: line.split(" ", 1)[1]
        for line in lines
        if line.startswith("diff_command.") and "(call" not in line
    }
    assert rows["diff_command.inc"].startswith("2 --> 3 2 --> 3 ")
    assert rows["diff_command.inc"].endswith("source changed")
    assert rows["diff_command.old"].endswith("removed")
    assert rows["diff_command.new"].endswith("added")
    assert {line.partition(": ")[2] for line in lines if "(call ID)" in line} == {"2 --> 11", "3 --> 12"}
    assert "Job ID [ DONE ] TIME: diff_command.old(7)" in lines
    assert "Job ID [ DONE ] TIME: diff_command.inc(3)" in lines


def test_replay_is_shown(run):
    """An execution that was answered from the cache differs in what ran, and in nothing else."""
    inc = define("inc", lambda x: x + 1)
    run(inc(1), FIRST)
    run(inc(1), SECOND)

    lines = show(FIRST[:8], SECOND[:8])

    assert lines[4] == "TASK JOBS RAN SECONDS"
    assert lines[5].startswith("diff_command.inc 1 1 --> 0 ")
    assert len(lines) == 6


def test_same_execution_does_not_differ(run):
    """An execution does not differ from itself."""
    run(define("inc", lambda x: x + 1)(1), FIRST)

    assert show("-")[3:] == ["", "The same tasks ran as often, with the same sources."]


def test_much_is_cut(run):
    """Of many calls the first are listed, and the rest are counted."""
    inc = define("inc", lambda x: x + 1)
    run([inc(number) for number in range(3)], FIRST)
    run([inc(number) for number in range(40)], SECOND)

    lines = show("~1", "-")

    [count] = [line for line in lines if line.startswith("Calls in Exec 22222222 only: ")]
    assert int(count.split()[-1]) >= 37
    assert lines[-1].startswith("... and ")


def test_killed_execution_is_compared(run):
    """Jobs that have not ended are counted, and an execution without an end has an unknown duration."""
    inc = define("inc", lambda x: x + 1)
    run(inc(1), FIRST)
    run(inc(2), SECOND)
    with Scheduler(Config.read(".redun")) as scheduler:
        statement = "UPDATE job SET call_hash = NULL, end_time = NULL WHERE execution_id = ?"
        scheduler.backend.database.execute(statement, SECOND)

    assert show("~1")[2] == "Duration: DURATION --> unknown"


@pytest.mark.parametrize("key", ["zzzz", "~9", "inc"])
def test_unknown_execution_is_an_error(run, key):
    """A key that names no execution is an error that says where to look."""
    run(define("inc", lambda x: x + 1)(1), FIRST)

    with pytest.raises(RedunError, match=f"no execution is recorded under {key!r}: .*`redun log` lists the latest"):
        CliRunner().invoke(diff, [key], obj=Workspace(), catch_exceptions=False)


def test_ambiguous_execution_is_an_error(run):
    """The start of several ids is an error that says how many, and names some."""
    inc = define("inc", lambda x: x + 1)
    run(inc(1), FIRST)
    run(inc(1), FIRST[:-1] + "3")

    with pytest.raises(RedunError, match=r"'1111' stands for 2 records, execution 111111111111.*: give more"):
        CliRunner().invoke(diff, ["1111"], obj=Workspace(), catch_exceptions=False)
