"""Programs that run commands: what they get back, and what they have to catch."""

import io

import pytest

import redun.cli
from redun.cli import (
    RedunClient,
    RedunClientError,
    get_config_dir,
    import_script,
    setup_backend_db,
    setup_config,
    setup_scheduler,
)
from redun.errors import ConfigError, DryRunResult, RedunError
from redun.logging import logger

WORKFLOW = """
from redun import task

redun_namespace = "client_flow"

@task()
def double(x: int):
    return 2 * x

@task()
def fail():
    raise ZeroDivisionError("nothing to share") from KeyError("guests")
"""


@pytest.fixture
def flow(project, clean_process):
    """The name of a workflow in the project."""
    (project / "client_flow.py").write_text(WORKFLOW)
    return "client_flow.py"


@pytest.fixture
def client():
    """A client that collects what commands print."""
    return RedunClient(io.StringIO(), io.StringIO())


def test_result_and_output_come_back(client, flow):
    """A run gives the program the result itself, and prints what it would print."""
    result = client.execute(["redun", "run", flow, "double", "--x", "4"])

    assert (result, client.stdout.getvalue(), client.stderr.getvalue()) == (8, "8\n", "")


def test_command_without_result_gives_none(client, flow):
    """Commands that have nothing to return, and asking for help or for the version, give None."""
    given = [
        ["run", flow],
        ["run", flow, "double", "info"],
        ["run", flow, "double", "--help"],
        ["plugins"],
        ["--help"],
        ["--version"],
        [],
    ]

    assert [client.execute(["redun", *arguments]) for arguments in given] == [None] * len(given)
    assert "client_flow.double" in client.stdout.getvalue()


def test_failure_of_a_task_is_raised_as_it_is(client, flow):
    """What a workflow fails with is raised with its cause, so that programs can catch it."""
    with pytest.raises(ZeroDivisionError, match="nothing to share") as caught:
        client.execute(["redun", "run", flow, "fail"])

    assert repr(caught.value.__cause__) == "KeyError('guests')"


def test_dry_run_says_that_something_would_run(client, flow):
    """A dry run with something to do raises what `Scheduler.run` raises."""
    with pytest.raises(DryRunResult):
        client.execute(["redun", "run", "--dryrun", flow, "double", "--x", "4"])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run", "nowhere.py", "main"], "Cannot find Python script file or module: nowhere.py"),
        (["run", "client_flow.py", "treble"], "Unknown task 'treble'"),
        (["nothing"], "nothing"),
        (["run", "--on-error", "panic", "client_flow.py", "double"], "panic"),
        (["--check-version", ">=99", "plugins"], "does not meet requirement >=99"),
        (
            ["-c", "nowhere", "run", "client_flow.py", "double", "--x", "1"],
            "No redun config found at nowhere/redun.ini",
        ),
    ],
)
def test_wrong_command_is_an_error_of_redun(client, flow, arguments, words):
    """What a terminal would show as a sentence is raised with that sentence."""
    with pytest.raises(RedunClientError) as caught:
        client.execute(["redun", *arguments])

    assert words in str(caught.value)


def test_wrong_use_of_a_task_is_an_error_of_redun(client, flow):
    """Arguments that the parser of a task refuses do not end the program."""
    with pytest.raises(RedunClientError, match="double --x many` ended with exit status 2"):
        client.execute(["redun", "run", flow, "double", "--x", "many"])

    assert "'many' is no valid int" in client.stderr.getvalue()


def test_output_and_log_level_are_given_back(client, flow, capsys):
    """After a command, also one that failed, the process prints and logs as before."""
    level = logger.level
    with pytest.raises(RedunError):
        client.execute(["redun", "--log-level", "DEBUG", "run", flow, "treble"])

    print("still here")

    assert (capsys.readouterr().out, logger.level) == ("still here\n", level)


def test_command_line_of_the_process_is_the_default(flow, monkeypatch):
    """Without arguments, a client runs what the process was called with."""
    monkeypatch.setattr("sys.argv", ["serve", "run", flow, "double", "--x", "5"])

    assert RedunClient(stdout=io.StringIO()).execute() == 10


def test_scheduler_and_store_are_those_of_commands(flow, project):
    """A program gets the configuration, the store and the scheduler that commands work with."""
    module = import_script(flow)

    scheduler = setup_scheduler()

    assert scheduler.run(module.double(3)) == 6
    assert get_config_dir() == str(project / ".redun") == setup_config().configdir
    assert type(setup_backend_db()).__name__ == "MemoryBackend"


@pytest.mark.parametrize("setup", [setup_config, setup_backend_db, setup_scheduler])
def test_folder_without_configuration_is_an_error(project, setup):
    """A folder that a program names has to have a configuration."""
    with pytest.raises(ConfigError, match="No redun config found at nowhere"):
        setup("nowhere")

    with pytest.raises(RedunError, match="team"):
        setup(repo="team")


def test_every_name_is_there():
    """Programs import all of this from `redun.cli`."""
    from redun_cli import client

    assert [name for name in client.__all__ if getattr(redun.cli, name) is not getattr(client, name)] == []
