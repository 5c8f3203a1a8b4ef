import logging
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

import redun
from redun import running, task
from redun.config import CONFIG_FILE
from redun.errors import ConfigError, DryRunResult
from redun.logging import logger

redun_namespace = "test_running"

calls = []


@task(version="1")
def double(x):
    calls.append(x)
    return 2 * x


@task(version="1", cache=False)
def run_inside(x, config_dir):
    return redun.run(double(x), config_dir=config_dir)


@pytest.fixture(autouse=True)
def _fresh(monkeypatch, tmp_path):
    """Let each test begin without schedulers, in a folder without configuration, and close what it made."""
    monkeypatch.delenv("REDUN_CONFIG", raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(running, "_idle", {})
    calls.clear()
    yield
    running._close_schedulers()


@pytest.fixture
def config_dir(tmp_path):
    """A configuration folder with a store in memory."""
    folder = tmp_path / "config"
    folder.mkdir()
    folder.joinpath(CONFIG_FILE).write_text("[backend]\ntype = memory\n")
    return str(folder)


def test_run_returns_the_value(config_dir):
    """An expression, and a nested value with expressions in it, is evaluated."""
    actual = redun.run(double(1), config_dir=config_dir), redun.run([double(2), 5], config_dir)

    assert actual == (2, [4, 5])


def test_scheduler_of_a_folder_is_kept(config_dir):
    """Two runs with one folder, however it is written, share a store and what is cached in it."""
    for folder in (config_dir, os.path.relpath(config_dir)):
        redun.run(double(1), config_dir=folder)

    assert calls == [1]


def test_each_folder_has_its_own_scheduler(config_dir, tmp_path):
    """Runs with different folders have different stores."""
    other = tmp_path / "other"
    other.mkdir()
    other.joinpath(CONFIG_FILE).write_text("[backend]\ntype = memory\n")

    for folder in (config_dir, str(other)):
        redun.run(double(1), config_dir=folder)

    assert calls == [1, 1]


def test_folder_is_found_from_the_working_directory(config_dir, monkeypatch):
    """Without a folder, the run uses the one that the command line would."""
    monkeypatch.setenv("REDUN_CONFIG", config_dir)

    for folder in (None, config_dir):
        redun.run(double(1), config_dir=folder)

    assert calls == [1]


def test_configuration_is_made_where_there_is_none(tmp_path):
    """Without any configuration, a default one is written into ``.redun`` of the working directory."""
    pytest.importorskip("redun_backend_sql")

    actual = redun.run(double(4))

    assert actual == 8
    assert {"redun.db", "redun.ini"} <= {path.name for path in (tmp_path / ".redun").iterdir()}


def test_named_folder_must_exist():
    """A folder that was named and has no configuration is an error that names it."""
    with pytest.raises(ConfigError, match=r"No redun config found at nowhere/redun\.ini"):
        redun.run(double(1), config_dir="nowhere")


def test_arguments_of_a_run_are_passed_on(config_dir):
    """Whether the cache is used, the command to record and the id of the execution are those of the scheduler's run."""
    redun.run(double(1), config_dir)
    redun.run(double(1), config_dir, exec_argv=["program", "x"], cache=False, execution_id="an-id")
    (scheduler,) = next(iter(running._idle.values()))

    found = scheduler.backend.executions["an-id"]

    assert calls == [1, 1]
    assert found.args == '["program", "x"]'


def test_dry_run_runs_nothing(config_dir):
    """A dry run of what is not cached raises DryRunResult."""
    with pytest.raises(DryRunResult):
        redun.run(double(1), config_dir, dryrun=True)
    assert calls == []


def test_task_can_run_a_workflow_of_its_own(config_dir):
    """A run inside a task of another run with the same folder gets a scheduler of its own."""
    assert redun.run(run_inside(3, config_dir), config_dir) == 6


def test_threads_can_run_at_once(config_dir):
    """Runs on several threads do not get in each other's way."""
    with ThreadPoolExecutor(4) as pool:
        actual = list(pool.map(lambda x: redun.run(double(x), config_dir), range(8)))

    assert actual == [0, 2, 4, 6, 8, 10, 12, 14]


def test_failed_run_leaves_a_scheduler_that_works(config_dir):
    """After a failure the scheduler of the folder is used again."""
    with pytest.raises(TypeError):
        redun.run(double(None), config_dir)

    assert redun.run(double(1), config_dir) == 2
    assert [len(kept) for kept in running._idle.values()] == [1]


def test_level_of_the_logger_is_the_programs(config_dir, monkeypatch):
    """A run leaves the level of redun's logger as the program set it."""
    monkeypatch.setattr(logger, "level", logging.ERROR)

    redun.run(double(1), config_dir)

    assert logger.level == logging.ERROR


def test_run_imports_no_command_line(config_dir):
    """Running from a program imports neither click nor the command line."""
    code = (
        "import sys, redun\nfrom redun.functools import identity\n"
        "print(redun.run(identity(1), sys.argv[1]), {'click', 'redun_cli.main'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code, config_dir], capture_output=True, text=True, check=True)

    assert done.stdout == "1 set()\n"
