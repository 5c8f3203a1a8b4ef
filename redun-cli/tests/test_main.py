import importlib
import re
import subprocess
import sys

import pytest

from redun import __version__
from redun.plugins.catalog import commands
from redun.plugins.host import PluginOptions, reload_plugins

GREET = '''
import click

@click.command()
@click.argument("name")
@click.option("--status", type=int, default=0)
@click.pass_context
def greet(ctx, name, status):
    """Greet somebody."""
    click.echo(f"hello {name}, from {ctx.obj.config_dir.name}")
    ctx.exit(status)

@click.command()
def count():
    """Count, and return what was counted."""
    click.echo("3 things")
    return 3

@click.command()
def crash():
    """Fail in a way nobody thought of."""
    raise ZeroDivisionError("oh")

nothing = 1
'''


@pytest.fixture
def demo(install):
    """A plugin with the commands ``greet``, ``count``, ``crash`` and some that are broken."""
    names = ["greet", "count", "crash", "nothing", "absent"]
    offers = [("redun_commands", name, f"redun_demo.things:{name}") for name in names]
    providers = "".join(f"    yield Provider({key!r}, {target!r}, 'To {key}')\n" for _, key, target in offers)
    install("demo", hooks=f"@hookimpl\ndef redun_commands():\n{providers}", things=GREET)


@pytest.mark.parametrize("arguments", [["--help"], ["-h"], []])
def test_help_lists_the_commands_of_all_plugins(call, arguments):
    """The help, which also is what no command at all shows, lists every command with its summary."""
    finished = call(*arguments)

    listed = finished.out.partition("Commands:\n")[2].splitlines()
    assert [line.split()[0] for line in listed if line.startswith("  ") and line[2] != " "] == list(commands)
    assert re.search(r"^  run +Run a task of a workflow$", finished.out, re.MULTILINE)
    assert (finished.status, finished.err) == (0, "")


def test_help_imports_no_command():
    """The help imports no module of a command and no database library."""
    code = (
        "import sys\nfrom redun_cli.main import main\nmain(['--help'])\nprint(*sorted(sys.modules), file=sys.stderr)\n"
    )

    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)

    loaded = finished.stderr.split()
    foreign = ("sqlalchemy", "alembic", "sqlite3", "fsspec", "redun.scheduler")
    assert "Commands:" in finished.stdout
    assert [name for name in loaded if name in foreign or ".commands" in name] == []


@pytest.mark.parametrize("name", list(commands))
def test_every_command_has_a_help_page(call, name):
    """Each installed command has a help page with its usage, its purpose and examples."""
    finished = call(name, "--help")

    assert (finished.status, finished.err) == (0, "")
    assert finished.out.startswith(f"Usage: redun {name}")
    assert f"  redun {name}" in finished.out.partition("Examples:\n")[2]


@pytest.mark.parametrize("name", list(commands))
def test_summaries_agree_with_help_pages(call, name):
    """What the list says of a command is short enough for one line."""
    summary = commands.find(name).provider.summary

    assert 0 < len(summary) <= 60
    assert not summary.endswith(".")


@pytest.mark.parametrize("option", ["--version", "-V"])
def test_version_is_printed_alone(call, option):
    """The version is printed without decoration, for scripts to read."""
    assert call(option) == (0, f"{__version__}\n", "")


@pytest.mark.parametrize("command", ["helo", "rnu", ""])
def test_unknown_command_is_a_sentence(redun, command):
    """An unknown command is one sentence on the error stream, and a failure."""
    finished = redun(command)

    assert finished.status != 0
    assert finished.out == ""
    assert finished.err.startswith(f"redun: there is no command {command!r}; ")
    assert len(finished.err.splitlines()) == 1


def test_near_miss_of_a_command_is_named(call):
    """An unknown command that resembles another one is answered with it."""
    assert call("plugin").err == "redun: there is no command 'plugin'; did you mean 'plugins'?\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--frobnicate"], "--frobnicate"),
        (["--log-level", "LOUD", "plugins"], "Invalid value for '--log-level': 'LOUD' is not one of"),
        (["-c"], "Option '-c' requires an argument"),
        (["plugins", "--format", "xml"], "Invalid value for '--format': 'xml' is not one of 'text', 'json'"),
        (["init", "one", "two"], "Got unexpected extra argument (two)"),
    ],
)
def test_wrong_usage_exits_with_two(call, arguments, words):
    """Wrong options of the program or of a command are a sentence after the usage, and exit status 2."""
    finished = call(*arguments)

    assert (finished.status, finished.out) == (2, "")
    assert words in finished.sentence
    assert "Traceback" not in finished.err


