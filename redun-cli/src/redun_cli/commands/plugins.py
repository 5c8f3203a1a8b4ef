"""``redun plugins``: what is installed, and what it provides."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import click

from redun.errors import PluginError, UnknownNameError
from redun.plugins.catalog import CATALOGS
from redun.plugins.host import Plugin, get_host
from redun.settings import list_options

_MAX_NAMES = 5


_output = click.option(
    "--format", "output", type=click.Choice(["text", "json"]), default="text", help="How to print the list."
)


class _NameOrCommand(click.Group):
    """A group in which the name of a plugin may stand in place of a command."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return ["new"]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        from redun_cli.commands.new_plugin import new_plugin

        return new_plugin

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        return super().resolve_command(ctx, args) if args[0] == "new" else ("show", _show, args)


@click.group(cls=_NameOrCommand, invoke_without_command=True, subcommand_metavar="[NAME | new KIND NAME]")
@_output
@click.pass_context
def plugins(ctx: click.Context, output: str) -> None:
    """List the installed plugins: name, distribution, version, state and what each provides.

    With NAME, show one plugin with the options of everything that it provides.

    \b
    Examples:
      redun plugins
      redun plugins core
      redun plugins --format json
      redun plugins new executor slurm    a package to write an executor in
    """
    if ctx.invoked_subcommand is None:
        _show_plugins(None, output)
    elif output != "text" and ctx.invoked_subcommand != "show":
        raise click.UsageError(f"--format does not go with {ctx.invoked_subcommand!r}", ctx)


@click.command(hidden=True)
@click.argument("name")
@_output
@click.pass_context
def _show(ctx: click.Context, name: str, output: str) -> None:
    """Show one plugin."""
    before = ctx.parent.params["output"] if ctx.parent else "text"
    _show_plugins(name, before if output == "text" else output)


def _show_plugins(name: str | None, output: str) -> None:
    provided = _collect_provided()
    found = [plugin for plugin in get_host().plugins if name in (None, plugin.name, plugin.distribution)]
    if not found:
        known = ", ".join(plugin.name for plugin in get_host().plugins)
        raise UnknownNameError(f"there is no plugin {name!r}; installed are {known}")
    if output == "json":
        click.echo(json.dumps([_describe_json(plugin, provided) for plugin in found], indent=2))
    else:
        lines = _describe_plugin(found[0], provided) if name else _describe_table(found, provided)
        for line in lines:
            click.echo(line)


def _collect_provided() -> dict[str, list[dict[str, str]]]:
    provided: dict[str, list[dict[str, str]]] = {plugin.name: [] for plugin in get_host().plugins}
    for catalog in CATALOGS:
        for plugin, provider in catalog.entries():
            provided[plugin.name].append(
                {"kind": catalog.kind, "name": provider.name, "target": provider.target, "summary": provider.summary}
            )
    return provided


def _describe_json(plugin: Plugin, provided: dict[str, list[dict[str, str]]]) -> dict[str, Any]:
    return {
        "name": plugin.name,
        "distribution": plugin.distribution,
        "version": plugin.version,
        "state": plugin.state,
        "problem": plugin.problem,
        "seconds": round(plugin.seconds, 6),
        "provides": provided[plugin.name],
    }


def _describe_table(found: Sequence[Plugin], provided: dict[str, list[dict[str, str]]]) -> Iterator[str]:
    rows = [("NAME", "DISTRIBUTION", "VERSION", "STATE", "PROVIDES")]
    for plugin in found:
        rows.append((plugin.name, plugin.distribution, plugin.version, plugin.state, _summarize(provided[plugin.name])))
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        yield "  ".join([*cells, row[4]]).rstrip()
    for plugin in found:
        if plugin.problem is not None:
            yield f"\n{plugin}: {plugin.problem}"


def _summarize(items: Sequence[dict[str, str]]) -> str:
    by_kind: dict[str, list[str]] = {}
    for item in items:
        by_kind.setdefault(item["kind"], []).append(item["name"])
    return "; ".join(
        f"{kind}{'s' if len(names) > 1 else ''} {_shorten(sorted(names))}" for kind, names in by_kind.items()
    )


def _shorten(names: Sequence[str]) -> str:
    rest = len(names) - _MAX_NAMES
    return ", ".join(names) if rest <= 1 else f"{', '.join(names[:_MAX_NAMES])} and {rest} more"


def _describe_plugin(plugin: Plugin, provided: dict[str, list[dict[str, str]]]) -> Iterator[str]:
    yield f"{plugin.name}: {plugin.distribution} {plugin.version}, {plugin.state}"
    if plugin.problem is not None:
        yield f"  {plugin.problem}"
    for item in provided[plugin.name]:
        yield ""
        yield f"{item['kind']} {item['name']}: {item['summary']}"
        yield from (f"  {line}" for line in _describe_item_options(item))


def _describe_item_options(item: dict[str, str]) -> Iterator[str]:
    catalog = next(catalog for catalog in CATALOGS if catalog.kind == item["kind"])
    if item["kind"] not in ("executor", "backend", "observer"):
        return
    try:
        described = list_options(catalog.load(item["name"]).options_type)
    except PluginError as error:
        yield str(error)
        return
    for option in described:
        yield f"{option.name} ({option.type}, {option.fallback}): {option.help}"
