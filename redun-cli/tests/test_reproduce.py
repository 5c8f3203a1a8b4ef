"""How a failed call can be made again alone."""

import importlib
import shlex
import sys
from datetime import datetime
from pathlib import Path

import pytest

from redun.registry import get_task_registry
from redun_cli.reproduce import MAX_LENGTH, write_command

SCRIPT = """
from __future__ import annotations
from datetime import datetime
from enum import Enum
from pathlib import Path
from redun import task

redun_namespace = "again"

class Color(Enum):
    RED = 1

@task()
def plain(text: str, count: int = 3, *, where: Path = Path("a"), flag: bool = False):
    raise ValueError(text)

@task()
def many(values: list[int], config: dict = {}, color: Color = Color.RED, x: float = 0.5, when: datetime = None):
    raise ValueError("many")

@task()
def bare(value):
    raise ValueError("bare")

@task()
def login(user: str, api_token: str):
    raise ValueError(user)

@task()
def clash(dryrun: str, option: str = "a"):
    raise ValueError(dryrun)

@task()
def variable(*values: int):
    raise ValueError(values)

@task()
def outer(text: str = "it's"):
    return plain(text, count=-1)

def make():
    @task()
    def hidden(x: int):
        return x
    return hidden
"""


@pytest.fixture
def again(project, clean_process, monkeypatch):
    """A script with tasks, imported."""
    (project / "again_flow.py").write_text(SCRIPT)
    monkeypatch.syspath_prepend(str(project))
    return importlib.import_module("again_flow")


@pytest.mark.parametrize(
    ("name", "args", "kwargs", "options"),
    [
        ("plain", ["a b"], {}, "--text 'a b'"),
        ("plain", ["größe"], {"count": 3}, "--text 'größe'"),
        ("plain", ["-x"], {"count": -4}, "--text=-x --count=-4"),
        ("plain", [""], {"where": Path("b"), "flag": True}, "--text '' --where b --flag true"),
        ("plain", ["$HOME;`ls`"], {}, "--text '$HOME;`ls`'"),
        ("many", [[1, 2]], {"config": {"a": [1]}}, """--values 1 2 --config '{"a": [1]}'"""),
        ("many", [[1]], {"x": 1e-9, "when": datetime(2020, 1, 2)}, "--values 1 --x 1e-09 --when 2020-01-02T00:00:00"),
        ("bare", ["text"], {}, "--value text"),
        ("login", ["me"], {"api_token": "secret"}, '--user me --api-token "$API_TOKEN"'),
    ],
)
def test_command_makes_the_same_call(again, name, args, kwargs, options):
    """The command has the script, the task, and the options that are read as the arguments; defaults are left out."""
    command = write_command(getattr(again, name), args, kwargs)

    assert command == f"redun run again_flow.py again.{name} {options}"


@pytest.mark.parametrize(
    ("name", "args", "kwargs"),
    [
        ("plain", [5], {}),
        ("plain", ["a", "5"], {}),
        ("plain", ["a\nb"], {}),
        ("plain", ["x" * MAX_LENGTH], {}),
        ("plain", [], {}),
        ("plain", ["a"], {"unknown": 1}),
        ("many", [[]], {}),
        ("many", [["1"]], {}),
        ("many", [[[1]]], {}),
        ("many", [(1, 2)], {}),
        ("many", [[1]], {"config": {1: 2}}),
        ("many", [[1]], {"config": {"a": object()}}),
        ("bare", [5], {}),
        ("bare", [None], {}),
        ("bare", [object()], {}),
        ("variable", [1, 2], {}),
    ],
)
def test_calls_that_options_do_not_make_have_no_command(again, name, args, kwargs):
    """Without options that are read as exactly the arguments, there is no command."""
    assert write_command(getattr(again, name), args, kwargs) is None


def test_options_of_the_program_may_be_the_tasks(again):
    """A task whose parameters have the names of options of the program has a command like any other."""
    assert write_command(again.clash, ["a"], {}) == "redun run again_flow.py again.clash --dryrun a"


def test_tasks_that_can_not_be_found_have_no_command(again, monkeypatch):
    """Tasks made inside functions, replaced ones and those of the main program have no command."""
    hidden = again.make()
    replaced = again.plain
    importlib.reload(again)
    monkeypatch.setattr(again, "bare", None)

    assert write_command(hidden, [1], {}) is None
    assert write_command(get_task_registry().get("again.bare"), ["a"], {}) is None
    assert write_command(replaced, ["a"], {}) is not None


def test_script_is_named_from_the_working_directory(again, project, monkeypatch):
    """A script below the working directory is named by its relative path, another by its full one."""
    monkeypatch.chdir(project.parent)
    below = write_command(again.bare, ["a"], {})
    (project / "other").mkdir()
    monkeypatch.chdir(project / "other")
    beside = write_command(again.bare, ["a"], {}, config_dir="my conf")
    elsewhere = write_command(again.bare, ["a"], {}, repo="team")

    assert below == "redun run project/again_flow.py again.bare --value a"
    assert beside == f"redun -c 'my conf' run {project}/again_flow.py again.bare --value a"
    assert elsewhere == f"redun -r team run {project}/again_flow.py again.bare --value a"


def test_module_of_a_package_is_named_with_dots(again, project):
    """A task in a package below the working directory is named by its module, elsewhere it has no command."""
    (project / "pack").mkdir()
    (project / "pack" / "__init__.py").write_text("")
    (project / "pack" / "flow.py").write_text(SCRIPT.replace('"again"', '"packed"'))
    packed = importlib.import_module("pack.flow")

    assert write_command(packed.bare, ["a"], {}) == "redun run pack.flow packed.bare --value a"
    (project / "pack").rename(project / "moved")
    assert write_command(packed.bare, ["a"], {}) == "redun run pack.flow packed.bare --value a"


def test_failed_run_shows_a_command_that_fails_alike(call, again, caplog):
    """The command that a failed run shows at the end makes the failed call alone."""
    call("run", "again_flow.py", "outer")
    last = [message for message in caplog.messages if message.startswith("Run this call again: ")][-1]
    command = shlex.split(last.partition(": ")[2])
    del sys.modules["again_flow"]
    caplog.clear()

    finished = call(*command[1:])

    assert command == ["redun", "run", "again_flow.py", "again.plain", "--text", "it's", "--count=-1"]
    assert finished.status == 1
    assert "ValueError: it's" in caplog.messages
    assert not any("again.outer" in message for message in caplog.messages[:-1] if message.startswith("Run  "))


def test_record_is_named_where_there_is_one(call, again, project, caplog):
    """After a failure, the log of the failed job is named if the store keeps it, and not if it is in memory."""
    call("run", "again_flow.py", "outer")
    assert "redun log" not in caplog.text
    (project / ".redun" / "redun.ini").write_text("[backend]\ndb_uri = sqlite:///redun.db\n")
    del sys.modules["again_flow"]

    call("run", "again_flow.py", "outer")

    (hint,) = [message for message in caplog.messages if "redun log" in message]
    shown = call(*hint.partition("redun ")[2].split())
    assert "again.plain" in shown.out
    assert "it's" in shown.out
