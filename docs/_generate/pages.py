"""The pages of the reference: what is installed, described by itself.

Options come from dataclasses, commands from their help, hooks from their specifications, tables from a new database,
the Python interface from docstrings, and the design from the project's own page.
"""

from __future__ import annotations

import re
import sqlite3
import tempfile
from collections.abc import Iterator, Mapping
from inspect import cleandoc
from pathlib import Path
from typing import Any

import click

from redun.plugins import specs
from redun.plugins.catalog import CATALOGS, Catalog
from redun.settings import list_options

MODULES: Mapping[str, str] = {
    "redun.task": "Tasks",
    "redun.control": "Control of evaluation",
    "redun.functools": "Building blocks",
    "redun.context": "Context",
    "redun.scheduler": "The scheduler",
    "redun.running": "Running from Python",
    "redun.threads": "Threads of evaluation",
    "redun.tags": "Tags",
    "redun_value_file.file": "Files",
    "redun_value_file.variants": "Variants of files",
    "redun_value_file.staging": "Staging",
    "redun_value_file.scripts": "Scripts",
    "redun.tools": "Tools for files",
    "redun_value_handle.handle": "Handles",
    "redun_value_handle.merging": "Merged handles",
    "redun_backend_sql.querying": "Asking the call graph",
    "redun.config": "Configuration",
    "redun.errors": "Errors",
    "redun.value": "Types of values",
    "redun.values.base": "The contract of values",
    "redun.executors.base": "The contract of executors",
    "redun.executors.pool": "Pools of workers",
    "redun.backends.base": "The contract of stores",
    "redun.plugins.provider": "Providers",
    "redun.workspace": "The setting of a command",
    "redun.pytest": "Testing workflows",
    "redun.testing.plugin": "The contract of plugins, as tests",
    "redun.testing.executor": "The contract of executors, as tests",
    "redun.testing.backend": "The contract of stores, as tests",
    "redun.testing.value": "The contract of values, as tests",
    "redun.testing.command": "The contract of commands, as tests",
}
"""The modules whose names users and authors of plugins import, with the titles of their sections."""


def make_pages(root: Path) -> Mapping[str, str]:
    """Return the made pages, by their paths."""
    readmes = sorted(root.glob("redun-*/README.md"))
    return {
        **{f"distributions/{path.parent.name}.md": _link_to_repository(path.read_text("utf-8")) for path in readmes},
        "reference/python.md": "\n".join(_describe_modules()),
        "reference/configuration.md": "\n".join(_describe_configuration()),
        "reference/commands.md": "\n".join(_describe_commands()),
        "reference/hooks.md": "\n".join(_describe_hooks()),
        "reference/database.md": "\n".join(_describe_database()),
        "reference/task-options.md": "# Task options\n\n" + _cut(root / "README.md", "## Task options"),
        "benchmarks.md": "# Benchmarks\n\n" + _cut(root / "README.md", "## What a task costs") + _REPRODUCE,
        "design.md": _link_to_repository((root / "DESIGN.md").read_text(encoding="utf-8")),
    }


_REPRODUCE = """
## Reproduce them

From a clone of the repository:

```sh
make bench           # the table above, on your machine
make bench-queries   # questions to a database of a million jobs: benchmarks/big_database.py
```

The floor is `benchmarks/floor.py`: pickles, hashes and rows of the same tasks in plain loops, written with the
settings and in the transactions that a run uses. The workflows are in `benchmarks/workflows.py`. Each figure is the
least of some rounds, in each of which a process measures all of them and the floor.
"""


def _describe_modules() -> Iterator[str]:
    yield "# Python"
    yield "\nWhat workflows import comes from `redun` where it can; the modules are where the names are defined.\n"
    for name, title in MODULES.items():
        yield f"## {title}\n\nModule `{name}`.\n"
        yield f"::: {name}\n    options:\n      heading_level: 3\n"


_SECTIONS = {"backend": "[backend]", "executor": "[executors.NAME]", "observer": "[observers.NAME]"}


def _describe_configuration() -> Iterator[str]:
    yield "# Configuration"
    yield (
        "\n`redun.ini` lies in the configuration folder, `.redun` unless told otherwise. `${name}` refers to an option "
        "of the same section, of `[DEFAULT]` or to an environment variable, `${section:name}` to an option elsewhere, "
        "and `$$` is a dollar sign.\n"
    )
    from redun.plugins.host import PluginOptions
    from redun.scheduler.setup import SchedulerOptions

    yield "## `[scheduler]`\n"
    yield from _make_table(SchedulerOptions)
    yield "## `[plugins]`\n"
    yield from _make_table(PluginOptions)
    for catalog in CATALOGS:
        if catalog.kind in _SECTIONS:
            yield from _describe_options(catalog)


