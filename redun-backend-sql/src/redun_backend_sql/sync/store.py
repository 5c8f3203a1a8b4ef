"""One side of an exchange: a database, and where the bytes of its values are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from redun_backend_sql.database import Database


@dataclass(frozen=True)
class Store:
    """A database that records come from or go to.

    Attributes
    ----------
    database
        The database.
    has_extension
        Whether it has the tables beside the schema.
    """

    database: Database
    has_extension: bool = False

    def read_bytes(self, value_hashes: Sequence[str]) -> Mapping[str, bytes]:
        """Return the bytes of values whose rows have none."""
        return {}
