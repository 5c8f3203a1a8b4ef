"""What identifies the state of a local file.

By default that is its path as written, its size and its time of modification. A clock ticks every few milliseconds,
so a file can change within the tick in which it was looked at and keep both size and time. So a file that was modified
just now is *racy*: its content is noted beside its hash, and compared as long as size and time stay. One that proves
to have changed gets a hash of its own. Large files are not read for that; the tick is waited out.

With ``identity = content`` in section ``[files]`` a file is identified by its path and content. Contents are read once
per state: a cache remembers their digests by size, times and inode.
"""

from __future__ import annotations

import os
import stat
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple

from redun.hashing import hash_bytes, hash_struct
from redun_value_file.digests import is_by_content, read_digest
from redun_value_file.ticks import TICK_NS, is_recent

MISSING = -1
LARGE = 1 << 20
"""From how many bytes on a file that was modified just now is waited for, not read."""

_MAX_RACY = 50_000


class _Seen(NamedTuple):
    """What was noted about a racy file: the digest it had, and what came of comparing it in a settled state."""

    digest: str
    settled: tuple[int, int] | None
    changed: str | None


class RacyFiles:
    """Small files that were modified in the very tick in which they were hashed, by what their hash is made of."""

    def __init__(self) -> None:
        self._seen: OrderedDict[tuple[str, int, int], _Seen] = OrderedDict()
        self._lock = threading.Lock()

    def find_change(self, path: str, status: os.stat_result, is_racy: bool) -> str | None:
        """Return the digest of a file that has changed since its size and time were first noted, else None."""
        key = (path, status.st_size, status.st_mtime_ns)
        seen = self._seen.get(key)
        if seen is None and not is_racy:
            return None
        state = (status.st_ino, status.st_ctime_ns)
        if seen is not None and seen.settled == state:
            return seen.changed
        digest = _read_small(path, status.st_size)
        if digest is None:
            return None  # Nobody here can have read it either.
        with self._lock:
            seen = self._seen.get(key) or _Seen(digest, None, None)
            changed = None if digest == seen.digest else digest
            self._seen[key] = _Seen(seen.digest, None if is_racy else state, changed)
            while len(self._seen) > _MAX_RACY:
                self._seen.popitem(last=False)
        return changed


def _read_small(path: str, size: int) -> str | None:
    """Return the digest of a small file; None if it can't be read. Streams would cost three times as much."""
    try:
        handle = os.open(path, os.O_RDONLY)
    except OSError:
        return None
    try:
        return hash_bytes(os.read(handle, size + 1))
    except OSError:
        return None
    finally:
        os.close(handle)


_racy = RacyFiles()


def hash_local_file(path: str, plain: str, look: Callable[[], os.stat_result]) -> str:
    """Return the address of a file's state.

    Parameters
    ----------
    path
        The path as the workflow wrote it.
    plain
        The path without a scheme.
    look
        Returns the file's status as it is now.

    Raises
    ------
    OSError
        When the file is there and can't be looked at.
    """
    started = time.time_ns()
    try:
        status = look()
        if status.st_size >= LARGE and _is_racy(status, started):
            # Reading all of it would take longer than the clock needs to move on.
            time.sleep(TICK_NS / 1e9)
            started = time.time_ns()
            status = os.stat(plain)
    except (FileNotFoundError, NotADirectoryError):
        return hash_struct(["File", "local", path, MISSING, str(MISSING)])
    is_racy = _is_racy(status, started)
    is_regular = stat.S_ISREG(status.st_mode)
    if is_regular and is_by_content():
        return hash_struct(["File", "local", path, "content", read_digest(plain)])
    parts = ["File", "local", path, status.st_size, str(status.st_mtime)]
    changed = _racy.find_change(plain, status, is_racy) if is_regular and status.st_size < LARGE else None
    return hash_struct(parts if changed is None else [*parts, changed])


def _is_racy(status: os.stat_result, started: int) -> bool:
    """Whether a file could be modified after it was looked at without its time of modification becoming another."""
    return is_recent(started, status.st_mtime_ns)