def _describe_options(catalog: Catalog[Any]) -> Iterator[str]:
    section = _SECTIONS[catalog.kind]
    for entry in catalog.entries():
        provider = entry.provider
        yield f"## `{section}` with `type = {provider.name}` {{ #{catalog.kind}-{provider.name} }}\n"
        yield f"{provider.summary}. From `{entry.plugin.distribution}`.\n"
        yield from _make_table(catalog.load(provider.name).options_type)


def _make_table(options_type: type[Any]) -> Iterator[str]:
    described = list_options(options_type)
    if not described:
        yield "It has no options.\n"
        return
    yield "| option | type | default | meaning |\n|---|---|---|---|"
    for option in described:
        default = "needed" if option.default is None else f"`{option.default}`" if option.default else ""
        kind, text = (cell.replace("|", "\\|") for cell in (option.type, option.help))
        yield f"| `{option.name}` | {kind} | {default} | {text} |"
    yield ""


def _describe_commands() -> Iterator[str]:
    from redun_cli.main import cli

    yield "# Commands"
    yield "\nThe commands of everything that is installed, as `--help` shows them.\n"
    with click.Context(cli, info_name="redun") as context:
        yield from _describe_command("redun", cli, context, 2)


def _describe_command(title: str, command: click.Command, context: click.Context, level: int) -> Iterator[str]:
    shown = click.Context(command, info_name=context.info_name, parent=context.parent, max_content_width=100)
    yield f"{'#' * level} `{title}` {{ #{title.replace(' ', '-')} }}\n"
    yield f"```text\n{command.get_help(shown)}\n```\n"
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            if inner is not None and not inner.hidden:
                with click.Context(inner, info_name=name, parent=context) as below:
                    yield from _describe_command(f"{title} {name}", inner, below, min(level + 1, 4))


def _describe_hooks() -> Iterator[str]:
    yield "# Hooks"
    yield f"\n{cleandoc(specs.__doc__ or '')}\n"
    kinds = {
        "Discovery": specs.DISCOVERY_HOOKS,
        "Lifecycle": specs.LIFECYCLE_HOOKS,
        "Decision": specs.DECISION_HOOKS,
    }
    for kind, names in kinds.items():
        yield f"## {kind} hooks\n"
        for name in names:
            text = cleandoc(getattr(specs.Hooks, name).__doc__ or "")
            summary, _, example = text.partition("Examples\n--------\n")
            yield f"### `{name}`\n\n{summary}\n```pycon\n{example}\n```\n"


def _describe_database() -> Iterator[str]:
    from redun_backend_sql.backend import SqlBackend
    from redun_backend_sql.options import SqlOptions

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "redun.db")
        backend = SqlBackend(SqlOptions(db_uri=f"sqlite:///{path}"))
        backend.load()
        backend.close()
        connection = sqlite3.connect(path)
        found = connection.execute("SELECT type, name, sql FROM sqlite_master ORDER BY type, name").fetchall()
        connection.close()
    yield "# Database"
    yield (
        "\nThe tables of version 3.5 of the schema, as SQLite has them, then those that this implementation keeps "
        "beside them (`redun_ext_*`; dropping them gives the database back as redun 0.46 has it), and the views for "
        "analysts.\n"
    )
    for kind, title in (("table", "Tables"), ("view", "Views")):
        yield f"## {title}\n"
        for entry, name, sql in found:
            if entry == kind and not name.startswith("sqlite_"):
                indexes = [
                    index[2] for index in found if index[0] == "index" and index[2] and f" ON {name} " in index[2]
                ]
                statements = ";\n".join([sql, *indexes])
                yield f"### `{name}`\n\n```sql\n{statements};\n```\n"


def _cut(path: Path, heading: str) -> str:
    """Return a section of a page, without its heading."""
    text = path.read_text(encoding="utf-8").partition(f"\n{heading}\n")[2]
    return _link_to_repository(re.split(r"^## ", text, maxsplit=1, flags=re.MULTILINE)[0].strip() + "\n")


def _link_to_repository(text: str) -> str:
    """Turn links to files of the repository, which the site does not have, into their paths."""
    return re.sub(r"\[([^\]]+)\]\((?!http)([^)]+)\)", r"\1 (`\2`)", text)
