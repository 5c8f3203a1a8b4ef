"""The hook module of the pictures."""

from __future__ import annotations

from collections.abc import Iterable

from redun.plugins.provider import Provider
from redun.plugins.specs import hookimpl

redun_api = 1


@hookimpl
def redun_commands() -> Iterable[Provider]:
    """Offer the command that draws."""
    yield Provider("viz", "redun_viz.commands.viz:viz", "Draw an execution or a job: graph, timeline, page")
