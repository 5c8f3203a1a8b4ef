"""One side of an exchange: a database, and where the bytes of its values are.

Bytes are sent wherever they are kept, and the receiving side keeps them as it keeps its own. Bytes that are not to be
had, because they were dropped or got lost, are noted as dropped there: the value is provenance only.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from redun.values.codec import EncodedValue
from redun_backend_sql.database import Database, Row
from redun_backend_sql.extension import VALUE_NOTE
from redun_backend_sql.placement import Placement
from redun_backend_sql.rows import VALUE, Rows
from redun_backend_sql.sync.copies import Group

MAX_BYTES = 16 * 1024 * 1024
"""How many bytes of values are in memory at a time, unless one of them is larger."""

_SIZES = "SELECT value_hash, length(value) FROM value WHERE value_hash IN ({keys})"
_VALUES = f"SELECT {', '.join(VALUE.columns)} FROM value WHERE value_hash IN ({{keys}})"  # noqa: S608
_NOTES = f"SELECT {', '.join(VALUE_NOTE.columns)} FROM {VALUE_NOTE.table} WHERE value_hash IN ({{keys}})"  # noqa: S608
_SIZE, _DROPPED = VALUE_NOTE.columns.index("size"), VALUE_NOTE.columns.index("dropped")

ABSENCE = replace(VALUE_NOTE, changed=())
"""That the bytes of a value are not to be had, unless more is known of it already."""


class Values(NamedTuple):
    """The rows of values with their bytes, and notes about those whose bytes are not to be had."""

    rows: Sequence[Row]
    absent: Mapping[str, Row]


class Store:
    """A database that records come from or go to.

    Parameters
    ----------
    database
        The database.
    has_extension
        Whether it has the tables beside the schema.
    placement
        Where the bytes of its values are; None if those that are to be had are in their rows.
    """

    def __init__(self, database: Database, has_extension: bool = False, placement: Placement | None = None) -> None:
        self.database = database
        self.has_extension = has_extension
        self._placement = placement

    def split_by_size(self, values: Sequence[str]) -> Iterator[Sequence[str]]:
        """Yield some values, by address, in parts of a bounded size."""
        sizes = dict(self.database.select_in(_SIZES, values))
        sizes.update((note[0], note[_SIZE]) for note in self._read_notes([key for key in sizes if not sizes[key]]))
        part: list[str] = []
        total = 0
        for value in values:
            if part and total + sizes.get(value, 0) > MAX_BYTES:
                yield part
                part, total = [], 0
            part.append(value)
            total += sizes.get(value, 0)
        if part:
            yield part

    def read_values(self, values: Sequence[str]) -> Values:
        """Return values with their bytes, as far as these are to be had."""
        rows = sorted(map(tuple, self.database.select_in(_VALUES, values)))
        empty = [row for row in rows if not row[3]]
        if not empty:
            return Values(rows, {})
        notes = {note[0]: note for note in self._read_notes([row[0] for row in empty])}
        found: Mapping[str, bytes]
        if self._placement is not None:
            found = self._placement.read_elsewhere([EncodedValue(*row) for row in empty])
        else:
            found = {row[0]: b"" for row in empty if row[0] not in notes}
        absent = {row[0]: _note_absence(row, notes.get(row[0])) for row in empty if row[0] not in found}
        return Values([(*row[:3], row[3] or found.get(row[0], b"")) for row in rows], absent)

    def place(self, values: Values) -> Group:
        """Put the bytes of values where this store keeps them, and return the rows to be written."""
        rows: Rows = {VALUE: [row for row in values.rows if row[0] not in values.absent]}
        if self._placement is not None:
            self._placement.place(rows)
        rows[VALUE] += [row for row in values.rows if row[0] in values.absent]
        if self.has_extension:
            rows[ABSENCE] = sorted(values.absent.values())
        return rows

    def _read_notes(self, values: Sequence[str]) -> Sequence[Row]:
        return self.database.select_in(_NOTES, values) if self.has_extension and values else ()


def _note_absence(row: Row, note: Row | None) -> Row:
    if note is None:
        return (row[0], 0, "", time.time(), None)
    return (*note[:_DROPPED], note[_DROPPED] or time.time(), *note[_DROPPED + 1 :])
