"""Checks of the bytes of values: in their rows, and in the value store.

What is looked at first is what appears last. A blob is written before its row, so to find that blobs are missing, rows
are read before blobs are listed; and to find that they belong to nothing, after that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from redun_backend_sql.check import Finding, Kind, Survey, delete_evaluation
from redun_backend_sql.dropping import drop_values, prepare_dropping
from redun_backend_sql.paging import group_by_size, read_pages
from redun_backend_sql.strays import StoredRow, find_strays, read_stored_rows
from redun_backend_sql.value_store import PREFIXES, Blob, ValueStore
from redun_backend_sql.verify import Verdict, judge_bytes, judge_closely

_ROWS = "SELECT value_hash, type, format, value FROM value WHERE value_hash IN ({keys})"
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
        count = sum(len(read_stored_rows(survey.backend, prefix)) for prefix in PREFIXES)
        if count:
            yield Finding(NO_VALUE_STORE, "", count=count)
        return
    for prefix in PREFIXES:
        rows = read_stored_rows(survey.backend, prefix)
        blobs = store.list_blobs(prefix)
        survey.counts["values in the value store"] += len(rows)
        yield from _check_blobs(survey, store, rows, {blob.value_hash: blob for blob in blobs})
        strays = find_strays(survey.backend, blobs, survey.grace, survey.now)
        yield from (Finding(LEFTOVER, blob.name, f"{blob.size:,} bytes") for blob in strays.leftovers)
        yield from (Finding(ORPHAN_BLOB, blob.name, f"{blob.size:,} bytes") for blob in strays.orphans)


def _check_blobs(
    survey: Survey, store: ValueStore, rows: Mapping[str, StoredRow], blobs: Mapping[str | None, Blob]
) -> Iterator[Finding]:
    present: dict[str, int] = {}
    for value_hash, row in rows.items():
        blob, note = blobs.get(value_hash), row.note
        if blob is None:
            yield Finding(MISSING_BLOB, value_hash, f"{row.type_name}, {store.locate(value_hash)}")
        elif note is not None and note.size != blob.size:
            yield _report_damage(store, row, f"{blob.size:,} bytes in place of {note.size:,}")
        elif not survey.is_fast:
            present[value_hash] = blob.size
    for group in group_by_size(present.items()):
        for value_hash, data in store.read(group).items():
            row = rows[value_hash]
            if _judge(row, data) is Verdict.DAMAGED:
                yield _report_damage(store, row, f"{len(data):,} bytes")


def _judge(row: StoredRow, data: bytes) -> Verdict:
    if row.note is None:
        return judge_closely(row.value_hash, row.type_name, row.format, data)
    return judge_bytes(row.value_hash, row.type_name, row.format, data, row.note.digest, is_noted=True)


def _report_damage(store: ValueStore, row: StoredRow, detail: str) -> Finding:
    return Finding(DAMAGED_BLOB, row.value_hash, f"{row.type_name}, {detail}, {store.locate(row.value_hash)}")
