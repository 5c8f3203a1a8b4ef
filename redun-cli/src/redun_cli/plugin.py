"""The hook module of the command line."""

from __future__ import annotations

from collections.abc import Iterable

from redun.plugins.provider import Provider
from redun.plugins.specs import hookimpl

redun_api = 1


@hookimpl
def redun_commands() -> Iterable[Provider]:
    """Offer the commands that need no particular store."""
    yield Provider("config", "redun_cli.commands.config:config", "Show, describe or check the configuration")
    yield Provider("init", "redun_cli.commands.init:init", "Create a repository: a configuration and a database")
    yield Provider("plugins", "redun_cli.commands.plugins:plugins", "List the installed plugins and what they provide")
    yield Provider("run", "redun_cli.commands.run:run", "Run a task of a workflow")
