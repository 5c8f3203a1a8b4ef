"""What a database loses when it goes to an older version.

Results are never lost: what is, is who made them and from what, and what was written on them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from redun.tags import CONTEXT_KEY
from redun_backend_sql.database import Database
from redun_backend_sql.extension import VERSION_TABLE, is_extension_table
from redun_backend_sql.versions import LATEST, SchemaVersion


class Loss(NamedTuple):
    """Rows that an older version has no place for.

    Attributes
    ----------
    number
        How many.
    what
        What they say, to be read after the number.
    """

    number: int
    what: str

    def __str__(self) -> str:
        return f"{self.number} {self.what}"


_LOSSES: Sequence[tuple[SchemaVersion, str, str]] = (
    (SchemaVersion(2, 0), "SELECT count(*) FROM subvalue", "notes of values inside other values"),
    (SchemaVersion(2, 0), "SELECT count(*) FROM argument_result", "notes of where arguments came from"),
    (SchemaVersion(3, 0), "SELECT count(*) FROM tag", "tags"),
    (SchemaVersion(3, 0), "SELECT count(*) FROM tag_edit", "edits of tags"),
    (
        SchemaVersion(3, 0),
        f"SELECT count(*) FROM tag WHERE key = '{CONTEXT_KEY}'",  # noqa: S608
        "notes of the context of a call, whose final result won't be reused",
    ),
    (
        SchemaVersion(3, 3),
        "SELECT count(*) FROM execution WHERE updated_time IS NOT NULL",
        "times when an execution was last seen alive",
    ),
)
"""What a version brought that can't be made up: the version, how to count it, and what it is."""


def find_losses(
    database: Database, version: SchemaVersion, target: SchemaVersion, drop_extension: bool = False
) -> list[Loss]:
    """Return what a database would lose by going to another version.

    Parameters
    ----------
    database
        The database.
    version, target
        The version that it has, and the one that it is to go to.
    drop_extension
        Whether the tables beside the schema go in any case.
    """
    counted = [
        Loss(database.select(statement)[0][0], what) for since, statement, what in _LOSSES if target < since <= version
    ]
    if drop_extension or target < min(version, LATEST):
        counted += [
            Loss(database.select(f"SELECT count(*) FROM {table}")[0][0], f"rows of {table}")  # noqa: S608
            for table in sorted(database.tables())
            if is_extension_table(table) and table != VERSION_TABLE
        ]
    return [loss for loss in counted if loss.number]
