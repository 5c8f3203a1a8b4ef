"""Moving a database to another version, in one transaction that nobody else's gets between.

A move that is killed at any point has not happened. Imported only where something is moved.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from redun.errors import BackendError
from redun.logging import logger
from redun_backend_sql.database import Database
from redun_backend_sql.extension import is_extension_table
from redun_backend_sql.versions import NO_SCHEMA, SchemaVersion, check_not_newer, find_migration, read_version
from redun_backend_sql.views import VIEWS

if TYPE_CHECKING:
    from sqlalchemy import Connection

_CREATE_VERSION_TABLE = (
    "CREATE TABLE alembic_version "
    "(version_num VARCHAR(32) NOT NULL, CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num))"
)


class Move(NamedTuple):
    """A move of a database from one version to another; nothing was done if they are the same."""

    initial: SchemaVersion
    final: SchemaVersion


def migrate(database: Database, target: SchemaVersion, may_lower: bool = False, drop_extension: bool = False) -> Move:
    """Move a database to a version.

    Parameters
    ----------
    database
        The database, empty or of any version that this redun knows.
    target
        The version.
    may_lower
        Whether to go to an older version as well. What that has no place for is lost, and so are the tables beside the
        schema, for only the latest version has them.
    drop_extension
        Whether to remove the tables beside the schema in any case.

    Returns
    -------
    The version that it had and the one that it has.

    Raises
    ------
    BackendError
        When it can't be moved; it is as it was then.
    """
    with database.migrating() as connection:
        initial = read_version(database)
        check_not_newer(database, initial)
        final = target if may_lower else max(initial, target)
        if NO_SCHEMA < initial < final:
            logger.info("Upgrading db from version %s to %s...", initial, final)
        if drop_extension or final < initial:
            for view in VIEWS:
                connection.exec_driver_sql(f"DROP VIEW IF EXISTS {view}")
            for table in filter(is_extension_table, database.tables()):
                connection.exec_driver_sql(f"DROP TABLE {table}")
        if initial == NO_SCHEMA:
            _create(connection, final)
        elif initial != final:
            _run_migrations(connection, final, is_upgrade=initial < final)
    return Move(initial, final)


def _create(connection: Connection, version: SchemaVersion) -> None:
    from redun_backend_sql.migrations.reshape import raise_to

    raise_to(connection, version)
    connection.exec_driver_sql(_CREATE_VERSION_TABLE)
    connection.exec_driver_sql(f"INSERT INTO alembic_version VALUES ('{_revision(version)}')")  # noqa: S608


def _run_migrations(connection: Connection, target: SchemaVersion, is_upgrade: bool) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.attributes["connection"] = connection
    move = command.upgrade if is_upgrade else command.downgrade
    move(config, _revision(target))


def _revision(version: SchemaVersion) -> str:
    migration = find_migration(version)
    if migration is None:
        raise BackendError(f"there is no version {version} of the schema")
    return migration.revision
