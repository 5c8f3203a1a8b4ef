"""The commands that exchange records, as users type them."""

import json
import os
import pickle
import pty
import re
import sqlite3
import subprocess
import sys
from base64 import b64encode
from pathlib import Path

import pytest
from click.testing import CliRunner

from redun import Scheduler, task
from redun.config import Config, create_config
from redun.errors import BackendError, ConfigError, RedunError
from redun.workspace import Workspace
from redun_backend_sql.commands.export import export
from redun_backend_sql.commands.import_ import import_
from redun_backend_sql.commands.pull import pull
from redun_backend_sql.commands.push import push
from redun_backend_sql.commands.repo import repo

redun_namespace = "test_commands"
COMMANDS = {"export": export, "import": import_, "pull": pull, "push": push, "repo": repo}


@task(version="1")
def double(x):
    return 2 * x


@task(version="1")
def fan(n):
    return [double(x) for x in range(n)]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working directory with a repository, and another one beside it."""
    monkeypatch.chdir(tmp_path)
    create_config(".redun")
    create_config("other")
    return tmp_path


@pytest.fixture
def run(folder):
    """Runs an expression and records it in a repository; returns the id of the execution."""

    def run_workflow(expression, config_dir=".redun"):
        with Scheduler(Config.read(config_dir)) as scheduler:
            scheduler.run(expression)
        return list_executions(config_dir)[0]

    return run_workflow


def redun(command, *arguments, config_dir=None, where="default", stdin=None):
    """Return what a command prints."""
    workspace = Workspace(config_dir, repo=where)
    result = CliRunner().invoke(COMMANDS[command], arguments, obj=workspace, catch_exceptions=False, input=stdin)
    assert result.exit_code == 0, result.output
    return result.output


def query(config_dir, statement):
    connection = sqlite3.connect(Path(config_dir, "redun.db"))
    try:
        return [row[0] for row in connection.execute(statement)]
    finally:
        connection.close()


def list_executions(config_dir):
    """Return the ids of the executions of a repository, newest first."""
    return query(config_dir, "SELECT execution.id FROM execution JOIN job ON job.id = job_id ORDER BY start_time DESC")


def test_repository_is_added_listed_and_removed(folder):
    """Repositories have names; `default` is the one of the configuration itself."""
    assert redun("repo", "add", "team", "other") == f"Added repo 'team': {folder}/other\n"
    assert redun("repo", "list") == f"Repositories:\n  default: {folder}/.redun\n  team: {folder}/other\n"
    assert f"[repos.team]\nconfig_dir = {folder}/other\n" in Path(".redun/redun.ini").read_text()
    assert redun("repo", "remove", "team") == "Removed repo 'team'\n"
    assert redun("repo", "list") == f"Repositories:\n  default: {folder}/.redun\n"


def test_push_and_pull_say_how_many_records(run, folder):
    """What is new is counted; when nothing is, that is said."""
    run(fan(2))
    redun("repo", "add", "team", "other")
    count = len(redun("export").splitlines())

    assert redun("push", "team") == f"Pushed {count} record(s) to repo 'team'\n"
    assert redun("push", "team") == "Repo 'team' is up to date.\n"
    assert redun("export") == redun("export", config_dir="other")
    create_config("third")
    redun("repo", "add", "team", "other", config_dir="third")
    assert redun("pull", "team", config_dir="third") == f"Pulled {count} new record(s) from repo 'team'\n"
    assert redun("pull", "team", config_dir="third") == "Pulled 0 new record(s) from repo 'team'\n"


def test_one_repository_is_pushed_to_another(run, folder):
    """From whichever repository is worked in, any other one can be reached by its name, `default` too."""
    for name in ("one", "two"):
        create_config(name)
        redun("repo", "add", name, name)
    run(fan(2), "one")
    count = len(redun("export", where="one").splitlines())

    assert redun("push", "two", where="one") == f"Pushed {count} record(s) to repo 'two'\n"
    assert redun("push", "default", where="two") == f"Pushed {count} record(s) to repo 'default'\n"
    assert redun("export") == redun("export", where="one")


def test_executions_are_named_by_place_or_prefix(run, folder):
    """One execution is pushed by its place among the latest, or by the beginning of its id."""
    redun("repo", "add", "team", "other")
    ids = [run(double(x)) for x in range(4)]

    for text in ("-", "~1", ids[0][:13]):
        redun("push", "team", text)

    assert list_executions("other") == [ids[3], ids[2], ids[0]]
    assert redun("push", "team", ids[0]) == "Repo 'team' is up to date.\n"


def test_ids_of_a_pull_are_those_of_the_other_repository(run, folder):
    """What is pulled is not here yet, so its id is looked for there."""
    redun("repo", "add", "team", "other")
    run(double(1))
    there = [run(double(x), "other") for x in range(3)]

    redun("pull", "team", "~1")
    redun("pull", "team", there[0][:13])

    assert {there[1], there[0]} < set(list_executions(".redun"))
    assert there[2] not in list_executions(".redun")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0123456789abcdef", "nothing in .*redun.db has an id that begins with '0123456789abcdef'"),
        ("~7", "'~7' means no execution: .* has not so many"),
        ("x' OR 1=1", "nothing in .* has an id that begins with"),
        ("%", "nothing in .* has an id that begins with"),
        ("*", "nothing in .* has an id that begins with"),
        ("f", "nothing in .* has an id that begins with 'f'"),
    ],
)
def test_text_that_means_nothing_is_refused(run, folder, text, message):
    """An id that is not there is an error that says where it was looked for."""
    run(double(1))

    with pytest.raises(RedunError, match=message):
        redun("export", text)


def test_beginning_of_several_ids_is_refused(run, folder):
    """Where a text means more than one record, these are named."""
    run(fan(200))
    known = query(".redun", "SELECT value_hash FROM value")
    prefixes = [key[:2] for key in known]
    common = next(prefix for prefix in prefixes if prefixes.count(prefix) > 1)

    with pytest.raises(RedunError, match=f"'{common}' stands for .* records, .* {common}.*: give more"):
        redun("export", common)


def test_export_and_import_go_through_a_pipe(run, folder):
    """What one repository writes, another one reads; a file is written as a whole."""
    run(fan(3))
    text = redun("export")

    assert redun("import", config_dir="other", stdin=text) == f"Imported {len(text.splitlines())} new record(s)\n"
    assert redun("export", config_dir="other") == text
    assert redun("export", "-f", "all.json") == f"Exported {len(text.splitlines())} record(s) to all.json\n"
    assert Path("all.json").read_text() == text
    assert redun("import", "-f", "all.json", config_dir="other") == "Imported 0 new record(s)\n"
    assert [path.name for path in folder.iterdir() if "tmp" in path.name] == []


def test_one_execution_is_exported(run, folder):
    """The latest execution comes with what it refers to, and without the others."""
    run(double(1))
    run(double(2))

    kinds = re.findall('"_type": "(Execution|Job|CallNode)"', redun("export", "-"))

    assert kinds == ["CallNode", "Job", "Execution"]


def test_damaged_file_is_refused_with_its_line(run, folder):
    """A file that was cut off imports nothing, and the message names the line."""
    run(fan(3))
    redun("export", "-f", "all.json")
    lines = Path("all.json").read_bytes().splitlines(keepends=True)
    Path("cut.json").write_bytes(b"".join(lines[:7]) + lines[7][:50])

    with pytest.raises(BackendError, match=r"cut.json, line 8: it is no JSON object: .* Nothing was imported\."):
        redun("import", "-f", "cut.json", config_dir="other")
    assert redun("import", "-f", "all.json", config_dir="other") == f"Imported {len(lines)} new record(s)\n"


def test_file_that_cannot_be_used_is_refused(run, folder):
    """A file that is not there, or can't be made, is named."""
    run(double(1))

    with pytest.raises(RedunError, match=r"nowhere.json can't be read: No such file or directory"):
        redun("import", "-f", "nowhere.json")
    with pytest.raises(RedunError, match=r"nowhere/x.json can't be written: No such file or directory"):
        redun("export", "-f", "nowhere/x.json")


