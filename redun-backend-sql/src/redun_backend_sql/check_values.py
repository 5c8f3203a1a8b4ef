"""Checks of the bytes of values: in their rows, and in the value store.

What is looked at first is what appears last. A blob is written before its row, so rows are read before blobs are listed
where blobs are found missing, and again before one is called an orphan; and files that are young are passed over.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from redun_backend_sql.check import Finding, Kind, Survey, delete_evaluation
from redun_backend_sql.dropping import drop_values, prepare_dropping
from redun_backend_sql.paging import group_by_size, read_pages
from redun_backend_sql.placement import Note
from redun_backend_sql.value_store import PREFIXES, Blob, ValueStore
from redun_backend_sql.verify import Verdict, judge_bytes, judge_closely

_ROWS = "SELECT value_hash, type, format, value FROM value WHERE value_hash IN ({keys})"
_EMPTY = "SELECT value_hash FROM value WHERE value_hash IN ({keys}) AND length(value) = 0"
_CACHED_AND_DROPPED = (
    "SELECT evaluation.eval_hash, evaluation.value_hash FROM evaluation "
    "JOIN redun_ext_value ON redun_ext_value.value_hash = evaluation.value_hash "
    "JOIN value ON value.value_hash = evaluation.value_hash "
    "WHERE redun_ext_value.dropped IS NOT NULL AND length(value.value) = 0"
)


def _forget_value(survey: Survey, value_hash: str) -> None:
    """Drop what is left of a value, so that the calls that need it are made again."""
    prepare_dropping(survey.backend)
    drop_values(survey.backend, [value_hash], survey.now, {})


def _remove_file(survey: Survey, name: str) -> None:
    if survey.value_store is not None:
        survey.value_store.remove([name])


DAMAGED_VALUE = Kind(
    "damaged-value",
    "values whose bytes are not those of their address",
    "Calls may be answered with them. Restore a copy of the database; --repair drops the bytes, so that the calls that "
    "need them are made again.",
    _forget_value,
)
MISSING_BLOB = Kind(
    "missing-blob",
    "values that are missing in the value store",
    "The calls that need them are made again. Bring the files back if you have them; --repair settles that they are "
    "gone.",
    _forget_value,
)
DAMAGED_BLOB = Kind(
    "damaged-blob",
    "values whose bytes in the value store are not the right ones",
    "The calls that need them are made again; --repair drops the bytes now.",
    _forget_value,
)
NO_VALUE_STORE = Kind(
    "no-value-store",
    "values that are in a value store, while none is configured",
    "Set [backend] value_store_path to where they are; without it the calls that need them are made again.",
)
ORPHAN_BLOB = Kind(
    "orphan-blob",
    "files of the value store that no row refers to",
    "A run was killed while it wrote them, or another database uses the store too; if none does, `redun gc --orphans` "
    "removes them.",
)
LEFTOVER = Kind(
    "leftover",
    "temporary or set aside files in the value store",
    "A run was killed while it wrote them, or they were found damaged; --repair removes them.",
    _remove_file,
)
DROPPED_RESULT = Kind(
    "dropped-result",
    "cached results whose bytes were dropped",
    "They count as absent; --repair removes them.",
    delete_evaluation,
)


class _Row(NamedTuple):
    value_hash: str
    type_name: str
    format: str
    length: int


def check_rows(survey: Survey) -> Iterator[Finding]:
    """Find values in rows whose bytes are not those of their address, as far as can be told without executing them."""
    columns = ("value_hash", "type", "format", "length(value)")
    for page in read_pages(survey.database, "value", columns, "length(value) > 0"):
        sizes = {row[0]: row[3] for row in page}
        survey.counts["values"] += len(page)
        for group in group_by_size(sizes.items()):
            for value_hash, type_name, data_format, data in survey.database.select_in(_ROWS, group):
                if data and judge_closely(value_hash, type_name, data_format, data) is Verdict.DAMAGED:
                    yield Finding(DAMAGED_VALUE, value_hash, f"{type_name}, {len(data):,} bytes")


def check_dropped(survey: Survey) -> Iterator[Finding]:
    """Find cached results that name a value whose bytes were dropped."""
    if survey.backend.has_extension:
        for eval_hash, value_hash in survey.database.select(_CACHED_AND_DROPPED):
            yield Finding(DROPPED_RESULT, eval_hash, f"value {value_hash[:8]}")


def check_value_store(survey: Survey) -> Iterator[Finding]:
    """Find values that are missing or damaged in the value store, and files there that belong to nothing."""
    store = survey.value_store
    if store is None:
        count = sum(len(_read_stored(survey, prefix)[0]) for prefix in PREFIXES)
        if count:
            yield Finding(NO_VALUE_STORE, "", count=count)
        return
    for prefix in PREFIXES:
        rows, notes = _read_stored(survey, prefix)
        blobs = store.list_blobs(prefix)
        survey.counts["values in the value store"] += len(rows)
        yield from _check_blobs(
            survey, store, rows, notes, {b.value_hash: b for b in blobs if b.value_hash is not None}
        )
        yield from find_strays(survey, blobs)


def _read_stored(survey: Survey, prefix: str) -> tuple[Mapping[str, _Row], Mapping[str, Note]]:
    """Return the rows whose bytes are in the value store, by their address, and their notes."""
    columns = ("value_hash", "type", "format", "length(value)")
    condition = "value_hash < ? AND length(value) = 0"
    rows: dict[str, _Row] = {}
    notes: dict[str, Note] = {}
    for page in read_pages(survey.database, "value", columns, condition, f"{prefix}g", start=prefix):
        known = survey.backend.placement.find_notes([row[0] for row in page])
        notes.update(known)
        for row in page:
            note = known.get(row[0])
            if note is None or note.is_in_store:
                rows[row[0]] = _Row(*row)
    return rows, notes


def _check_blobs(
    survey: Survey,
    store: ValueStore,
    rows: Mapping[str, _Row],
    notes: Mapping[str, Note],
    blobs: Mapping[str, Blob],
) -> Iterator[Finding]:
    present: dict[str, int] = {}
    for value_hash, row in rows.items():
        blob, note = blobs.get(value_hash), notes.get(value_hash)
        if blob is None:
            yield Finding(MISSING_BLOB, value_hash, f"{row.type_name}, {store.locate(value_hash)}")
        elif note is not None and note.size != blob.size:
            yield _report_damage(store, row, f"{blob.size:,} bytes in place of {note.size:,}")
        elif not survey.is_fast:
            present[value_hash] = blob.size
    for group in group_by_size(present.items()):
        for value_hash, data in store.read(group).items():
            row, note = rows[value_hash], notes.get(value_hash)
            digest = note.digest if note is not None else None
            verdict = judge_bytes(value_hash, row.type_name, row.format, data, digest, note is not None)
            if verdict is Verdict.UNKNOWN:
                verdict = judge_closely(value_hash, row.type_name, row.format, data)
            if verdict is Verdict.DAMAGED:
                yield _report_damage(store, row, f"{len(data):,} bytes")


def _report_damage(store: ValueStore, row: _Row, detail: str) -> Finding:
    return Finding(DAMAGED_BLOB, row.value_hash, f"{row.type_name}, {detail}, {store.locate(row.value_hash)}")


def find_strays(survey: Survey, blobs: Sequence[Blob]) -> Iterator[Finding]:
    """Find those files of a listing that are old enough and belong to nothing."""
    old = [blob for blob in blobs if _is_old(survey, blob)]
    hashes = [blob.value_hash for blob in old if blob.value_hash is not None]
    empty = {value_hash for (value_hash,) in survey.database.select_in(_EMPTY, hashes)} if hashes else set()
    notes = survey.backend.placement.find_notes(list(empty))
    used = {value_hash for value_hash in empty if value_hash not in notes or notes[value_hash].dropped is None}
    for blob in old:
        if blob.value_hash is None:
            yield Finding(LEFTOVER, blob.name, f"{blob.size:,} bytes")
        elif blob.value_hash not in used:
            yield Finding(ORPHAN_BLOB, blob.name, f"{blob.size:,} bytes")


def _is_old(survey: Survey, blob: Blob) -> bool:
    """Whether a file is older than what may be on its way; one whose age is unknown is not."""
    return not survey.grace or (blob.modified is not None and blob.modified <= survey.now - survey.grace)
