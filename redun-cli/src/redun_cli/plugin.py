"""The hook module of the command line."""

from __future__ import annotations

from collections.abc import Iterable

from redun.plugins.provider import Provider
from redun.plugins.specs import hookimpl

redun_api = 1


@hookimpl
def redun_commands() -> Iterable[Provider]:
    """Offer the commands that need no particular store."""
    yield Provider("completion", "redun_cli.commands.completion:completion", "Print what makes a shell complete lines")
    yield Provider("config", "redun_cli.commands.config:config", "Show, describe or check the configuration")
    yield Provider("debug", "redun_cli.commands.debug:debug", "Run a recorded job again here, in the debugger")
    yield Provider("doctor", "redun_cli.commands.doctor:doctor", "Check that everything works, and say what to do")
    yield Provider("init", "redun_cli.commands.init:init", "Create a repository: a configuration and a database")
    yield Provider("plugins", "redun_cli.commands.plugins:plugins", "List the installed plugins and what they provide")
    yield Provider("run", "redun_cli.commands.run:run", "Run a task of a workflow")


@hookimpl
def redun_checks() -> Iterable[Provider]:
    """Offer the checks that concern no particular store."""
    for name, summary in (
        ("versions", "Python, and redun's distributions, which have to be of one release"),
        ("plugins", "What became of the installed plugins"),
        ("configuration", "Mistakes in the configuration"),
        ("executors", "Whether every configured executor takes calls"),
        ("disks", "Room for the repository and temporary files"),
    ):
        yield Provider(name, f"redun_cli.checkups:check_{name}", summary)
