"""What the value store holds beside what rows refer to.

A blob is written before its row, and removed after the row let go of it. So a kill at the wrong moment leaves a file
that nothing refers to, and a file that is young may be one whose row is on its way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf
from typing import NamedTuple

from redun_backend_sql.backend import SqlBackend
from redun_backend_sql.paging import read_pages
from redun_backend_sql.placement import Note
from redun_backend_sql.value_store import Blob

MIN_GRACE = 60.0
"""How many seconds old a file has to be at least: a younger one may be half written."""

_EMPTY = "SELECT value_hash FROM value WHERE value_hash IN ({keys}) AND length(value) = 0"
_COLUMNS = ("value_hash", "type", "format")


class StoredRow(NamedTuple):
    """A row whose bytes are in the value store, with what is known of them; None if another program put them there."""

    value_hash: str
    type_name: str
    format: str
    note: Note | None


class Strays(NamedTuple):
    """Files of the value store that belong to nothing.

    Attributes
    ----------
    leftovers
        Temporary files, and blobs that were set aside.
    orphans
        Blobs that no row refers to.
    """

    leftovers: Sequence[Blob]
    orphans: Sequence[Blob]


def read_stored_rows(backend: SqlBackend, prefix: str) -> Mapping[str, StoredRow]:
    """Return the rows whose bytes are in the value store, of the values whose address starts with two characters."""
    condition = "value_hash < ? AND length(value) = 0"
    found: dict[str, StoredRow] = {}
    for page in read_pages(backend.database, "value", _COLUMNS, condition, f"{prefix}g", start=prefix):
        notes = backend.placement.find_notes([row[0] for row in page])
        for row in page:
            note = notes.get(row[0])
            if note is None or note.is_in_store:
                found[row[0]] = StoredRow(row[0], row[1], row[2], note)
    return found


def find_strays(backend: SqlBackend, blobs: Sequence[Blob], grace: float, now: float) -> Strays:
    """Return those files of a listing that belong to nothing.

    Parameters
    ----------
    backend
        The store.
    blobs
        The listing. Rows are read after it was made.
    grace
        How young files may be to be passed over, in seconds; `MIN_GRACE` at least. Those that do not say when they were
        written are passed over unless this is zero.
    now
        The time, in seconds since the epoch.
    """
    unknown = -inf if grace == 0 else inf
    newest = now - max(grace, MIN_GRACE)
    old = [blob for blob in blobs if (unknown if blob.modified is None else blob.modified) <= newest]
    hashes = [blob.value_hash for blob in old if blob.value_hash is not None]
    empty = [value_hash for (value_hash,) in backend.database.select_in(_EMPTY, hashes)] if hashes else []
    notes = backend.placement.find_notes(empty)
    used = {value_hash for value_hash in empty if value_hash not in notes or notes[value_hash].is_in_store}
    leftovers = [blob for blob in old if blob.value_hash is None]
    return Strays(leftovers, [blob for blob in old if blob.value_hash is not None and blob.value_hash not in used])
