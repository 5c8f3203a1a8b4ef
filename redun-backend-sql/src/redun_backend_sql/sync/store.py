"""One side of an exchange: a database, and where the bytes of its values are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from redun_backend_sql.database import Database, Row
from redun_backend_sql.rows import VALUE
from redun_backend_sql.sync.copies import Group

MAX_BYTES = 16 * 1024 * 1024
"""How many bytes of values are in memory at a time, unless one of them is larger."""

_SIZES = "SELECT value_hash, length(value) FROM value WHERE value_hash IN ({keys})"
_VALUES = f"SELECT {', '.join(VALUE.columns)} FROM value WHERE value_hash IN ({{keys}})"  # noqa: S608


class Store:
    """A database that records come from or go to.

    Parameters
    ----------
    database
        The database.
    has_extension
        Whether it has the tables beside the schema.
    """

    def __init__(self, database: Database, has_extension: bool = False) -> None:
        self.database = database
        self.has_extension = has_extension

    def split_by_size(self, values: Sequence[str]) -> Iterator[Sequence[str]]:
        """Yield some values, by address, in parts of a bounded size."""
        sizes = dict(self.database.select_in(_SIZES, values))
        part: list[str] = []
        total = 0
        for value in values:
            size = sizes.get(value, 0)
            if part and total + size > MAX_BYTES:
                yield part
                part, total = [], 0
            part.append(value)
            total += size
        if part:
            yield part

    def read_values(self, values: Sequence[str]) -> Sequence[Row]:
        """Return the rows of values, with their bytes as far as there are any."""
        return sorted(self.database.select_in(_VALUES, values))

    def place(self, rows: Sequence[Row]) -> Group:
        """Put the bytes of values where this store keeps them, and return the rows to be written."""
        return {VALUE: rows}
