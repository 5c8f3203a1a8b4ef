import json
import re
import shutil
import sqlite3
import subprocess

import pytest

from redun.config import DEFAULT_CONFIG, Config
from redun_cli.written_config import write_config

INI = ".redun/redun.ini"


@pytest.fixture
def fresh(project):
    """A working directory without a repository."""
    shutil.rmtree(project / ".redun")
    return project


@pytest.mark.parametrize(
    ("arguments", "folder"),
    [
        (["init"], ".redun"),
        (["init", "sub"], "sub/.redun"),
        (["init", "a b/ü"], "a b/ü/.redun"),
        (["-c", "shared", "init"], "shared"),
    ],
)
def test_init_creates_configuration_and_database(call, fresh, arguments, folder):
    """`redun init` creates a folder with the default configuration and a database, and says where."""
    finished = call(*arguments)

    assert finished == (0, f"Initialized redun repository: {folder}\n", "")
    assert (fresh / folder / "redun.ini").read_text() == write_config()
    assert "/redun.db*" in (fresh / folder / ".gitignore").read_text().splitlines()
    with sqlite3.connect(fresh / folder / "redun.db") as connection:
        assert ("value",) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    connection.close()


def test_init_again_changes_nothing(call, project):
    """`redun init` in a repository leaves what users wrote as it is, and adds only what is missing."""
    text = "# mine\n[backend]\ntype = memory\n"
    (project / INI).write_text(text)
    (project / ".redun" / ".gitignore").write_text("*\n")

    finished = call("init")

    assert finished.status == 0
    assert (project / INI).read_text() == text
    assert (project / ".redun" / ".gitignore").read_text() == "*\n"
    assert {path.name for path in (project / ".redun").iterdir()} == {"redun.ini", ".gitignore"}


def test_init_does_not_look_above(call, fresh, monkeypatch):
    """`redun init` creates a repository in the working directory even if there is one above."""
    call("init")
    (fresh / "sub").mkdir()
    monkeypatch.chdir(fresh / "sub")

    call("init")

    assert (fresh / "sub" / INI).is_file()


def test_default_configuration_is_valid(call, fresh):
    """What `redun init` writes can be read, and names the database and the default executor."""
    call("init")

    config = Config.read(fresh / ".redun")

    assert config.section("backend") == {"db_uri": "sqlite:///redun.db"}
    assert config.section("executors.default") == {"type": "local", "max_workers": "20"}
    assert call("config", "validate").status == 0


def test_written_options_are_the_defaults(call, fresh):
    """Without the # in front of sections and options, the configuration is valid, and has the defaults."""
    call("init")
    text = re.sub(r"^# (?=\[|\w+ =)", "", (fresh / INI).read_text(), flags=re.MULTILINE)
    needed = (
        r"\[(?:executors|observers)\.(?:NAME|batch)\].*?\n\n|\[(?:repos|federated_tasks)\.NAME\].*?\n\n"
        r"|\[proxy(?:\.configs)?\].*?\n\n|\[limits\].*?\n\n|\[tags\].*"
    )
    (fresh / INI).write_text(re.sub(needed, "", text, flags=re.DOTALL))

    shown = json.loads(call("config", "show", "--format", "json").out)

    assert call("config", "validate").out.endswith("is in order.\n")
    written = {(item["section"], item["option"]): item["value"] for item in shown if item["source"] == "file"}
    (fresh / INI).write_text(DEFAULT_CONFIG)
    defaults = json.loads(call("config", "show", "--format", "json").out)
    assert written == {key: item["value"] for item in defaults if (key := (item["section"], item["option"])) in written}
    assert len(written) > 20


def test_git_ignores_all_but_the_configuration(call, fresh):
    """After a run, Git sees the configuration and the list of what to ignore, and nothing else."""
    call("init")
    (fresh / ".redun" / "redun.db-wal").write_text("")
    (fresh / ".redun" / "files.db").write_text("")
    subprocess.run(["git", "init", "-q"], check=True)

    seen = subprocess.run(["git", "status", "--porcelain", "-uall"], capture_output=True, text=True, check=True)

    assert seen.stdout.split() == ["??", ".redun/.gitignore", "??", INI]


UNWRITABLE = ["init file", "-c file init", "-c file/sub init", "init /proc/x"]


@pytest.mark.parametrize("text", UNWRITABLE)
def test_folder_that_can_not_be_written_is_a_sentence(call, fresh, text):
    """A folder that can't be created is one sentence that names it."""
    (fresh / "file").write_text("")

    finished = call(*text.split())

    assert (finished.status, finished.out, len(finished.err.splitlines())) == (1, "", 1)
    assert finished.err.startswith(f"redun: the configuration folder {text.split()[1]}")
    assert "can't be written: " in finished.err


def test_broken_configuration_is_a_sentence(call, project):
    """A configuration that can't be read is one sentence that names file and line."""
    (project / INI).write_text("[backend\n")

    finished = call("init")

    assert (finished.status, finished.out, len(finished.err.splitlines())) == (1, "", 1)
    assert finished.err.startswith(f"redun: {INI}")
    assert "line: 1" in finished.err


def test_init_heeds_the_environment(call, fresh, monkeypatch):
    """`redun init` creates the folder that the environment variable names, where later commands look for it."""
    monkeypatch.setenv("REDUN_CONFIG", str(fresh / "named"))

    call("init")

    assert (fresh / "named" / "redun.ini").is_file()


def test_advice_for_a_missing_configuration_works(call, fresh):
    """The command that the error about a missing configuration advises creates it."""
    advised = call("-c", "named", "log").err.partition("`redun ")[2].partition("`")[0]

    finished = call(*advised.split())

    assert (finished.status, (fresh / "named" / "redun.ini").is_file()) == (0, True)
