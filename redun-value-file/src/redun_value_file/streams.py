"""Streams that write: what they hold appears at its place as a whole, when they are closed, or not at all.

A stream writes to a file under another name. Closed, it hands that file over to where it belongs. Left by an
exception, it is thrown away, and what was at the place before stays. So is what a thread still writes when the program
ends without waiting for it, as after an interrupt.
"""

from __future__ import annotations

import atexit
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from io import BufferedRandom, BufferedWriter, FileIO, TextIOWrapper
from types import TracebackType
from typing import IO, Any

_UNFINISHED: dict[str, tuple[int, threading.Thread]] = {}
"""The process and the thread that write each file which is under another name."""


class PendingFile(FileIO):
    """A file under another name than it is to have.

    Parameters
    ----------
    path
        The other name, of a file that exists.
    mode
        A binary mode of `open`.
    commit
        What puts the file at `path` in its place, and returns whether it left one at `path`, to be removed.
    handle
        The file, if it is open already.
    """

    def __init__(self, path: str, mode: str, commit: Callable[[str], bool], handle: int | None = None) -> None:
        self._path, self._commit = path, commit
        self._is_discarded = False
        _UNFINISHED[path] = os.getpid(), threading.current_thread()
        super().__init__(path if handle is None else handle, mode)

    def discard(self) -> None:
        """Throw away what was written, and will be, when the stream is closed."""
        self._is_discarded = True

    def close(self) -> None:
        if self.closed:
            return
        super().close()
        is_left = True
        try:
            if not self._is_discarded:
                is_left = self._commit(self._path)
        finally:
            _UNFINISHED.pop(self._path, None)
            if is_left:
                with suppress(FileNotFoundError):
                    os.remove(self._path)


@atexit.register
def _remove_unfinished() -> None:
    """Remove what threads write that are cut off; what the main thread left open is closed, and so finished, later."""
    for path, (process, thread) in list(_UNFINISHED.items()):
        if process == os.getpid() and thread.is_alive() and thread is not threading.main_thread():
            with suppress(OSError):
                os.remove(path)


class _Writer(BufferedWriter):
    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: Any) -> None:
        if kind is not None:
            discard(self)
        self.close()


class _Random(BufferedRandom):
    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: Any) -> None:
        if kind is not None:
            discard(self)
        self.close()


class TextStream(TextIOWrapper):
    """A text stream over a binary one; left by an exception it throws away what was to be written."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            discard(self.buffer)
        self.close()


def discard(stream: Any) -> None:
    """Throw away what a stream is to write when it is closed, if it is one that can."""
    raw = getattr(stream, "raw", None)
    if isinstance(raw, PendingFile):
        raw.discard()


def open_pending(
    path: str,
    mode: str,
    commit: Callable[[str], bool],
    buffering: int = -1,
    encoding: str | None = None,
    errors: str | None = None,
    newline: str | None = None,
    handle: int | None = None,
) -> IO[Any]:
    """Open a stream that writes to a file under another name; parameters not listed here are those of `open`.

    Parameters
    ----------
    path
        The other name, of a file that exists.
    mode
        As of `open`, without ``x``.
    commit
        What puts the file at `path` in its place, and returns whether it left one at `path`, to be removed.
    handle
        The file, if it is open already.
    """
    raw_mode = mode.replace("b", "").replace("t", "") + "b"
    raw = PendingFile(path, raw_mode, commit, handle)
    size = buffering if buffering > 1 else 1 << 16
    binary: Any = (_Random if "+" in mode else _Writer)(raw, size)
    if "b" in mode:
        return raw if buffering == 0 else binary
    return TextStream(binary, encoding, errors, newline, line_buffering=buffering == 1)
