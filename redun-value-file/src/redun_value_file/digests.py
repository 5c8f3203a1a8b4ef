"""Digests of the contents of local files, for those who want files to be identified by content.

The choice holds for the process and, through its environment, for the processes that it starts. A digest is remembered
with the size, times and inode of the file that it was taken of, in memory and in a file beside the configuration, so
that a content is read again only when one of these has changed. A cache that can't be used costs time, nothing else.
"""

from __future__ import annotations

import os
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from redun.config import Config
from redun.hashing import hash_stream
from redun.settings import parse_options
from redun_value_file.ticks import is_recent

if TYPE_CHECKING:
    import sqlite3

IDENTITY_VARIABLE = "REDUN_FILES_IDENTITY"
CACHE_VARIABLE = "REDUN_FILES_CACHE"
CACHE_NAME = "files.db"

_STATE, _CONTENT = "state", "content"
_MAX_REMEMBERED = 100_000


@dataclass(frozen=True)
class FilesOptions:
    """What section ``[files]`` may say."""

    identity: str = field(
        default=_STATE,
        metadata={
            "help": "what identifies a local File: its size and time, or its content",
            "choices": (_STATE, _CONTENT),
            "variable": IDENTITY_VARIABLE,
        },
    )


class DigestCache:
    """Digests by the state of the file that they were taken of.

    Parameters
    ----------
    path
        The file to keep them in; None to keep them in memory only.
    """

    def __init__(self, path: str | None) -> None:
        self._path = path
        self._memory: dict[str, tuple[tuple[int, ...], str]] = {}
        self._lock = threading.Lock()
        self._database: sqlite3.Connection | None = None

    def find(self, path: str, state: tuple[int, ...]) -> str | None:
        """Return the digest of a file in a state, if it is known."""
        known = self._memory.get(path)
        if known is None and self._path is not None:
            import sqlite3

            with self._lock, suppress(sqlite3.Error):
                row = self._connect().execute("SELECT state, digest FROM digest WHERE path = ?", (path,)).fetchone()
                if row is not None:
                    known = (tuple(map(int, row[0].split())), row[1])
                    self._remember(path, *known)
        return known[1] if known is not None and known[0] == state else None

    def add(self, path: str, state: tuple[int, ...], digest: str) -> None:
        """Remember the digest of a file in a state."""
        with self._lock:
            self._remember(path, state, digest)
            if self._path is not None:
                import sqlite3

                with suppress(sqlite3.Error):
                    self._connect().execute(
                        "INSERT OR REPLACE INTO digest VALUES (?, ?, ?)", (path, " ".join(map(str, state)), digest)
                    )

    def _remember(self, path: str, state: tuple[int, ...], digest: str) -> None:
        if len(self._memory) >= _MAX_REMEMBERED:
            self._memory.clear()
        self._memory[path] = (state, digest)

    def _connect(self) -> sqlite3.Connection:
        if self._database is None:
            import sqlite3

            assert self._path is not None
            database = sqlite3.connect(self._path, timeout=5, isolation_level=None, check_same_thread=False)
            database.execute("PRAGMA journal_mode = WAL")
            database.execute("PRAGMA synchronous = OFF")
            database.execute("CREATE TABLE IF NOT EXISTS digest (path TEXT PRIMARY KEY, state TEXT, digest TEXT)")
            self._database = database
        return self._database

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            if self._database is not None:
                self._database.close()
                self._database = None


class _Choice:
    """What identifies local files in this process, and their digests."""

    def __init__(self) -> None:
        self.by_content = os.environ.get(IDENTITY_VARIABLE) == _CONTENT
        self.cache = DigestCache(os.environ.get(CACHE_VARIABLE) or None)


_choice = _Choice()
_abandoned: list[_Choice] = []


def configure(config: Config) -> None:
    """Let local files be identified as a configuration says, in this process and those that it will start.

    Raises
    ------
    ConfigError
        When section ``[files]`` says something else than `FilesOptions`.
    """
    options = parse_options(FilesOptions, config.section("files"), "[files]")
    folder = config.configdir
    cache = os.path.abspath(os.path.join(folder, CACHE_NAME)) if folder else ""
    if options.identity == _CONTENT:
        os.environ[IDENTITY_VARIABLE], os.environ[CACHE_VARIABLE] = _CONTENT, cache
    else:
        os.environ.pop(IDENTITY_VARIABLE, None)
        os.environ.pop(CACHE_VARIABLE, None)
    _renew_choice()


def is_by_content() -> bool:
    """Whether local files are identified by content."""
    return _choice.by_content


def read_digest(path: str) -> str:
    """Return the digest of a local file's content, which is read if no digest is known for the state it is in.

    Raises
    ------
    OSError
        When the file does not exist or can't be read.
    """
    place = os.path.abspath(path)
    started = time.time_ns()
    before = os.stat(path)
    digest = _choice.cache.find(place, _describe(before))
    if digest is None:
        with open(path, "rb") as stream:
            digest = hash_stream(stream)
            after = os.fstat(stream.fileno())
        if _describe(before) == _describe(after) and not is_recent(started, before.st_mtime_ns, before.st_ctime_ns):
            _choice.cache.add(place, _describe(before), digest)
    return digest


def _describe(status: os.stat_result) -> tuple[int, ...]:
    return (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino, status.st_dev)


def _renew_choice() -> None:
    global _choice
    _choice.cache.close()
    _choice = _Choice()


def _forget_connection() -> None:
    # A connection does not survive a fork, and must not be closed by the child, as it would be if nobody held it.
    global _choice
    _abandoned.append(_choice)
    _choice = _Choice()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_connection)
