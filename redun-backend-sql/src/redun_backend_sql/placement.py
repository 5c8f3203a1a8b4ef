"""Where the bytes of values are: in their row, in the value store, or nowhere any more.

A row whose blob is empty says that the bytes are elsewhere. Its note (`VALUE_NOTE`) says how many there are, how to
show them, and how to verify them; and when they were dropped, if they were. Rows from other programs have no note.

Bytes are in the value store before the row that refers to them is written. What can't be written there is kept in the
row. Bytes that are absent or wrong make their value absent, which is said once; the run that makes the value again
writes them again, because an empty row takes the bytes of a new one (`rows.VALUE`) unless the value store has them.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from redun.backends.base import ERROR_TYPE
from redun.errors import BackendError, ConfigError
from redun.logging import logger
from redun.values.codec import EncodedValue
from redun.values.preview import preview
from redun_backend_sql.database import Database, Row
from redun_backend_sql.extension import VALUE_NOTE
from redun_backend_sql.options import DEFAULT_MAX_VALUE_SIZE
from redun_backend_sql.rows import VALUE, Rows
from redun_backend_sql.value_store import ValueStore
from redun_backend_sql.verify import Verdict, digest_bytes, is_address, is_addressed_by_bytes, judge_bytes

MAX_ROW_BYTES = 999_000_000
"""How large a value in a row may be; the databases take a little more for a row as a whole."""

_KNOWN = "SELECT value_hash, type, format, length(value) FROM value WHERE value_hash IN ({keys})"
_NOTES = "SELECT value_hash, size, dropped, digest FROM redun_ext_value WHERE value_hash IN ({keys})"
_VALUES = "SELECT value_hash, type, format, value FROM value WHERE value_hash IN ({keys})"


class Note(NamedTuple):
    """What is known of a value whose bytes are not in its row."""

    size: int
    dropped: float | None
    digest: str | None

    @property
    def is_in_store(self) -> bool:
        """Whether the bytes are in the value store: they were not dropped, and there are any."""
        return self.dropped is None and self.size > 0


class Placement:
    """Puts the bytes of values into their rows or into the value store, and finds them again.

    Parameters
    ----------
    database
        Has the rows.
    store
        The value store; None if none is configured.
    min_size
        The least size of values that go there, as `sys.getsizeof` measures their bytes.
    has_notes
        Whether the database has the table of notes.
    """

    def __init__(self, database: Database, store: ValueStore | None, min_size: int, has_notes: bool) -> None:
        self.store = store
        self._database = database
        self._min_size = min_size
        self._has_notes = has_notes
        self._lost: set[str] = set()
        self._is_store_reported = False

    def place(self, rows: Rows) -> None:
        """Write the large values among some rows to the value store, leave their rows empty, and add their notes.

        Values that the database has already stay where they are. If the store can't be written, the rows keep their
        bytes, and that is said once.
        """
        values = rows[VALUE]
        limit = self._min_size if self.store is not None else sys.maxsize
        # Bytes can be none at all, which a note tells from bytes that are elsewhere.
        unusual = {row[0]: row for row in values if not row[3] or sys.getsizeof(row[3]) >= limit}
        if not unusual:
            return
        notes = [_make_note(row) for row in unusual.values() if not row[3]]
        large = {
            value_hash: row
            for value_hash, row in unusual.items()
            if row[3] and row[1] != ERROR_TYPE and is_address(value_hash)
        }
        stored, new = self._sort_out(large)
        if new and self._write({value_hash: large[value_hash][3] for value_hash in new}):
            notes.extend(_make_note(large[value_hash]) for value_hash in new)
            stored.update(new)
        if stored:
            rows[VALUE] = [(*row[:3], b"") if row[0] in stored else row for row in values]
        if self._has_notes and notes:
            rows[VALUE_NOTE] = sorted(notes)

    def _sort_out(self, large: Mapping[str, Row]) -> tuple[set[str], set[str]]:
        """Return the values that are in the store already, and those that are to be written there.

        A row that is there in another format takes the bytes itself, together with their format.
        """
        known = {row[0]: row[1:] for row in self._database.select_in(_KNOWN, list(large))}
        empty = [value_hash for value_hash, (_, _, length) in known.items() if not length]
        notes = self.find_notes(empty)
        dropped = {value_hash for value_hash, note in notes.items() if note.dropped is not None}
        lost = {*self._lost, *dropped, *(self.store.find_missing(empty) if self.store is not None else ())}
        stored: set[str] = set()
        new = large.keys() - known.keys()
        for value_hash in empty:
            if value_hash not in lost:
                stored.add(value_hash)
            elif tuple(known[value_hash][:2]) == tuple(large[value_hash][1:3]):
                new.add(value_hash)
        return stored, new

    def _write(self, blobs: Mapping[str, bytes]) -> bool:
        assert self.store is not None
        try:
            self.store.write(blobs)
        except BackendError as error:
            if not self._is_store_reported:
                self._is_store_reported = True
                logger.warning("%s. Until then values are kept in the database.", error)
            return False
        self._lost.difference_update(blobs)
        return True

    def find_notes(self, value_hashes: Sequence[str]) -> dict[str, Note]:
        """Return the notes of values, as far as there are any."""
        if not self._has_notes or not value_hashes:
            return {}
        return {row[0]: Note(*row[1:]) for row in self._database.select_in(_NOTES, value_hashes)}

    def read(self, value_hashes: Sequence[str]) -> Mapping[str, bytes]:
        """Return the bytes of values, wherever they are; of those that are unknown, dropped or lost there are none."""
        values = [EncodedValue(*row) for row in self._database.select_in(_VALUES, value_hashes)]
        found = {value.value_hash: value.data for value in values if value.data}
        return {**found, **self.read_elsewhere([value for value in values if not value.data])}

    def read_elsewhere(self, values: Sequence[EncodedValue]) -> Mapping[str, bytes]:
        """Return the bytes of values whose rows are empty, as far as they are to be had.

        Parameters
        ----------
        values
            The values, as their rows have them.
        """
        if not values:
            return {}
        notes = self.find_notes([value.value_hash for value in values])
        found: dict[str, bytes] = {}
        wanted: dict[str, EncodedValue] = {}
        for value in values:
            note = notes.get(value.value_hash)
            if note is None or note.is_in_store:
                wanted[value.value_hash] = value
            elif note.dropped is None:
                found[value.value_hash] = b""
        if not wanted:
            return found
        if self.store is None:
            self._report_no_store(len(wanted))
        else:
            found.update(self._read_blobs(self.store, wanted, notes))
        return found

    def _read_blobs(
        self, store: ValueStore, wanted: Mapping[str, EncodedValue], notes: Mapping[str, Note]
    ) -> Mapping[str, bytes]:
        blobs = store.read([value_hash for value_hash in wanted if is_address(value_hash)])
        found: dict[str, bytes] = {}
        lost: dict[str, str] = {}
        for value_hash, value in wanted.items():
            note = notes.get(value_hash)
            digest = note.digest if note is not None else None
            if value_hash not in blobs:
                lost[value_hash] = "missing"
                continue
            data = blobs[value_hash]
            verdict = judge_bytes(value_hash, value.type_name, value.format, data, digest, note is not None)
            if verdict is Verdict.DAMAGED:
                store.set_aside(value_hash)
                lost[value_hash] = "damaged"
            else:
                found[value_hash] = data
        if lost:
            self._report_lost(store, lost)
        return found

    def _report_lost(self, store: ValueStore, lost: Mapping[str, str]) -> None:
        value_hash, problem = next(iter(lost.items()))
        others = len(lost) - 1
        more = f", and {others} more {'value is' if others == 1 else 'values are'} missing or damaged" if others else ""
        logger.warning(
            "the value %s is %s in the value store: %s%s; calls that need what is lost are made again",
            value_hash,
            problem,
            store.locate(value_hash),
            more,
        )
        self._lost.update(lost)

    def _report_no_store(self, count: int) -> None:
        if not self._is_store_reported:
            self._is_store_reported = True
            logger.warning(
                "%d %s in a value store, and [backend] value_store_path is not set; calls that need them are made "
                "again",
                count,
                "value is" if count == 1 else "values are",
            )


def _make_note(row: Row) -> Row:
    value_hash, type_name, data_format, data = row
    digest = None if is_addressed_by_bytes(value_hash, data_format, data) else digest_bytes(data_format, data)
    return (value_hash, len(data), preview(type_name, data_format, data, value_hash=value_hash), None, digest)


def choose_max_value_size(wanted: int, has_store: bool) -> int:
    """Return how many bytes a value may have: as many as wanted, and where there is only the row no more than it takes.

    Raises
    ------
    ConfigError
        When more is wanted than there is a place for.
    """
    if has_store or wanted <= MAX_ROW_BYTES:
        return wanted
    if wanted > DEFAULT_MAX_VALUE_SIZE:
        raise ConfigError(
            f"[backend] max_value_size = {wanted} is more than a row of the database takes, {MAX_ROW_BYTES} bytes: "
            "set value_store_path too, a folder or URL for large values"
        )
    return MAX_ROW_BYTES
