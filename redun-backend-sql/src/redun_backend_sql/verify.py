"""Whether stored bytes are those of the value that they are stored under, found out without unpickling them.

Most values are identified by their pickle, so their address is a hash of the bytes. Others have formulas of their own:
files (path, size and time), tasks (source), errors, expressions, and whatever a plugin's types do. Of these the store
keeps a digest of the bytes when it puts them into the value store; without one, the bytes are taken as they are.
"""

from __future__ import annotations

import re
from enum import Enum

from redun.hashing import HASH_LENGTH, hash_tag_bytes, hash_value_bytes
from redun.values.base import MIME_TYPE_PICKLE, plain_names
from redun.values.builtin import DatetimeType, EnumType

_ADDRESS = re.compile(rf"[0-9a-f]{{{HASH_LENGTH}}}")
_PICKLED_TYPES = frozenset({EnumType.type_name, DatetimeType.type_name})


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
