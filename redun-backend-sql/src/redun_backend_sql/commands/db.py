"""``redun db``: the database itself, whatever its version."""

from __future__ import annotations

import click

from redun.plugins.provider import Provider
from redun_backend_sql.commands.lazy import LazyGroup

_PROVIDERS = (
    Provider("info", "redun_backend_sql.commands.db_info:info", "Show the version of the database"),
    Provider("versions", "redun_backend_sql.commands.db_info:versions", "List the versions that there have been"),
    Provider("upgrade", "redun_backend_sql.commands.db_move:upgrade", "Bring the database to a newer version"),
    Provider("downgrade", "redun_backend_sql.commands.db_move:downgrade", "Bring the database to an older version"),
    Provider("check", "redun_backend_sql.commands.check:check", "Check that everything in the store is sound"),
)


@click.group(cls=LazyGroup, providers=_PROVIDERS)
def db() -> None:
    """Look after the database: show its version, upgrade it, downgrade it, check it.

    All but check work on databases that other commands refuse to open because of their version.

    \b
    Examples:
      redun db info
      redun db versions
      redun db upgrade
      redun db downgrade 3.3
      redun db check
    """
