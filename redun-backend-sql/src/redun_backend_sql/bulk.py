"""From rows to statements that write all rows of a table at once in PostgreSQL.

Each column goes to the server as one array, whatever the number of rows. The server unfolds the arrays to rows, sorts
them by key, so that concurrent writers meet in the same order instead of waiting for one another in a circle, and
leaves out or changes what it has already. Because no statement waits for an answer, a whole group costs one round trip.

PostgreSQL keeps no NUL and no half of a surrogate pair in a text, and a text only as long as its column and its index
allow. What is written there serves queries, the value itself is bytes; so NUL becomes its symbol, a lone surrogate its
escape, and what is too long is cut.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from math import isfinite
from struct import Struct
from typing import Any, NamedTuple

from redun.errors import BackendError
from redun_backend_sql.database import Insert, Row, Write

MAX_BYTES = 32 * 1024 * 1024
"""How much one statement carries at most, unless a single row is larger."""

NUL, NUL_SYMBOL = "\0", "\N{SYMBOL FOR NULL}"
BYTES_TYPE = "bytea"
BOUNDED_TYPE = "character varying("
MAX_BOUNDED_BYTES = 2_600
"""How long a text in a column of limited length may be to be indexed."""

_KEEP = "ON CONFLICT DO NOTHING"

_HEADER = Struct("!iiIii").pack
_LENGTH = Struct("!i").pack
_SHORT_LENGTHS = [_LENGTH(length) for length in range(256)]
_NULL = _LENGTH(-1)
_TEXT_OID, _BYTES_OID = 25, 17

Types = Mapping[str, str]
"""The types of a table's columns, by name."""


class TextArray(NamedTuple):
    """An array of texts as the server reads it."""

    data: bytes


class BytesArray(NamedTuple):
    """An array of byte strings as the server reads it."""

    data: bytes


def make_text_array(texts: Sequence[str | None]) -> TextArray:
    """Return an array of texts."""
    return TextArray(_pack(_TEXT_OID, [None if text is None else encode_text(text) for text in texts]))


def make_statements(write: Write, rows: Sequence[Row], types: Types) -> Iterator[tuple[str, Sequence[Any]]]:
    """Yield the statements that write rows, with their parameters.

    Parameters
    ----------
    write
        What is written with the rows. Of several that change the same row, the last one counts.
    rows
        The rows.
    types
        The types of the table's columns.

    Raises
    ------
    BackendError
        When a row holds something that is no value of its column.
    """
    names = write.columns if isinstance(write, Insert) else (*write.columns, write.key)
    if not isinstance(write, Insert):
        rows = list({row[-1]: row for row in rows}.values())
    elif write.changed:
        rows = _merge(write, rows)
    statement = format_statement(write, tuple(types[name] for name in names))
    waiting = [rows]
    while waiting:
        part = waiting.pop()
        columns = zip(names, zip(*part, strict=True), strict=True)
        arrays = [_make_array(write, name, types[name], column) for name, column in columns]
        if len(part) > 1 and sum(len(array.data) for array in arrays) > MAX_BYTES:
            middle = len(part) // 2
            waiting += [part[middle:], part[:middle]]
        else:
            yield statement, arrays


def _merge(write: Insert, rows: Sequence[Row]) -> Sequence[Row]:
    """Return one row for each key: a statement may change a row only once."""
    places = [write.columns.index(column) for column in write.key]
    merged: dict[Row, Row] = {}
    for row in rows:
        key = tuple(row[place] for place in places)
        first = merged.setdefault(key, row)
        if first is not row:
            parts = zip(write.columns, first, row, strict=True)
            merged[key] = tuple(new if column in write.changed else old for column, old, new in parts)
    return list(merged.values())


@lru_cache(maxsize=64)
def format_statement(write: Write, types: tuple[str, ...]) -> str:
    """Return the statement that writes rows, given as one array for each column.

    Examples
    --------
    >>> print(format_statement(Insert("file", ("value_hash", "path"), ("value_hash",)), ("text", "text")))
    INSERT INTO "file" ("value_hash", "path")
    SELECT "value_hash"::text, "path"::text
    FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS new ("value_hash", "path", "#")
    ORDER BY "value_hash" COLLATE "C", "#"
    ON CONFLICT DO NOTHING
    """
    names = write.columns if isinstance(write, Insert) else (*write.columns, write.key)
    arrays = [f"${n}::{'bytea' if kind == BYTES_TYPE else 'text'}[]" for n, kind in enumerate(types, 1)]
    source = f"FROM unnest({', '.join(arrays)}) WITH ORDINALITY AS new ({_list([*names, '#'])})"
    table = f'"{write.table}"'
    if not isinstance(write, Insert):
        *settings, key = (f'"{name}" = new."{name}"::{kind}' for name, kind in zip(names, types, strict=True))
        return f"UPDATE {table} SET {', '.join(settings)}\n{source}\nWHERE {table}.{key}"  # noqa: S608
    values = ", ".join(f'"{name}"::{kind}' for name, kind in zip(names, types, strict=True))
    order_by = "ORDER BY " + ", ".join([*(f'"{name}" COLLATE "C"' for name in write.key), '"#"'])
    lines = [f"INSERT INTO {table} ({_list(names)})", f"SELECT {values}", source, order_by]
    if write.filled:
        selected = f"SELECT {_list(names)} FROM new"  # noqa: S608
        return "\n".join([*_fill(write, values, source), lines[0], selected, order_by, _KEEP])
    if not write.changed:
        return "\n".join([*lines, _KEEP])
    settings = [f'"{name}" = excluded."{name}"' for name in write.changed]
    old, new = (", ".join(f'{side}."{name}"' for name in write.changed) for side in (table, "excluded"))
    changes = f"DO UPDATE SET {', '.join(settings)} WHERE ({old}) IS DISTINCT FROM ({new})"
    return "\n".join([*lines, f"ON CONFLICT ({_list(write.key)}) {changes}"])


