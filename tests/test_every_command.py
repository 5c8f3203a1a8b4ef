"""Every command where things are not as it would like: whatever it finds, it says so in a sentence, and harms nothing.

Commands are found in the catalogue. `ARGUMENTS` says with which words each is called; a command of another plugin that
has no line there is asked for its help only.
"""

import io
import os
import shutil
import sqlite3
import subprocess
import sys
import warnings
from pathlib import Path
from typing import NamedTuple

import click
import pytest

from redun.logging import logger
from redun.plugins.catalog import commands
from redun.plugins.host import PluginOptions, get_host, reload_plugins
from redun.registry import get_task_registry
from redun_cli.main import main

PROGRAM = Path(sys.executable).with_name("redun")
SQLITE = "[backend]\ndb_uri = sqlite:///redun.db\n[repos.team]\nconfig_dir = ../../team\n"
FLOW = """
import sys
from redun import task

redun_namespace = "every_command"

@task()
def step(x: int):
    return x + 1

@task()
def main(x: int = 1):
    return [step(x), step(x + 1)]

@task(cache=False)
def wait(x: int):
    print("waiting", flush=True)
    sys.stdin.read()
    return x

@task()
def slow():
    return [step(1), wait(2)]
"""

ARGUMENTS = {
    "completion": ["bash"],
    "config describe": [],
    "config show": [],
    "config validate": [],
    "db check": ["--fast"],
    "db downgrade": ["3.5"],
    "db info": [],
    "db upgrade": [],
    "db versions": [],
    "debug": ["-", "--result"],
    "diff": ["~1"],
    "doctor": ["configuration", "database", "disks"],
    "export": [],
    "fs": [],
    "fs cp": ["flow.py", "copied.py"],
    "fs hash": ["flow.py"],
    "fs ls": ["."],
    "fs rm": ["gone.txt"],
    "gc": [],
    "import": ["-f", "records.json"],
    "init": [],
    "log": ["-"],
    "plugins": [],
    "pull": ["team"],
    "push": ["team"],
    "repl": [],
    "repo add": ["lab", "../lab"],
    "repo list": [],
    "repo remove": ["team"],
    "run": ["flow.py", "main"],
    "tag add": ["-", "k=v"],
    "tag list": [],
    "tag rm": ["-", "k=v"],
    "tag update": ["-", "k=v"],
    "viz": ["-", "--format", "dot"],
    "why": ["-"],
}
NEED_NOTHING = {"completion", "config describe", "db versions", "fs", "fs hash", "fs ls", "plugins"}
"""Commands that work whatever there is."""

REPORTING = {"config validate", "db check", "doctor"}
"""Commands that print what is wrong on standard output, and fail."""

MAKING = {"db upgrade", "import", "init", "run"}
"""Commands that make a repository where there is none; ``repo add`` makes its configuration only."""


def find_commands():
    """Yield the words of each command that can be called."""
    for name in commands:
        yield from find_leaves(name, commands.load(name))


def find_leaves(words, command):
    """Yield the words of a command, unless it needs one of those in it, and of those."""
    if not isinstance(command, click.Group) or command.invoke_without_command:
        yield words
    if not isinstance(command, click.Group):
        return
    for name in command.list_commands(click.Context(command)):
        yield from find_leaves(f"{words} {name}", command.get_command(click.Context(command), name))


COMMANDS = sorted(find_commands())
ASKING = ("debug", "log", "run", "tag add", "why")
DAMAGES = [
    (damage, words)
    for damage in ("garbage", "cut", "folder", "empty schema")
    for words in (COMMANDS if damage == "garbage" else ASKING)
]
BROKEN = [
    (text, words)
    for text in ("[backend\n", "[backend]\ntype = nothing\n", "[backend]\ndb_uri = odd://\n")
    for words in (COMMANDS if text == "[backend\n" else ASKING)
]


class Done(NamedTuple):
    """What is left of a command."""

    status: int
    out: str
    err: str


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A working directory with a script and records to import, beside a repository of another team."""
    folder = tmp_path / "here"
    folder.mkdir()
    (folder / "flow.py").write_text(FLOW)
    (folder / "records.json").write_text("")
    for name in ("team", "lab"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "redun.ini").write_text("[backend]\ndb_uri = sqlite:///redun.db\n")
    monkeypatch.chdir(folder)
    for variable in ("REDUN_CONFIG", "REDUN_DISABLE_PLUGINS"):
        monkeypatch.delenv(variable, raising=False)
    return folder


@pytest.fixture
def call(capsys, monkeypatch):
    """A function that runs a command in this process, with nothing on its standard input."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    tasks, level, show, path = set(get_task_registry()), logger.level, warnings.showwarning, list(sys.path)

    def run(words):
        monkeypatch.setattr(sys, "stdin", io.StringIO(""))
        arguments = [*words.split(), *ARGUMENTS.get(words, ["--help"])]
        try:
            status = main(arguments)
        except SystemExit as request:
            status = request.code
        finally:
            forget(tasks, path)
        return Done(status or 0, *capsys.readouterr())

    yield run
    warnings.showwarning = show
    logger.setLevel(level)


def forget(tasks, path):
    """Let nothing of a command stay in this process."""
    for task in set(get_task_registry()) - tasks:
        get_task_registry()._remove(task.fullname)
    sys.modules.pop("flow", None)
    sys.path[:] = path
    if get_host().options != PluginOptions():
        reload_plugins()


def list_files(folder):
    """Return what there is, beside what only the process that works there needs."""
    found = (str(path.relative_to(folder)) for path in folder.rglob("*") if "__pycache__" not in path.parts)
    return {name for name in found if not name.endswith(("-wal", "-shm"))}


