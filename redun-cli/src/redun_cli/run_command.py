"""Telling the options of ``redun run`` from those of the task that it runs.

Both may stand anywhere. An option that both have belongs to ``redun run`` before the name of the task, and to the task
after it, so that no parameter of a task is out of reach.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import click

_RAW = "redun_cli.run_command.raw"


class RunCommand(click.Command):
    """A command that remembers its arguments as they were given."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the arguments, and remember them."""
        ctx.meta[_RAW] = list(args)
        return super().parse_args(ctx, args)


def split_options(
    ctx: click.Context, script: str, task_name: str, task_options: Collection[str]
) -> tuple[dict[str, Any], Sequence[str]]:
    """Return the options of the command by parameter, and the texts that are left for the task.

    Parameters
    ----------
    ctx
        The context of the command, with what click made of the arguments.
    script, task_name
        The two names that were given.
    task_options
        The options of the task.
    """
    names = [str(parameter.name) for parameter in ctx.command.params if isinstance(parameter, click.Option)]
    known = {name: ctx.params[name] for name in names}
    if not any(set(parameter.opts) & set(task_options) for parameter in ctx.command.params):
        return known, ctx.params["arguments"]
    raw: list[str] = ctx.meta[_RAW]
    end = raw.index(task_name, raw.index(script) + 1) + 1
    before = _parse(ctx, raw[:end], ctx.command.params)
    own = [parameter for parameter in ctx.command.params if not set(parameter.opts) & set(task_options)]
    after = _parse(ctx, raw[end:], [parameter for parameter in own if isinstance(parameter, click.Option)])
    return {name: _join(before.params[name], after.params.get(name)) for name in known}, after.args


def _parse(ctx: click.Context, texts: Sequence[str], parameters: Sequence[click.Parameter]) -> click.Context:
    command = click.Command(ctx.command.name, params=list(parameters), add_help_option=False)
    settings = {"ignore_unknown_options": True, "allow_extra_args": True}
    return command.make_context(ctx.info_name, list(texts), parent=ctx.parent, **settings)


def _join(before: Any, after: Any) -> Any:
    """Return the value of an option that may have been given in both parts."""
    if isinstance(before, tuple) and isinstance(after, tuple):
        return (*before, *after)
    return after or before
