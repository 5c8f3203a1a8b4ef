"""Whole files in a scratch space, in any store that files of workflows may be in.

What is written appears as a whole or not at all. Errors are those of `redun.File`: ``FileNotFoundError``,
``PermissionError``, ``OSError``, with the path in the message.
"""

from __future__ import annotations

import os
from contextlib import suppress

from redun_value_file.filesystems import get_filesystem
from redun_value_file.schemes import LOCAL, get_proto, local_path


def read_bytes(path: str) -> bytes:
    """Return the content of a file."""
    with get_filesystem(url=path).open(path, "rb") as stream:
        data: bytes = stream.read()
    return data


def read_if_exists(path: str) -> bytes | None:
    """Return the content of a file; None if there is none."""
    try:
        return read_bytes(path)
    except FileNotFoundError:
        return None


def write_bytes(path: str, data: bytes) -> None:
    """Write a file, in place of the one that is there."""
    with get_filesystem(url=path).open(path, "wb") as stream:
        stream.write(data)


def exists(path: str) -> bool:
    """Whether there is a file."""
    return get_filesystem(url=path).exists(path)


def remove_folder(path: str) -> None:
    """Remove a folder if nothing is in it; most stores have none."""
    if get_proto(path) == LOCAL:
        with suppress(OSError):
            os.rmdir(local_path(path))


def remove(path: str) -> None:
    """Remove a file, if there is one."""
    get_filesystem(url=path).remove(path)
