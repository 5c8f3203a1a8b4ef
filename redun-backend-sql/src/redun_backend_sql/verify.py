"""Whether stored bytes are those of the value that they are stored under, found out without unpickling them.

Most values are identified by their pickle, so their address is a hash of the bytes. Others have formulas of their own:
files (path, size and time), tasks (source), errors, expressions, and whatever a plugin's types do. Of these the store
keeps a digest of the bytes when it puts them into the value store; without one, the bytes are taken as they are.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import Any

from redun.hashing import HASH_LENGTH, hash_tag_bytes, hash_value_bytes
from redun.values.base import MIME_TYPE_PICKLE, pickle_dumps, plain_names
from redun.values.builtin import DatetimeType, EnumType, Function, Set
from redun.values.codec import MIME_TYPE_GRAPH
from redun.values.preview import MAX_BYTES, Inert, read_stored

_ADDRESS = re.compile(rf"[0-9a-f]{{{HASH_LENGTH}}}")
_PICKLED_TYPES = frozenset({EnumType.type_name, DatetimeType.type_name})
_STATING_TYPES = frozenset(
    {"redun.File", "redun.FileSet", "redun.Dir", "redun.IFile", "redun.IFileSet", "redun.IDir"}
    | {"redun.Task", Function.type_name}
)


class Verdict(Enum):
    """What the bytes of a value turned out to be."""

    INTACT = "intact"
    DAMAGED = "damaged"
    UNKNOWN = "unknown"


def is_address(text: str) -> bool:
    """Whether a text has the form of an address; others come from damaged or forged rows and name no blob.

    Examples
    --------
    >>> [is_address(text) for text in ("0" * 40, "../../etc/passwd", "A" * 40)]
    [True, False, False]
    """
    return _ADDRESS.fullmatch(text) is not None


def digest_bytes(data_format: str, data: bytes) -> str:
    """Return a hash of bytes together with their format, for values whose address says nothing about them."""
    return hash_tag_bytes(data_format, data)


def is_addressed_by_bytes(value_hash: str, data_format: str, data: bytes) -> bool:
    """Whether a value's address is that of its pickle, so that the bytes can be verified by it at any time."""
    return data_format == MIME_TYPE_PICKLE and hash_value_bytes(data) == value_hash


def judge_bytes(
    value_hash: str, type_name: str, data_format: str, data: bytes, digest: str | None = None, is_noted: bool = False
) -> Verdict:
    """Return whether some bytes are those of a value.

    Parameters
    ----------
    value_hash, type_name, data_format
        The value as its row says.
    data
        The bytes.
    digest
        The digest that was kept of them; None if none was.
    is_noted
        Whether one would have been kept, had the address not been that of the bytes.
    """
    if digest is not None:
        return Verdict.INTACT if digest_bytes(data_format, data) == digest else Verdict.DAMAGED
    if is_addressed_by_bytes(value_hash, data_format, data):
        return Verdict.INTACT
    is_pickled = data_format == MIME_TYPE_PICKLE and (type_name in plain_names or type_name in _PICKLED_TYPES)
    return Verdict.DAMAGED if is_noted or is_pickled else Verdict.UNKNOWN


def judge_closely(value_hash: str, type_name: str, data_format: str, data: bytes) -> Verdict:
    """Return whether some bytes are those of a value, as far as a look into them tells; no code in them is run.

    Sets are addressed by their sorted items. Files, tasks and functions state their address. Anything else at least can
    be read.
    """
    verdict = judge_bytes(value_hash, type_name, data_format, data)
    if (
        verdict is not Verdict.UNKNOWN
        or data_format not in (MIME_TYPE_PICKLE, MIME_TYPE_GRAPH)
        or len(data) > MAX_BYTES
    ):
        return verdict
    try:
        value = read_stored(data_format, data)
    except ValueError:
        return Verdict.DAMAGED
    if type_name == Set.type_name:
        return _judge_set(value_hash, value)
    if type_name in _STATING_TYPES and isinstance(value, Inert):
        stated = value.attributes().get("hash", value_hash)
        return Verdict.INTACT if stated == value_hash else Verdict.DAMAGED
    return Verdict.UNKNOWN


def _judge_set(value_hash: str, value: Any) -> Verdict:
    """Return whether a set is the one of an address; one that holds more than plain data can't be put in order here."""
    if not isinstance(value, set):
        return Verdict.DAMAGED
    if not all(isinstance(item, int | str | bytes) for item in value):
        return Verdict.UNKNOWN
    try:
        data = pickle_dumps(sorted(value))
    except TypeError:  # Items that have no order, which no set has that was stored.
        return Verdict.DAMAGED
    return Verdict.INTACT if hash_tag_bytes("Value.set", data) == value_hash else Verdict.DAMAGED
