"""Commands that are left alone on an executor, or waited for."""

import re
import sqlite3
import time
from contextlib import closing

import pytest
from click.testing import CliRunner

from redun.config import Config
from redun.errors import ExecutorError
from redun_cli.main import cli
from redun_remote.launch import launch_script
from redun_remote.script_job import read_status
from redun_remote.storage import read_bytes


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder with a configuration, in which commands are called."""
    (tmp_path / ".redun").mkdir()
    (tmp_path / ".redun" / "redun.ini").write_text(
        "[backend]\ndb_uri = sqlite:///redun.db\n[executors.remote]\ntype = subprocess\n"
        "[executors.threads]\ntype = local\n[executors.short]\ntype = alias\ntarget = remote\n"
        "[executors.docker]\ntype = docker\nimage = image\n"
    )
    monkeypatch.chdir(tmp_path)
    return tmp_path


def redun(*arguments):
    return CliRunner().invoke(cli, arguments)


def wait_for_output(folder):
    """Return what a launched script wrote, when it has ended."""
    deadline = time.monotonic() + 30
    while read_status(f"{folder}/status") is None:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return read_status(f"{folder}/status"), read_bytes(f"{folder}/output")


def test_launched_command_goes_on_alone(project):
    """A launched command runs when redun has ended, and leaves its output in the scratch space and no record."""
    done = redun("launch", "--executor", "short", "-o", "memory=8", "sh", "-c", "echo $1", "-", "a b")

    folder = re.fullmatch(r"Launched process \d+; its files are in (.*)\n", done.output)[1]
    assert wait_for_output(folder) == (("ok", None), b"a b\n")
    assert not (project / ".redun" / "redun.db").exists()


def test_command_that_is_waited_for_is_recorded(project):
    """With --wait, a command's output is printed, and its call is recorded."""
    done = redun("launch", "--executor", "remote", "--wait", "echo $((1 + 2))")

    assert (done.exit_code, done.stdout) == (0, "3\n")
    with closing(sqlite3.connect(project / ".redun" / "redun.db")) as database:
        assert database.execute("SELECT task_name FROM call_node").fetchall() == [("redun.script_task",)]


def test_code_of_the_folder_is_unpacked(project):
    """With --code-package, the command finds the code of this folder where it runs."""
    (project / "here.py").write_text("print('found')")

    done = redun("launch", "--executor", "remote", "--code-package", "--wait", "python3 here.py; pwd")

    assert done.stdout.startswith("found\n")
    assert str(project) not in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--executor", "nope", "ls"], "Unknown executor"),
        (["--executor", "threads", "ls"], "its calls end with this process"),
        (["--executor", "threads", "--code-package", "ls"], "has no scratch space"),
        (["--executor", "remote", "-o", "memory", "ls"], "must be KEY=VALUE"),
        (["--executor", "remote"], "Missing argument"),
        (["ls"], "Missing option '--executor'"),
    ],
)
def test_what_can_not_be_launched_is_one_sentence(project, arguments, message):
    """An executor that is not there or can't be left alone, and wrong usage, are said in one sentence."""
    done = redun("launch", *arguments)

    assert done.exit_code
    assert message in f"{done.output} {done.exception}"


def test_launch_needs_an_executor():
    """A program names the executor, or has it."""
    with pytest.raises(ExecutorError, match="takes an executor or the name of one"):
        launch_script(Config(), "ls")


def test_container_is_left_alone(project, tmp_path, monkeypatch):
    """A command that is launched in a container runs in one that is detached, and removed when it ends."""
    (tmp_path / "docker").write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > {tmp_path}/words\n')
    (tmp_path / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    done = redun("launch", "--executor", "docker", "ls")

    words = (tmp_path / "words").read_text().split("\n")
    assert re.match(r"Launched container redun-job-\w+-\w+; its files are in", done.output)
    assert words[:3] == ["run", "--detach", "--rm"]


def test_container_that_does_not_start_says_why(project, tmp_path, monkeypatch):
    """What the engine says about a container that can't be launched is passed on."""
    (tmp_path / "docker").write_text("#!/bin/sh\necho no space left >&2; exit 125\n")
    (tmp_path / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    done = redun("launch", "--executor", "docker", "ls")

    assert "could not be started: no space left" in str(done.exception)
