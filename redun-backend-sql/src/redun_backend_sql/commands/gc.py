"""``redun gc``: give back the room that old values take."""

from __future__ import annotations

import json
from contextlib import closing

import click

from redun.errors import BackendError
from redun.tags import ANY_VALUE, parse_tag_key_value
from redun.workspace import Workspace
from redun_backend_sql.backend import SqlBackend
from redun_backend_sql.collection import Budget, Policy, collect, describe_collection
from redun_backend_sql.commands.units import read_age, read_size
from redun_backend_sql.usage import PIN_KEYS, Pin


@click.command()
@click.option("--older-than", metavar="AGE", callback=read_age, help="Drop values not used for so long, such as 90d.")
@click.option(
    "--max-size", metavar="SIZE", callback=read_size, help="Drop values until no more is left than this, such as 10GB."
)
@click.option(
    "--policy",
    type=click.Choice([policy.value for policy in Policy]),
    default=Policy.OLDEST.value,
    show_default=True,
    help="What goes first for --max-size: values used longest ago, or the largest.",
)
@click.option("--dry-run", is_flag=True, help="Only say what would be dropped, and what later runs would make again.")
@click.option(
    "--pin",
    "pins",
    metavar="KEY[=VALUE]",
    multiple=True,
    callback=lambda context, parameter, texts: [read_pin(text) for text in texts],
    help=f"A tag that keeps what it is on, besides {' and '.join(PIN_KEYS)}. Can be repeated.",
)
@click.option(
    "--min-size",
    metavar="SIZE",
    default="1KiB",
    show_default=True,
    callback=read_size,
    help="The least size of values that are dropped.",
)
@click.option(
    "--grace",
    metavar="AGE",
    default="1d",
    show_default=True,
    callback=read_age,
    help="How long values stay after their last use whatever the limits, and files in the value store after they were "
    "written.",
)
@click.option(
    "--orphans",
    is_flag=True,
    help="Remove blobs too that no row refers to. Not where several databases use one value store.",
)
@click.option(
    "--vacuum",
    is_flag=True,
    help="Give the pages that are free now back to the disk; without it SQLite fills them again. PostgreSQL keeps them "
    "either way, and this makes it see at once that they are free.",
)
@click.option("--format", "output", type=click.Choice(["text", "json"]), default="text", help="How to print it.")
@click.pass_obj
def gc(
    workspace: Workspace,
    older_than: float | None,
    max_size: int | None,
    policy: str,
    dry_run: bool,
    pins: list[Pin],
    min_size: int,
    grace: float,
    orphans: bool,
    vacuum: bool,
    output: str,
) -> None:
    """Give back the room that old values take, and keep the record of what happened.

    Dropped are the bytes of values that were not used for long, or that exceed a size, with the cached results that
    name them; a later run makes again what it needs of them. Executions, jobs, calls and one line for each value stay.
    Values that are in use stay too, and those with a tag `pin`, on themselves or on an execution, job, call or task
    that used them. Runs may go on meanwhile. Without limits, only leftovers in the value store are removed.

    \b
    Examples:
      redun gc --older-than 90d --dry-run
      redun gc --older-than 90d --max-size 10GB
      redun gc --max-size 500MB --policy largest --pin release=1.0 --vacuum
      redun gc --orphans
    """
    budget = Budget(older_than, max_size, Policy(policy), min_size, grace, [*Budget().pins, *pins])
    backend = workspace.open_backend(create=False)
    with closing(backend):
        if not isinstance(backend, SqlBackend):
            raise BackendError("the configured store is no database: set [backend] db_uri to one")
        done = collect(backend, budget, dry_run, orphans)
        if vacuum and not dry_run:
            backend.database.execute("VACUUM" if backend.database.dialect == "sqlite" else "VACUUM value")
        if output == "json":
            click.echo(json.dumps({"database": backend.path, **done.as_data()}, indent=2))
        else:
            for line in describe_collection(done):
                click.echo(line)


def read_pin(text: str) -> Pin:
    """Return the tag that an option names: a key, with any value or with one."""
    try:
        key, value = parse_tag_key_value(text, value_required=False)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None
    return key, value if "=" in text else ANY_VALUE
