"""Everything that this process and its children write to the terminal, on its way there.

The output streams are exchanged below Python, as file descriptors, so that what programs write that tasks start comes
this way too.
"""

from __future__ import annotations

import os
import select
import sys
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

_STREAMS = (1, 2)
_READ = 1 << 20


class Capture:
    """Takes what is written to the terminal, until it is released.

    Attributes
    ----------
    terminal : int
        A descriptor for the terminal itself.
    """

    def __init__(self) -> None:
        _flush()
        self._stdin = sys.stdin
        self._asking = _Asking(sys.stdin)
        if sys.stdin is not None:
            sys.stdin = self._asking
        self.terminal = os.dup(2)
        self._saved = {fd: os.dup(fd) for fd in _STREAMS if _is_same_terminal(fd, self.terminal)}
        self._source, sink = os.pipe()
        self._wakeup, self._waker = os.pipe()
        os.set_blocking(self._source, False)
        _enlarge(sink)
        for fd in self._saved:
            os.dup2(sink, fd)
        os.close(sink)

    @property
    def is_asking(self) -> bool:
        """Whether a task waits for what is typed at the terminal."""
        return self._asking.readers > 0

    def wait(self, seconds: float) -> None:
        """Wait until something is written, or it is released, but not longer than some time."""
        select.select([self._source, self._wakeup], [], [], max(seconds, 0.0))

    def read(self) -> bytes:
        """Return what was written since the last time; empty if nothing was."""
        with suppress(BlockingIOError):
            return os.read(self._source, _READ)
        return b""

    def write(self, data: bytes) -> None:
        """Write to the terminal itself.

        Raises
        ------
        OSError
            When it is gone.
        """
        while data:
            data = data[os.write(self.terminal, data) :]

    def release(self) -> None:
        """Let what is written from now on go to the terminal directly; what came before can still be read.

        Doing so twice does no harm.
        """
        if not self._saved:
            return
        if sys.stdin is self._asking:
            sys.stdin = self._stdin
        with suppress(OSError, ValueError):
            _flush()
        for fd, saved in list(self._saved.items()):
            os.dup2(saved, fd)
            del self._saved[fd]
            os.close(saved)
        os.write(self._waker, b".")

    def close(self) -> None:
        """Give up what it holds. What children write that still run is lost from then on."""
        for fd in (self.terminal, self._source, self._wakeup, self._waker):
            os.close(fd)


class _Asking:
    """A stream of input that knows whether somebody waits for a line of it.

    Python's own `input` reads lines this way, too, as the output stream is no terminal.
    """

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self.readers = 0

    def readline(self, *limit: int) -> Any:
        self.readers += 1
        try:
            return self._stream.readline(*limit)
        finally:
            self.readers -= 1

    def __iter__(self) -> Iterator[Any]:
        return iter(self.readline, "")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:  # As when the process was started without.
            stream.flush()


def _is_same_terminal(fd: int, terminal: int) -> bool:
    with suppress(OSError):
        return os.isatty(fd) and os.fstat(fd).st_rdev == os.fstat(terminal).st_rdev
    return False


def _enlarge(pipe: int) -> None:
    """Make room for many lines in a pipe, so that writers need not wait for them to be read."""
    with suppress(ImportError, AttributeError, OSError):  # Where there is no such function, or a lower limit.
        import fcntl

        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _READ)
