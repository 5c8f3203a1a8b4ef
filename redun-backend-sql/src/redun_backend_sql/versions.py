"""Which version a database has, and whether this redun works with it.

A database names its migration, which stands for a version of the schema, and its major version. Programs that know an
older minor version work with a newer one in principle; this redun refuses what it does not know, for it can't tell.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import NamedTuple

from redun.errors import BackendError
from redun_backend_sql.database import Database

_UNKNOWN_MINOR = 1_000_000


class SchemaVersion(NamedTuple):
    """The version of a schema. Minor versions of one major version add to each other.

    Examples
    --------
    >>> str(SchemaVersion(3, 5)), SchemaVersion(3, 5) > SchemaVersion(2, 3)
    ('3.5', True)
    """

    major: int
    minor: int

    def __str__(self) -> str:
        return f"{self.major}.{'?' if self.minor == _UNKNOWN_MINOR else self.minor}"


class Migration(NamedTuple):
    """The step to a version.

    Attributes
    ----------
    revision
        Its id, which a database at this version names.
    version
        The version that it leads to.
    summary
        What it brought.
    """

    revision: str
    version: SchemaVersion
    summary: str


MIGRATIONS: Sequence[Migration] = (
    Migration("806f5dcb11bf", SchemaVersion(1, 0), "Values, tasks, calls, evaluations, handles, jobs and executions"),
    Migration("647c510a77b1", SchemaVersion(2, 0), "Values inside other values, and calls that arguments came from"),
    Migration("30ffbaee18cd", SchemaVersion(2, 1), "Indexes for following references"),
    Migration("71ec303c90e4", SchemaVersion(2, 2), "Indexes of types, paths and names"),
    Migration("d4af139b6f53", SchemaVersion(2, 3), "Indexes of times"),
    Migration("cd2d53191748", SchemaVersion(3, 0), "Tags, and tasks as values"),
    Migration("cc4f663817b6", SchemaVersion(3, 1), "Jobs name their execution"),
    Migration("eb7b95e4e8bf", SchemaVersion(3, 2), "Indexes for look-ups by prefix"),
    Migration("f68b3aaee9cc", SchemaVersion(3, 3), "Executions say when they were last seen alive"),
    Migration("3b0a6e67cc58", SchemaVersion(3, 4), "Times in UTC"),
    Migration("0bee3d6dba76", SchemaVersion(3, 5), "An index of current tags; the final form of everything"),
)
"""Every version of the schema that there has been, oldest first."""

REVISIONS: Mapping[str, SchemaVersion] = {migration.revision: migration.version for migration in MIGRATIONS}
"""The versions by the id of their migration."""

HEAD = MIGRATIONS[-1].revision
LATEST = MIGRATIONS[-1].version
NO_SCHEMA = SchemaVersion(-1, 0)
"""The version of a database without tables."""

REQUIRED = f">={LATEST},<{LATEST.major + 1}"
"""The versions that this redun works with, as text."""

_NEEDED = f"this redun works with version {LATEST}"
_ESSENTIAL = ("value", "task", "call_node", "evaluation", "job", "execution")


def find_migration(version: SchemaVersion) -> Migration | None:
    """Return the migration of a version, or None for one that this redun does not know."""
    return next((migration for migration in MIGRATIONS if migration.version == version), None)


def parse_version(text: str) -> SchemaVersion:
    """Return the version that a user means: ``3.1``, ``3`` for its newest minor version, ``latest``, or a migration.

    Raises
    ------
    BackendError
        When there has been no such version.

    Examples
    --------
    >>> [str(parse_version(text)) for text in ("3.1", "2", "latest", "806f5dcb11bf")]
    ['3.1', '2.3', '3.5', '1.0']
    """
    if text == "latest":
        return LATEST
    for migration in reversed(MIGRATIONS):
        if text in (migration.revision, str(migration.version), str(migration.version.major)):
            return migration.version
    known = [str(migration.version) for migration in MIGRATIONS]
    near = get_close_matches(text, [*known, "latest", *REVISIONS], 1)
    hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)} and latest"
    raise BackendError(f"there is no version {text!r} of the schema; {hint}")


def read_version(database: Database) -> SchemaVersion:
    """Return the version of a database; `NO_SCHEMA` for an empty one.

    Of a newer version only the major part is known; its minor part is above all others and shown as ``?``.

    Raises
    ------
    BackendError
        When it is somebody else's database, or damaged.
    """
    revision = read_revision(database)
    if revision is None:
        return NO_SCHEMA
    if revision in REVISIONS:
        return REVISIONS[revision]
    [(major,)] = database.select("SELECT max(version) FROM redun_version")
    return SchemaVersion(LATEST.major if major is None else int(major), _UNKNOWN_MINOR)


def read_revision(database: Database) -> str | None:
    """Return the migration that a database is at, or None for an empty one.

    Raises
    ------
    BackendError
        When it is somebody else's database, or damaged.
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
    missing = [table for table in _ESSENTIAL if table not in tables]
    if len(rows) == 1 and not missing:
        return str(rows[0][0])
    problem = (
        f"lacks the tables {', '.join(missing)}"
        if missing
        else f"has {'more than one' if rows else 'tables but no'} version"
    )
    raise BackendError(f"the database {database.name} {problem}: it is damaged; restore a copy, or move it away")


def check_not_newer(database: Database, version: SchemaVersion) -> None:
    """Check that this redun knows a version.

    Raises
    ------
    BackendError
        When a newer redun made the database.
    """
    if version > LATEST:
        raise BackendError(
            f"the database {database.name} has a newer version than this redun knows ({version}), {_NEEDED}: "
            "upgrade redun"
        )


def ensure_schema(database: Database, automigrate: bool) -> None:
    """Check that a database has the tables this redun works with; make or upgrade them where that is allowed.

    Of several processes that try at once, one does it and the others wait.

    Raises
    ------
    BackendError
        When it is somebody else's database or damaged, when a newer redun made it, or when it has no tables or those of
        an older version and may not be changed.
    """
    version = read_version(database)
    if version == LATEST:
        return
    check_not_newer(database, version)
    state = "has no tables yet" if version == NO_SCHEMA else f"has version {version}, {_NEEDED}"
    if not automigrate:
        raise BackendError(
            f"the database {database.name} {state}, and [backend] automigrate is off: "
            "run `redun db upgrade`, or switch it on"
        )
    if version != NO_SCHEMA and not database.is_writable:
        raise BackendError(
            f"the database {database.name} {state}, and it may only be read: "
            "let somebody who may write to it run `redun db upgrade`"
        )
    from redun_backend_sql.creation import create_tables

    if version == NO_SCHEMA and create_tables(database):
        return
    from redun_backend_sql.migrate import migrate

    migrate(database, LATEST)