def check_words(words, done, statuses):
    """Check that a command said in a sentence what was wrong, if anything was, and showed nothing of its inside."""
    assert done.status in statuses, done
    assert "Traceback" not in done.out + done.err
    assert "unexpected" not in done.err
    if done.status == 1 and words not in REPORTING:
        lines = [line for line in done.err.splitlines() if not line.startswith("[redun] ")]
        assert len(lines) == 1, done.err
        assert lines[0].startswith("redun: ")
        assert done.out == ""


@pytest.mark.parametrize("words", COMMANDS)
def test_in_an_empty_directory(call, place, words):
    """Without a repository, commands that need one say how to get one, and make none but where that is their sense."""
    shutil.rmtree(place.parent / "team")
    before = list_files(place)

    done = call(words)

    check_words(words, done, {0} if words in {*NEED_NOTHING, *MAKING, "fs cp", "doctor"} else {0, 1, 2})
    made = list_files(place) - before
    if words in MAKING:
        assert {".redun", ".redun/redun.ini", ".redun/redun.db"} <= made
    else:
        assert made == {"fs cp": {"copied.py"}, "repo add": {".redun", ".redun/redun.ini"}}.get(words, set())


@pytest.mark.parametrize(("text", "words"), BROKEN)
def test_with_a_broken_configuration(call, place, words, text):
    """A configuration that makes no sense is one sentence for whoever needs it, and stays as it is."""
    (place / ".redun").mkdir()
    (place / ".redun" / "redun.ini").write_text(text)
    before = list_files(place)

    done = call(words)

    check_words(words, done, {0} if words in NEED_NOTHING else {0, 1})
    assert (place / ".redun" / "redun.ini").read_text() == text or words == "repo add"
    assert list_files(place) - before <= ({"copied.py"} if words == "fs cp" else set())


@pytest.mark.parametrize("words", COMMANDS)
def test_with_a_missing_database(call, place, words):
    """Where a database has not been made yet, nothing is there to be found, and only what records makes it."""
    (place / ".redun").mkdir()
    (place / ".redun" / "redun.ini").write_text(SQLITE)
    before = list_files(place)

    done = call(words)

    check_words(words, done, {0, 1})
    assert list_files(place) - before <= {"copied.py", ".redun/redun.db", ".redun/.gitignore"}


@pytest.mark.parametrize(("damage", "words"), DAMAGES)
def test_with_a_damaged_database(call, place, damaged, damage, words):
    """A database that is none, or a part of one, is one sentence for whoever needs it, and is left as it is."""
    path = damaged(damage)
    before, data = list_files(place), path.read_bytes() if path.is_file() else None

    done = call(words)

    check_words(words, done, {0} if words in NEED_NOTHING else {0, 1})
    assert list_files(place) - before <= {"copied.py", ".redun/.gitignore"}
    if damage in ("garbage", "folder"):
        assert (path.read_bytes() if path.is_file() else None) == data


@pytest.fixture(scope="session")
def sound(tmp_path_factory):
    """A folder with a database of two executions."""
    folder = tmp_path_factory.mktemp("sound")
    (folder / "flow.py").write_text(FLOW)
    (folder / ".redun").mkdir()
    (folder / ".redun" / "redun.ini").write_text(SQLITE)
    for number in ("1", "5"):
        command = [PROGRAM, "run", "flow.py", "main", "--x", number]
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return folder / ".redun" / "redun.db"


@pytest.fixture
def damaged(place, sound):
    """A function that puts a database there that is damaged in some way, and returns its path."""

    def damage(how):
        folder = place / ".redun"
        folder.mkdir()
        (folder / "redun.ini").write_text(SQLITE)
        path = folder / "redun.db"
        if how == "garbage":
            path.write_bytes(b"this is no database at all, " * 1000)
        elif how == "cut":
            path.write_bytes(sound.read_bytes()[: 5 * 4096])
        elif how == "folder":
            path.mkdir()
        else:
            with sqlite3.connect(path) as connection:
                connection.execute("CREATE TABLE job (something TEXT)")
            connection.close()
        return path

    return damage


@pytest.fixture(scope="module")
def running(tmp_path_factory, sound):
    """A folder in which a workflow is running, and writes to the database, as long as the tests last."""
    folder = tmp_path_factory.mktemp("running")
    (folder / "flow.py").write_text(FLOW)
    (folder / "records.json").write_text("")
    shutil.copytree(sound.parent, folder / ".redun")
    for name in ("team", "lab"):
        (folder.parent / name).mkdir(exist_ok=True)
        (folder.parent / name / "redun.ini").write_text("[backend]\ndb_uri = sqlite:///redun.db\n")
    command = [PROGRAM, "run", "flow.py", "slow"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, cwd=folder, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"}, **pipes) as run:
        assert run.stdout.readline() == "waiting\n"
        yield folder
        out, err = run.communicate("")
        assert (run.returncode, out) == (0, "[2, 2]\n"), err


@pytest.mark.parametrize("words", [name for name in COMMANDS if name not in ("repo remove", "repo add")])
def test_while_a_workflow_runs(call, running, words, monkeypatch):
    """A database that a workflow is writing to can be asked everything; it is neither locked nor disturbed."""
    monkeypatch.chdir(running)

    done = call(words)

    check_words(words, done, {1} if words == "debug" else {0, 1} if words == "fs rm" else {0})
    if words == "debug":
        assert "has not ended, so its arguments are not recorded" in done.err
