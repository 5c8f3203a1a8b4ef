"""The hook module of the console."""

from __future__ import annotations

from collections.abc import Iterable

from redun.plugins.provider import Provider
from redun.plugins.specs import hookimpl

redun_api = 1


@hookimpl
def redun_commands() -> Iterable[Provider]:
    """Offer the command."""
    yield Provider(
        "console", "redun_console.commands.console:console", "Look around in past executions, screen by screen"
    )
