"""Telling the options of ``redun run`` from those of the task that it runs.

Both may stand anywhere. An option that both have belongs to ``redun run`` before the name of the task, and to the task
after it, so that no parameter of a task is out of reach.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from typing import Any

import click
from click.core import ParameterSource
from click.shell_completion import CompletionItem

_RAW = "redun_cli.run_command.raw"


class LateChoice(click.ParamType):  # type: ignore[type-arg] # Generic in newer versions of click only.
    """A choice between texts that is checked once it is certain that the option is not one of the task's.

    Parameters
    ----------
    choices
        The texts.
    """

    name = "choice"

    def __init__(self, choices: Iterable[str]) -> None:
        self.choices = tuple(choices)

    def get_metavar(self, param: click.Parameter, ctx: click.Context | None = None) -> str:
        """Return what stands for the value in help texts."""
        return f"[{'|'.join(self.choices)}]"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Return the choices that begin with what was typed."""
        return [CompletionItem(choice) for choice in self.choices if choice.startswith(incomplete)]

    def check(self, ctx: click.Context, param: click.Parameter, value: Any) -> None:
        """Refuse what is none of the choices."""
        if value is not None and value not in self.choices:
            raise click.BadParameter(f"{value!r} is not one of {', '.join(map(repr, self.choices))}.", ctx, param)


class RunCommand(click.Command):
    """A command that remembers its arguments as they were given."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the arguments, and remember them."""
        ctx.meta[_RAW] = list(args)
        return super().parse_args(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Return the options that begin with what was typed: the parameters of the task that is named, then its own."""
        from redun_cli.completion import complete_parameters

        script, task_name = ctx.params.get("script"), ctx.params.get("task_name")
        offered = complete_parameters(script, task_name, incomplete) if script and task_name else []
        names = {item.value for item in offered}
        return [*offered, *(item for item in super().shell_complete(ctx, incomplete) if item.value not in names)]


def make_options(names: Iterable[str]) -> dict[str, str]:
    """Return the option for each parameter, in lower case unless parameters differ in nothing but their case.

    Examples
    --------
    >>> make_options(["max_depth", "Reads", "N", "n"])
    {'max_depth': '--max-depth', 'Reads': '--reads', 'N': '--N', 'n': '--n'}
    """
    exact = {name: f"--{name.replace('_', '-')}" for name in names}
    counts = Counter(option.lower() for option in exact.values())
    return {name: option if counts[option.lower()] > 1 else option.lower() for name, option in exact.items()}


def find_values(ctx: click.Context, script: str, task_name: str, name: str) -> Collection[Any]:
    """Return what an option of the command may come to, as long as it is not known which ones the task has.

    Parameters
    ----------
    ctx
        The context of the command, with what click made of the arguments.
    script, task_name
        The two names that were given.
    name
        The parameter of the option.
    """
    if ctx.get_parameter_source(name) is ParameterSource.DEFAULT:
        return [ctx.params[name]]
    raw: list[str] = ctx.meta[_RAW]
    before = _parse(ctx, raw[: _find_end(raw, script, task_name)], ctx.command.params)
    return [ctx.params[name], before.params[name]]


def list_words_after_task(ctx: click.Context, script: str, task_name: str) -> Sequence[str]:
    """Return the words of the command line that follow the name of the task.

    Parameters
    ----------
    ctx
        The context of the command, with what click made of the arguments.
    script, task_name
        The two names that were given.
    """
    raw: list[str] = ctx.meta[_RAW]
    return raw[_find_end(raw, script, task_name) :]


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
        return _check(ctx, known), ctx.params["arguments"]
    raw: list[str] = ctx.meta[_RAW]
    end = _find_end(raw, script, task_name)
    before = _parse(ctx, raw[:end], ctx.command.params)
    own = [parameter for parameter in ctx.command.params if not set(parameter.opts) & set(task_options)]
    after = _parse(ctx, raw[end:], [parameter for parameter in own if isinstance(parameter, click.Option)])
    return _check(ctx, {name: _join(name, before, after) for name in known}), after.args


def _find_end(raw: Sequence[str], script: str, task_name: str) -> int:
    """Return where in the arguments the part begins that follows the name of the task."""
    return raw.index(task_name, raw.index(script) + 1) + 1


def _check(ctx: click.Context, values: dict[str, Any]) -> dict[str, Any]:
    for parameter in ctx.command.params:
        if isinstance(parameter.type, LateChoice):
            parameter.type.check(ctx, parameter, values[str(parameter.name)])
    return values


def _parse(ctx: click.Context, texts: Sequence[str], parameters: Sequence[click.Parameter]) -> click.Context:
    command = click.Command(ctx.command.name, params=list(parameters), add_help_option=False)
    settings = {"ignore_unknown_options": True, "allow_extra_args": True}
    return command.make_context(ctx.info_name, list(texts), parent=ctx.parent, **settings)


def _join(name: str, before: click.Context, after: click.Context) -> Any:
    """Return the value of an option that may have been given in both parts."""
    first, second = before.params[name], after.params.get(name)
    if isinstance(first, tuple) and isinstance(second, tuple):
        return (*first, *second)
    is_default = after.get_parameter_source(name) is ParameterSource.DEFAULT
    return first if is_default else second or first