def test_unknown_repository_is_refused(run, folder):
    """A repository must be listed, and another one than this."""
    run(double(1))

    with pytest.raises(ConfigError, match="there is no repository 'team'; there are default"):
        redun("push", "team")
    with pytest.raises(RedunError, match="both repositories have the same database"):
        redun("pull", "default")


def test_remote_configuration_with_a_relative_database_is_refused(folder):
    """Where a configuration is on a remote file system, SQLite can't work beside it."""
    fsspec = pytest.importorskip("fsspec", reason="fsspec is not installed")
    fsspec.filesystem("memory").pipe("/remote/redun.ini", b"[backend]\ndb_uri = sqlite:///redun.db\n")
    redun("repo", "add", "far", "memory://remote")

    with pytest.raises(ConfigError, match="is relative to memory://remote, where SQLite can't work"):
        redun("pull", "far")


def test_remote_configuration_leads_to_a_database(run, folder):
    """A configuration on a remote file system is read, and the database that it names is used."""
    fsspec = pytest.importorskip("fsspec", reason="fsspec is not installed")
    run(fan(2))
    uri = f"sqlite:////{folder}/far.db"
    fsspec.filesystem("memory").pipe("/remote/redun.ini", f"[backend]\ndb_uri = {uri}\n".encode())
    redun("repo", "add", "far", "memory://remote")

    redun("push", "far")

    assert redun("export", where="far") == redun("export")


