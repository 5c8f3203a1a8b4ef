"""``redun plugins``: what is installed, and what it provides."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import click

from redun.errors import PluginError, UnknownNameError
from redun.plugins.catalog import CATALOGS
from redun.plugins.host import Plugin, get_host
from redun.settings import describe_options

_MAX_NAMES = 5


@click.command()
@click.argument("name", required=False)
@click.option("--format", "output", type=click.Choice(["text", "json"]), default="text", help="How to print the list.")
def plugins(name: str | None, output: str) -> None:
    """List the installed plugins: name, distribution, version, state and what each provides.

    With NAME, show one plugin with the options of everything that it provides.

    \b
    Examples:
      redun plugins
      redun plugins core
      redun plugins --format json
    """
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
        described = describe_options(catalog.load(item["name"]).options_type)
    except PluginError as error:
        yield str(error)
        return
    for name, kind, default, text in described:
        yield f"{name} ({kind}, default {default}): {text}"
