"""Tables beside those of the schema, and views of it: what this store keeps that the schema has no place for.

They have a version of their own, in `VERSION_TABLE`, and nothing in the schema refers to them. So a program that knows
the schema alone works on as before, and dropping them (`drop_extension`) gives back a database as it was; lost then
are only who owns a running execution, what runs are about to do, and hints for display.

Times are seconds since the epoch.
"""

from __future__ import annotations

from collections.abc import Mapping

from redun.errors import BackendError
from redun_backend_sql.database import Database, Insert
from redun_backend_sql.views import VIEWS, make_views

EXTENSION_VERSION = 1
"""The version of these tables that this redun makes and works with."""

VERSION_TABLE = "redun_ext_version"

OWNER = Insert(
    "redun_ext_owner",
    ("execution_id", "host", "process", "heartbeat", "plugins"),
    ("execution_id",),
    changed=("heartbeat",),
)
"""Which process runs an execution, when it was last seen alive (null once it ended), and the plugins it has."""

CLAIM = Insert("redun_ext_claim", ("eval_hash", "execution_id"), ("eval_hash",))
"""Which execution is making a call, so that others wait for it as long as it is alive."""

REASON = Insert("redun_ext_job", ("job_id", "reason"), ("job_id",))
"""Why a job ran in place of being answered from the cache; jobs that are not here made a call that was new."""

VALUE_NOTE = Insert(
    "redun_ext_value",
    ("value_hash", "size", "preview", "dropped", "digest"),
    ("value_hash",),
    changed=("size", "preview", "dropped", "digest"),
)
"""Of values whose bytes are not in their row: their size in bytes, one line to show, when they were dropped (null if
they were not), and the hash of the bytes with their format (null if the value's address is such a hash)."""

SENT = Insert("redun_ext_sent", ("way", "tags"), ("way",), changed=("tags",))
"""How many tags a repository had when it was last sent to another one."""

_TABLES: Mapping[str, str] = {
    VERSION_TABLE: "version INTEGER NOT NULL",
    OWNER.table: (
        "execution_id VARCHAR PRIMARY KEY, host VARCHAR NOT NULL, process VARCHAR NOT NULL, "
        "heartbeat DOUBLE PRECISION, plugins VARCHAR NOT NULL"
    ),
    CLAIM.table: "eval_hash VARCHAR(40) PRIMARY KEY, execution_id VARCHAR NOT NULL",
    REASON.table: "job_id VARCHAR PRIMARY KEY, reason VARCHAR NOT NULL",
    VALUE_NOTE.table: (
        "value_hash VARCHAR(40) PRIMARY KEY, size BIGINT NOT NULL, preview VARCHAR NOT NULL, "
        "dropped DOUBLE PRECISION, digest VARCHAR(40)"
    ),
    SENT.table: "way VARCHAR PRIMARY KEY, tags BIGINT NOT NULL",
}


_LIVE_OWNERS = (
    f"CREATE INDEX IF NOT EXISTS {OWNER.table}_live ON {OWNER.table} (execution_id) WHERE heartbeat IS NOT NULL"
)
"""Leads to the few executions that have not ended, among all that there have been."""


def is_extension_table(name: str) -> bool:
    """Whether a table is one of these."""
    return name.startswith("redun_ext_")


def read_extension_version(database: Database) -> int | None:
    """Return the version of the tables in a database, or None if it has none."""
    if VERSION_TABLE not in database.tables():
        return None
    rows = database.select(f"SELECT version FROM {VERSION_TABLE}")  # noqa: S608
    return int(rows[0][0]) if rows else None


def ensure_extension(database: Database, may_create: bool) -> bool:
    """Make the tables where they are missing; return whether the database has them.

    Parameters
    ----------
    database
        A database that has the tables of the schema.
    may_create
        Whether to make them.

    Raises
    ------
    BackendError
        When a newer redun made them.
    """
    version = read_extension_version(database)
    if version is None and may_create:
        with database.transaction():
            for table, columns in _TABLES.items():
                database.execute(f"CREATE TABLE IF NOT EXISTS {table} ({columns})")
            database.execute(_LIVE_OWNERS)
            for view, query in make_views(database.dialect).items():
                database.execute(f"DROP VIEW IF EXISTS {view}")
                database.execute(f"CREATE VIEW {view} AS {query}")
            if read_extension_version(database) is None:
                database.execute(f"INSERT INTO {VERSION_TABLE} (version) VALUES (?)", EXTENSION_VERSION)  # noqa: S608
        version = read_extension_version(database)
    if version is not None and version > EXTENSION_VERSION:
        raise BackendError(
            f"the database {database.name} was used by a newer redun (version {version} of its own tables, "
            f"this one knows {EXTENSION_VERSION}): upgrade redun"
        )
    return version is not None


def drop_extension(database: Database) -> None:
    """Remove the tables and views, so that the database is as the schema has it."""
    with database.transaction():
        for view in VIEWS:
            database.execute(f"DROP VIEW IF EXISTS {view}")
        for table in _TABLES:
            database.execute(f"DROP TABLE IF EXISTS {table}")