def test_reader_that_goes_away_is_no_error(run, folder):
    """An export into a pipe that somebody closes ends without a word."""
    run(fan(300))
    program = f"{sys.executable} -m redun_cli export"

    done = subprocess.run(
        ["bash", "-c", f"{program} | head -n 1"], capture_output=True, text=True, env=os.environ, cwd=folder
    )

    assert done.stderr == ""
    assert done.stdout.startswith('{"_version": 1, "_type": ')


def test_progress_is_shown_to_a_terminal_only(run, folder):
    """Standard error of a command that nobody watches is empty."""
    run(fan(2))
    redun("repo", "add", "team", "other")

    done = subprocess.run(
        [sys.executable, "-m", "redun_cli", "push", "team"], capture_output=True, text=True, env=os.environ, cwd=folder
    )

    assert done.stderr == ""
    assert done.stdout.startswith("Pushed ")


def test_terminal_sees_progress(run, folder):
    """A terminal sees on one line how far an exchange is; the line goes at the end."""
    run(fan(2))
    redun("repo", "add", "team", "other")
    reader, terminal = pty.openpty()

    done = subprocess.run(
        [sys.executable, "-m", "redun_cli", "push", "team"], stdout=subprocess.PIPE, stderr=terminal, cwd=folder
    )
    os.close(terminal)
    seen = os.read(reader, 10_000).decode()
    os.close(reader)

    assert done.stdout.startswith(b"Pushed ")
    assert seen.startswith("\rLooked at 1 records\x1b[K")
    assert seen.endswith("\r\x1b[K")


def test_any_command_works_in_a_repository(run, folder):
    """`redun --repo NAME` makes a command work on the records of another repository."""
    run(fan(2), "other")
    redun("repo", "add", "team", "other")
    program = [sys.executable, "-m", "redun_cli"]

    logs = [
        subprocess.run([*program, *options, "log"], capture_output=True, text=True, cwd=folder, check=True).stdout
        for options in (["-c", "other"], ["--repo", "team"], ["-r", "team"], ["--repo", "default"])
    ]

    assert "fan(2)" in logs[0]
    assert logs[1] == logs[2] == logs[0]
    assert logs[3] == "No executions are recorded yet: run a workflow with `redun run`.\n"


def test_import_runs_no_code(folder):
    """A pickle that would do something when it is read is stored, and nothing happens."""

    class Trap:
        def __reduce__(self):
            return (os.mkdir, (str(folder / "trapped"),))

    value = {"value_hash": "0" * 40, "type": "somewhere.Trap", "format": "application/python-pickle"}
    data = b64encode(pickle.dumps(Trap())).decode()
    record = {"_version": 1, "_type": "Value", **value, "data": data, "subvalues": [], "subtype": None}

    redun("import", stdin=json.dumps(record))
    redun("repo", "add", "team", "other")
    redun("push", "team", "0" * 40)

    assert query("other", "SELECT value_hash FROM value") == ["0" * 40]
    assert not (folder / "trapped").exists()
