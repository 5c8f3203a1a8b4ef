"""One file of a journal, as the process has it that writes it.

The process holds a lock on the first byte for as long as it lives. The lock is one that a killed process loses and a
forked child does not inherit; such locks are lost as well when the process closes any descriptor of the file, which is
why files of this very process are told by `open_segments` and never opened again.
"""

from __future__ import annotations

import fcntl
import os
import secrets
from pathlib import Path

from redun.errors import BackendError
from redun_backend_sql.journal.frames import MAGIC, append_bytes, append_frame

SUFFIX = ".journal"
"""What names of journals end with; before it stand the process and a random text, separated by dots."""

UNNAMED_SUFFIX = ".journal-new"
"""What names of files end with that are not journals yet, because the lock is still to be taken."""

open_segments: set[Path] = set()
"""The journals that this process writes."""


class Segment:
    """A journal that this process writes.

    Parameters
    ----------
    stem
        What the file's name starts with, folder included.

    Raises
    ------
    BackendError
        When the file can't be made.
    """

    def __init__(self, stem: str) -> None:
        self.path = Path(f"{stem}.{os.getpid()}.{secrets.token_hex(4)}{SUFFIX}").absolute()
        self._process = os.getpid()
        unnamed = self.path.with_suffix(UNNAMED_SUFFIX)
        try:
            self._descriptor = os.open(unnamed, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o666)
            try:
                fcntl.lockf(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1)
                append_bytes(self._descriptor, MAGIC)
                open_segments.add(self.path)
                os.rename(unnamed, self.path)
            except OSError:
                open_segments.discard(self.path)
                os.close(self._descriptor)
                unnamed.unlink(missing_ok=True)
                raise
        except OSError as error:
            raise _explain(self.path, error) from error

    @property
    def is_mine(self) -> bool:
        """Whether this process made it, and did not inherit it by being forked."""
        return self._process == os.getpid()

    def append(self, content: bytes) -> None:
        """Append a frame and have it on the disk on return.

        Raises
        ------
        BackendError
            When that is impossible; the file is then as it was before.
        """
        try:
            append_frame(self._descriptor, content)
        except OSError as error:
            raise _explain(self.path, error) from error

    def remove(self) -> None:
        """Remove the file: its records are in the tables.

        Raises
        ------
        BackendError
            When that is impossible.
        """
        try:
            self.path.unlink(missing_ok=True)
        except OSError as error:
            raise BackendError(f"the journal {self.path} can't be removed: {error.strerror or error}") from error
        self.leave()

    def leave(self) -> None:
        """Let go of the file, for whoever opens the database next."""
        os.close(self._descriptor)
        open_segments.discard(self.path)


def _explain(path: Path, error: OSError) -> BackendError:
    return BackendError(f"the journal {path} can't be written: {error.strerror or error}")
