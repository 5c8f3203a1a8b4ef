"""``redun spark``, with what executors have written down."""

import os

import pytest
from click.testing import CliRunner

from redun_cli.main import cli
from redun_executor_spark.applications import Application, RanJob, note_application, note_job


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A function that runs a command in a project whose executor keeps notes in a folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".redun").mkdir()
    (tmp_path / ".redun" / "redun.ini").write_text(f"[executors.spark]\ntype = spark\nlog_dir = {tmp_path / 'notes'}\n")
    monkeypatch.setattr("redun_executor_spark.commands.spark.get_default_log_folder", lambda: tmp_path / "default")
    return lambda *arguments: CliRunner().invoke(cli, ["spark", *arguments])


@pytest.fixture
def note(tmp_path):
    """A function that writes down an application."""

    def note_one(app_id, start, **others):
        known = {"name": "redun", "ui_url": "http://127.0.0.1:4040", "log": None, "pid": os.getpid(), **others}
        note_application(tmp_path / "notes", Application(app_id, start=start, **known))

    return note_one


def test_latest_application_is_shown(run, note):
    """Without an id, the latest application is meant."""
    note("app-1", 1.0, ui_url="http://127.0.0.1:1")
    note("app-2", 2.0, ui_url="http://127.0.0.1:2")

    assert run("ui").output == "http://127.0.0.1:2\n"
    assert run("ui", "app-1").output == "http://127.0.0.1:1\n"


def test_jobs_are_listed(run, note, tmp_path):
    """Spark jobs are listed with what they did, how long it took, and why they failed."""
    note("app-1", 1.0)
    note_job(tmp_path / "notes", "app-1", RanJob([3, 4], "demo.count", 0.0, 1.5))
    note_job(tmp_path / "notes", "app-1", RanJob([], "20 calls", 0.0, 2.0, "no room"))

    lines = run("jobs").output.splitlines()

    assert lines[0] == "app-1 (redun, running)"
    assert lines[1].split()[0] == "3,4"
    assert lines[1].endswith("1.50s  demo.count")
    assert lines[2].endswith("2.00s  20 calls  failed: no room")


def test_end_of_the_log_is_shown(run, note, tmp_path):
    """The last lines of the driver's log are shown."""
    (tmp_path / "driver.log").write_text("".join(f"line {number}\n" for number in range(100)))
    note("app-1", 1.0, log=str(tmp_path / "driver.log"))

    assert run("logs", "-n", "2").output == "line 98\nline 99\n"


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["jobs"], "no application was started from this machine yet"),
        (["logs", "app-9"], "no application app-9 was started from this machine"),
    ],
)
def test_unknown_application_is_explained(run, arguments, text):
    """An application that is not known here is an error with what to do."""
    shown = run(*arguments)

    assert shown.exit_code != 0
    assert text in str(shown.exception)


@pytest.mark.parametrize(
    ("command", "others", "text"),
    [
        ("ui", {"ui_url": None}, "has no web pages"),
        ("ui", {"pid": 2**22 + 1}, "has ended"),
        ("logs", {}, "is not on this machine"),
        ("logs", {"log": "/no/such.log"}, "is gone"),
    ],
)
def test_what_is_not_there_is_explained(run, note, command, others, text):
    """Pages and logs that are not there are errors that say why."""
    note("app-1", 1.0, **others)

    assert text in str(run(command).exception)


def test_damaged_notes_are_left_out(run, note, tmp_path):
    """Files that can't be read do not hide the others."""
    note("app-1", 1.0)
    (tmp_path / "notes" / "app-2.json").write_text("{")
    (tmp_path / "notes" / "app-1.jobs").write_text('nonsense\n{"ids": [1]}\n')

    assert run("jobs").output == "app-1 (redun, running)\n"
