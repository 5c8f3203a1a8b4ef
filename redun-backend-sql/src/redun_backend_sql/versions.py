"""Which version a database has, and bringing a new one to the version that this redun works with."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from redun.errors import BackendError
from redun_backend_sql.database import Database


class SchemaVersion(NamedTuple):
    """The version of a schema; all minor versions of a major one have the same tables."""

    major: int
    minor: int

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}"


REVISIONS: Mapping[str, SchemaVersion] = {
    "806f5dcb11bf": SchemaVersion(1, 0),
    "647c510a77b1": SchemaVersion(2, 0),
    "30ffbaee18cd": SchemaVersion(2, 1),
    "71ec303c90e4": SchemaVersion(2, 2),
    "d4af139b6f53": SchemaVersion(2, 3),
    "cd2d53191748": SchemaVersion(3, 0),
    "cc4f663817b6": SchemaVersion(3, 1),
    "eb7b95e4e8bf": SchemaVersion(3, 2),
    "f68b3aaee9cc": SchemaVersion(3, 3),
    "3b0a6e67cc58": SchemaVersion(3, 4),
    "0bee3d6dba76": SchemaVersion(3, 5),
}
"""Every version of the schema that there has been, by its migration."""

HEAD = "0bee3d6dba76"


def read_revision(database: Database) -> str | None:
    """Return the migration that a database is at, or None for an empty one.

    Raises
    ------
    BackendError
        When it is somebody else's database.
    """
    tables = database.tables()
    if not tables:
        return None
    if "alembic_version" not in tables or "redun_version" not in tables:
        raise BackendError(
            f"the database {database.name} is no redun database (it has tables {', '.join(sorted(tables)[:5])}): "
            "choose another path in [backend] db_uri"
        )
    rows = database.select("SELECT version_num FROM alembic_version")
    if not rows:
        raise BackendError(
            f"the database {database.name} has tables but no version: it is damaged; restore a copy, or move it away"
        )
    revision: str = rows[0][0]
    return revision


def ensure_schema(database: Database, automigrate: bool) -> None:
    """Check that a database has the tables this redun works with, creating them in an empty one.

    Raises
    ------
    BackendError
        When it has tables of another version, or has none and may not get them.
    """
    revision = read_revision(database)
    if revision is None:
        if not automigrate:
            raise BackendError(
                f"the database {database.name} has no tables yet, and [backend] automigrate is off: "
                "run `redun db upgrade`, or switch it on"
            )
        _create(database)
        revision = read_revision(database)
    if revision == HEAD:
        return
    needed = f"this redun works with version {REVISIONS[HEAD]}"
    if revision is None or revision not in REVISIONS:
        raise BackendError(
            f"the database {database.name} has a newer version than this redun knows, {needed}: upgrade redun"
        )
    raise BackendError(f"the database {database.name} has version {REVISIONS[revision]}, {needed}")


def _create(database: Database) -> None:
    """Create the tables in one transaction; of several processes that try at once, one does it and the others wait."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    with database.migrating() as shared:
        if read_revision(database) is None:
            config.attributes["connection"] = shared
            command.upgrade(config, HEAD)