def _fill(write: Insert, values: str, source: str) -> Sequence[str]:
    """Return the start of a statement: the new rows, and the change of old ones in which a column is empty.

    It is a statement of its own because ``ON CONFLICT DO UPDATE`` would lock every row that is known.
    """
    settings = ", ".join(f'"{name}" = new."{name}"' for name in write.changed)
    keys = [f'"{write.table}"."{name}" = new."{name}"' for name in write.key]
    lengths = [f'length("{write.table}"."{write.filled}") = 0', f'length(new."{write.filled}") > 0']
    return [
        f'WITH new AS (SELECT {values}, "#" {source}),',
        f'filled AS (UPDATE "{write.table}" SET {settings} FROM new WHERE {" AND ".join([*keys, *lengths])})',  # noqa: S608
    ]


def encode_text(text: str) -> bytes:
    """Return a text as the server takes it.

    Examples
    --------
    >>> encode_text("a\\0\\udc80").decode()
    'a␀\\\\udc80'
    """
    try:
        data = text.encode()
    except UnicodeEncodeError:
        data = text.encode(errors="backslashreplace")
    return data.replace(b"\0", NUL_SYMBOL.encode()) if b"\0" in data else data


def encode_json(text: str) -> bytes:
    """Return a JSON text as the server takes it, which knows neither the numbers beyond JSON nor all escapes.

    Examples
    --------
    >>> encode_json('{"a": ["\\\\u0000", NaN]}').decode()
    '{"a": ["\\\\u2400", "NaN"]}'
    """
    if "\\u" not in text and "NaN" not in text and "Infinity" not in text:
        return encode_text(text)
    return json.dumps(_clean(json.loads(text)), sort_keys=True).encode()


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return encode_text(value).decode()
    if isinstance(value, list):
        return [_clean(item) for item in value]
    if isinstance(value, dict):
        return {_clean(key): _clean(item) for key, item in value.items()}
    return value if not isinstance(value, float) or isfinite(value) else json.dumps(value)


def _cut(text: bytes) -> bytes:
    if len(text) <= MAX_BOUNDED_BYTES:
        return text
    return text[:MAX_BOUNDED_BYTES].decode(errors="ignore").encode()


def _encode_truth(value: object) -> bytes:
    return b"true" if value else b"false"


def _encode_number(value: object) -> bytes:
    return str(value).encode()


_ENCODERS: Mapping[str, Callable[[Any], bytes]] = {
    BYTES_TYPE: bytes,
    "boolean": _encode_truth,
    "integer": _encode_number,
    "bigint": _encode_number,
    "double precision": _encode_number,
    "json": encode_json,
    "jsonb": encode_json,
}


def _make_array(write: Write, name: str, kind: str, column: Sequence[Any]) -> TextArray | BytesArray:
    encode = _ENCODERS.get(kind, encode_text)
    try:
        items = [None if value is None else encode(value) for value in column]
        if kind.startswith(BOUNDED_TYPE):
            items = [item and _cut(item) for item in items]
    except (AttributeError, TypeError, ValueError) as error:
        raise BackendError(f"a row of {write.table} can't be written: its {name} is no {kind}: {error}") from error
    return BytesArray(_pack(_BYTES_OID, items)) if kind == BYTES_TYPE else TextArray(_pack(_TEXT_OID, items))


def _pack(oid: int, items: Sequence[bytes | None]) -> bytes:
    """Return an array in the binary format: one dimension whose first index is 1, then each item with its length."""
    parts = [_HEADER(1, 1, oid, len(items), 1) if items else _HEADER(0, 0, oid, 0, 0)[:12]]
    for item in items:
        if item is None:
            parts.append(_NULL)
        else:
            length = len(item)
            parts.append(_SHORT_LENGTHS[length] if length < 256 else _LENGTH(length))
            parts.append(item)
    return b"".join(parts)


def _list(names: Sequence[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)
