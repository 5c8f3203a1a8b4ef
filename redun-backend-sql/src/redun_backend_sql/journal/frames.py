"""Frames: pieces of bytes in a file of which each is wholly there or not at all.

A file starts with `MAGIC`. Each frame is the length and the CRC-32 of its content, as two little-endian unsigned
integers of 32 bits, and the content. A frame that was cut off or changed is told by its length or its checksum.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

MAGIC = b"redun journal 1\n"

_HEAD = struct.Struct("<II")
_MAX_LENGTH = 2**32 - 1


class Damage(NamedTuple):
    """Where a file stops making sense.

    Attributes
    ----------
    offset
        How many bytes are sound.
    length
        How many bytes follow.
    is_torn
        Whether what follows is just a frame that was not written to its end, as a kill leaves it.
    """

    offset: int
    length: int
    is_torn: bool


def append_frame(descriptor: int, content: bytes) -> None:
    """Append a frame to a file, and have it on the disk on return.

    Raises
    ------
    OSError
        When it can't be written; the file is then as it was before.
    """
    if len(content) > _MAX_LENGTH:
        raise OSError(f"{len(content):,} bytes are too many for one frame")
    end = os.lseek(descriptor, 0, os.SEEK_END)
    try:
        append_bytes(descriptor, _HEAD.pack(len(content), zlib.crc32(content)) + content)
        os.fdatasync(descriptor)
    except OSError:
        os.ftruncate(descriptor, end)
        raise


def append_bytes(descriptor: int, content: bytes) -> None:
    """Append all bytes to a file, however many the system takes at a time."""
    waiting = memoryview(content)
    while waiting:
        waiting = waiting[os.write(descriptor, waiting) :]


def read_frames(stream: BinaryIO) -> Iterator[bytes | Damage]:
    """Yield the contents of the frames of a file, and last its damage if there is any."""
    size = os.fstat(stream.fileno()).st_size
    start = stream.read(len(MAGIC))
    if start != MAGIC:
        yield Damage(0, size, is_torn=MAGIC.startswith(start))
        return
    offset = len(MAGIC)
    while offset < size:
        head = stream.read(_HEAD.size)
        length, checksum = _HEAD.unpack(head) if len(head) == _HEAD.size else (size, 0)
        end = offset + _HEAD.size + length
        content = stream.read(length) if end <= size else b""
        if end > size or zlib.crc32(content) != checksum:
            yield Damage(offset, size - offset, is_torn=end >= size)
            return
        yield content
        offset = end
