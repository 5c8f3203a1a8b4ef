"""``redun db upgrade`` and ``redun db downgrade``: bringing the database to another version."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence

import click

from redun.errors import BackendError
from redun.workspace import Workspace
from redun_backend_sql.commands.db_info import format_option
from redun_backend_sql.commands.open_database import open_database
from redun_backend_sql.database import Database
from redun_backend_sql.extension import ensure_extension, read_extension_version
from redun_backend_sql.losses import Loss, find_losses
from redun_backend_sql.migrate import Move, migrate
from redun_backend_sql.versions import (
    LATEST,
    NO_SCHEMA,
    SchemaVersion,
    check_not_newer,
    parse_version,
    read_version,
)


@click.command()
@click.argument("version", metavar="[V]", default="latest")
@format_option
@click.pass_obj
def upgrade(workspace: Workspace, version: str, output: str) -> None:
    """Bring the database to a newer version; nothing is lost.

    V is a version such as 3.1, 3 for its latest minor version, a migration, or latest, which is the default. An upgrade
    that is interrupted has not happened.

    \b
    Examples:
      redun db upgrade
      redun db upgrade 3.4
    """
    target = parse_version(version)
    with open_database(workspace, create=True) as database:
        initial = read_version(database)
        check_not_newer(database, initial)
        if initial > target:
            raise BackendError(
                f"the database {database.name} has version {initial}, which is newer than {target}: "
                f"to go back, run `redun db downgrade {target}`"
            )
        had_extension = read_extension_version(database) is not None
        move = migrate(database, target)
        has_extension = move.final == LATEST and ensure_extension(database, may_create=True)
        _report(move, has_changed=has_extension and not had_extension, output=output)


@click.command()
@click.argument("version", metavar="V")
@click.option("--drop-extension", is_flag=True, help="Remove what this redun keeps beside the schema, at any version.")
@click.option("--yes", is_flag=True, help="Do not ask before something is lost.")
@format_option
@click.pass_obj
def downgrade(workspace: Workspace, version: str, drop_extension: bool, yes: bool, output: str) -> None:
    """Bring the database to an older version, for programs that know no newer one.

    V is a version such as 3.1, 3 for its latest minor version, a migration, or latest. Results are never lost, but an
    older version may have no place for tags and other notes: what would go is listed, and on a terminal you are asked.

    \b
    Examples:
      redun db downgrade 3.3
      redun db downgrade 3.5 --drop-extension
      redun db downgrade 2.3 --yes
    """
    target = parse_version(version)
    with open_database(workspace, create=False) as database:
        initial = read_version(database)
        _check_can_lower(database, initial, target)
        had_extension = read_extension_version(database) is not None
        losses = find_losses(database, initial, target, drop_extension)
        if losses and not yes:
            _confirm(database, losses, target)
        move = migrate(database, target, may_lower=True, drop_extension=drop_extension)
        _report(move, has_changed=had_extension and drop_extension, output=output)


def _check_can_lower(database: Database, initial: SchemaVersion, target: SchemaVersion) -> None:
    check_not_newer(database, initial)
    if initial == NO_SCHEMA:
        raise BackendError(f"the database {database.name} has no tables to downgrade: run `redun db upgrade {target}`")
    if initial < target:
        raise BackendError(
            f"the database {database.name} has version {initial}, which is older than {target}: "
            f"run `redun db upgrade {target}`"
        )


def _confirm(database: Database, losses: Sequence[Loss], target: SchemaVersion) -> None:
    click.echo(f"Version {target} of the database {database.name} would lack:", err=True)
    for loss in losses:
        click.echo(f"  {loss}", err=True)
    if not sys.stdin.isatty():
        raise BackendError("nothing was changed, for nobody can be asked: say --yes if that may be lost")
    click.confirm("Go on?", abort=True, err=True)


def _report(move: Move, has_changed: bool, output: str) -> None:
    has_changed = has_changed or move.initial != move.final
    if output == "json":
        report = {"initial": str(move.initial), "final": str(move.final), "changed": has_changed}
        click.echo(json.dumps(report, indent=2))
    elif has_changed:
        click.echo(f"Initial db version: {move.initial}")
        click.echo(f"Final db version: {move.final}")
    else:
        click.echo("No migration needed.")
