"""A group of commands that are imported when they are called; listing them imports none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import click

from redun.errors import PluginError
from redun.plugins.provider import Provider


class LazyGroup(click.Group):
    """A group whose commands are providers.

    Parameters
    ----------
    providers
        What each command is called, where it is, and what it is for.
    **settings
        Settings of the group.
    """

    def __init__(self, *, providers: Sequence[Provider] = (), **settings: Any) -> None:
        super().__init__(**settings)
        self.providers: Mapping[str, Provider] = {provider.name: provider for provider in providers}

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.providers)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        provider = self.providers.get(cmd_name)
        if provider is None:
            return None
        command = provider.load()
        if not isinstance(command, click.Command):
            raise PluginError(f"{provider.target!r} of {cmd_name!r} is no click command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(provider.name, provider.summary) for provider in self.providers.values()])