def test_command_of_plugin_gets_the_workspace(call, demo):
    """A command of a third party runs like one of redun's own."""
    assert call("greet", "you") == (0, "hello you, from .redun\n", "")


def test_command_of_plugin_chooses_its_exit_status(call, demo):
    """The exit status that a command asks for is that of the program."""
    finished = call("greet", "you", "--status", "3")

    assert (finished.status, finished.err) == (3, "")


def test_module_exits_like_the_program(demo):
    """`python -m redun_cli` ends with the exit status that a command asks for."""
    command = [sys.executable, "-m", "redun_cli", "greet", "you", "--status", "3"]

    finished = subprocess.run(command, capture_output=True, text=True)

    assert (finished.returncode, finished.stdout) == (3, "hello you, from .redun\n")


def test_return_value_of_command_is_no_exit_status(call, demo):
    """What the function of a command returns does not make the program fail."""
    assert call("count") == (0, "3 things\n", "")


def test_unexpected_error_of_command_is_a_sentence(redun, demo):
    """A bug in a command is one sentence that says how to see its traceback; with ``--debug`` that is shown."""
    finished, debugged = redun("crash"), redun("--debug", "crash")

    assert finished.err == "redun: unexpected ZeroDivisionError: oh (run `redun --debug ...` for the traceback)\n"
    assert (finished.status, debugged.status) == (1, 1)
    assert debugged.err.endswith("ZeroDivisionError: oh\n")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("nothing", "redun: command 'nothing' of plugin redun-demo 1.0 is no click command"),
        ("absent", "redun: command 'absent' of plugin redun-demo 1.0 is broken: 'absent' is to be found as"),
    ],
)
def test_broken_command_is_a_sentence(call, demo, name, words):
    """A command that can't be loaded is one sentence that names the plugin and its version."""
    finished = call(name)

    assert (finished.status, finished.out, len(finished.err.splitlines())) == (1, "", 1)
    assert finished.err.startswith(words)


def test_broken_command_does_not_break_the_help(call, demo):
    """The help lists commands that can't be loaded, and the others."""
    finished = call("--help")

    assert (finished.status, finished.err) == (0, "")
    assert "absent" in finished.out
    assert "To greet" in finished.out


def test_command_offered_twice_is_a_sentence(call, install):
    """A command that two plugins offer is one sentence that names both."""
    for name in ("one", "two"):
        install(name, offers=[("redun_commands", "report", f"redun_{name}.things:report")])

    finished = call("report")

    assert finished.status == 1
    assert finished.err == (
        "redun: command 'report' is provided by redun-one 1.0 and redun-two 1.0: "
        "disable one of them with [plugins] disable\n"
    )


def test_help_works_without_commands(call):
    """The help works when every plugin that offers commands is disabled."""
    reload_plugins(PluginOptions(disable=("all",)))

    finished = call("--help")

    assert (finished.status, "Usage: redun" in finished.out) == (0, True)


def test_disabled_command_is_not_there(redun, monkeypatch):
    """A command of a plugin that the environment disables is not there."""
    monkeypatch.setenv("REDUN_DISABLE_PLUGINS", "backend-sql")

    finished = redun("log")

    assert (finished.status, finished.out) == (1, "")
    assert finished.err.startswith("redun: there is no command 'log'; known are ")


def test_command_disabled_by_the_configuration_is_not_there(call, project):
    """A command of a plugin that the configuration disables is not there."""
    (project / ".redun" / "redun.ini").write_text("[plugins]\ndisable = backend-sql\n")

    finished = call("log")

    assert finished.err.startswith("redun: there is no command 'log'")


def test_help_is_a_command_too(call):
    """`redun help` shows what `redun --help` shows."""
    assert call("help") == call("--help")


def test_main_is_importable_under_its_old_name():
    """Programs import the program's entry as ``redun.cli.main``."""
    assert importlib.import_module("redun.cli").main is importlib.import_module("redun_cli.main").main
