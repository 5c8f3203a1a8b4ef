"""``redun db info`` and ``redun db versions``: which version the database has, and which there are."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import click

from redun import __version__
from redun.errors import BackendError
from redun.workspace import Workspace
from redun_backend_sql.commands.open_database import open_database
from redun_backend_sql.database import Database
from redun_backend_sql.extension import ensure_extension, read_extension_version
from redun_backend_sql.versions import (
    LATEST,
    MIGRATIONS,
    NO_SCHEMA,
    REQUIRED,
    check_not_newer,
    find_migration,
    read_revision,
    read_version,
)

format_option = click.option(
    "--format", "output", type=click.Choice(["text", "json"]), default="text", help="How to print it."
)


@dataclass(frozen=True)
class DatabaseInfo:
    """What is said of a database.

    Attributes
    ----------
    redun_version, config_dir, database
        This program, the configuration and the database.
    version, revision, description
        The version of the schema and its migration; None for what is no database of redun.
    required, compatible
        The versions that this program works with, and whether this is one.
    extension_version
        The version of the tables beside the schema; None if there are none.
    problem
        What is wrong, and what to do.
    """

    redun_version: str
    config_dir: str
    database: str
    version: str | None = None
    revision: str | None = None
    description: str | None = None
    required: str = REQUIRED
    compatible: bool = False
    extension_version: int | None = None
    problem: str | None = None


@click.command()
@format_option
@click.pass_obj
def info(workspace: Workspace, output: str) -> None:
    """Show the version of the database, and whether this redun works with it.

    \b
    Examples:
      redun db info
      redun db info --format json
    """
    with open_database(workspace, create=False) as database:
        found = describe_database(database, str(workspace.config_dir))
    if output == "json":
        click.echo(json.dumps(asdict(found), indent=2))
    else:
        for line in _format_info(found):
            click.echo(line)


def describe_database(database: Database, config_dir: str) -> DatabaseInfo:
    """Return what is to be said of a database, also when it is damaged or none of redun."""
    known: dict[str, Any] = {"redun_version": __version__, "config_dir": config_dir, "database": database.name}
    try:
        version = read_version(database)
        known |= {"version": str(version), "revision": read_revision(database)}
        migration = find_migration(version)
        known["description"] = migration.summary if migration else "no schema" if version == NO_SCHEMA else "unknown"
        known["extension_version"] = read_extension_version(database)
        check_not_newer(database, version)
        if version < LATEST:
            known["problem"] = "run `redun db upgrade` to bring it up to date"
        else:
            ensure_extension(database, may_create=False)
            known["compatible"] = True
    except BackendError as error:
        known["problem"] = str(error)
    return DatabaseInfo(**known)


def _format_info(found: DatabaseInfo) -> Iterator[str]:
    yield f"redun :: version {found.redun_version}"
    yield f"config dir: {found.config_dir}"
    yield f"database: {found.database}"
    yield ""
    yield f"db version: {found.version} '{found.description}'" if found.version else "db version: unknown"
    yield f"db extension version: {'none' if found.extension_version is None else found.extension_version}"
    yield f"CLI requires db versions: {found.required}"
    yield f"CLI compatible with db: {found.compatible}"
    if found.problem:
        yield ""
        yield found.problem


@click.command()
@format_option
def versions(output: str) -> None:
    """List the versions of the schema that there have been, oldest first.

    \b
    Examples:
      redun db versions
      redun db versions --format json
    """
    rows = [(str(migration.version), migration.revision, migration.summary) for migration in MIGRATIONS]
    if output == "json":
        keys = ("version", "migration", "description")
        click.echo(json.dumps([dict(zip(keys, row, strict=True)) for row in rows], indent=2))
    else:
        for version, revision, summary in [("Version", "Migration", "Description"), *rows]:
            click.echo(f"{version:<7}  {revision:<12}  {summary}")
