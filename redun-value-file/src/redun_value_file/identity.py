"""What identifies the state of a file that is not on this machine.

Azure's files are known by their ETag, and those of other stores by their size and whatever the store says about their
content or, failing that, about the time when they were written. A store that says neither leaves the size alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from redun.hashing import hash_struct

CONTENT_KEYS = (
    "etag",
    "ETag",
    "md5Hash",
    "md5",
    "content_md5",
    "ContentMD5",
    "Content-MD5",
    "Digest",
    "crc32c",
    "CRC",
    "sha256",
    "sha",
    "blob_id",
    "checksum",
    "generation",
    "version_id",
    "VersionId",
)
"""What stores call something that is another one when the content is, the strongest first."""

TIME_KEYS = (
    "Last-Modified",
    "last_modified",
    "LastModified",
    "last_commit",
    "updated",
    "mtime",
    "modified",
    "modify",
    "modifiedTime",
    "modificationTime",
    "created",
    "date_time",
)
"""What stores call the time of the last change."""


def hash_remote_file(scheme: str, path: str, info: Mapping[str, Any] | None) -> str:
    """Return the address of a file's state.

    Parameters
    ----------
    scheme
        The scheme of its URL.
    path
        The URL.
    info
        What fsspec says about it; None for a file that does not exist.
    """
    if scheme == "az":
        return hash_struct(["File", "az", path, str((info or {}).get("etag") or "")])
    if info is None:
        return hash_struct(["File", "fsspec", path, "-1"])
    identity = find_identity(info)
    return hash_struct(["File", "fsspec", path, str(info.get("size")), *([identity] if identity else [])])


def find_identity(info: Mapping[str, Any]) -> str | None:
    """Return what a store says about a file that is another one when the file is; None if it says nothing.

    Examples
    --------
    >>> find_identity({"name": "a", "size": 3, "ETag": '"5d41"', "LastModified": "yesterday"})
    'ETag "5d41"'
    """
    for key in (*CONTENT_KEYS, *TIME_KEYS):
        value = info.get(key)
        if value not in (None, "", b""):
            return f"{key} {_write(value)}"
    return None


def _write(value: Any) -> str:
    if isinstance(value, datetime):
        return repr(value.timestamp())
    if isinstance(value, (bytes, bytearray)):
        return value.hex()
    return str(value)
