"""What runs in a worker process: calls, one by one, until the process that started it wants no more or is gone.

The two are joined by one connection. Each process closes the ends that it holds for itself in every process forked from
it, so that the end of one is always noticed by the other, whoever else lives on.

The worker leads a session and a process group, to which the programs that a call starts belong. So they end with a call
that is cancelled, or whose parent is lost; what a finished call leaves in the background goes on.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import threading
from collections import deque
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from redun.executors.transport import (
    Refused,
    Reply,
    Request,
    open_request,
    pack_error,
    pack_result,
    receive_message,
    send_message,
)

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

MAX_LOG_LINES = 20
READY = "ready"

_own_ends: set[Connection] = set()


def keep_to_process(connection: Connection) -> None:
    """Close a connection in every process that is forked from this one."""
    _own_ends.add(connection)


def close_connection(connection: Connection) -> None:
    """Close a connection that was kept to this process."""
    _own_ends.discard(connection)
    connection.close()


def _close_inherited() -> None:
    for connection in _own_ends:
        connection.close()
    _own_ends.clear()


os.register_at_fork(after_in_child=_close_inherited)


def work(connection: Connection, environment: Mapping[str, str]) -> None:
    """Run the calls that a connection delivers.

    Parameters
    ----------
    connection
        The worker's end.
    environment
        The environment variables of the process that wants the calls run; the one that forked this one may be older.
    """
    os.setsid()
    signal.signal(signal.SIGINT, _leave_to_parent)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    keep_to_process(connection)
    os.set_inheritable(connection.fileno(), False)  # Programs that a call starts in the background may outlive it.
    busy = threading.Event()
    threading.Thread(target=_end_with_parent, args=(connection, busy), daemon=True).start()
    if os.environ != environment:
        os.environ.clear()
        os.environ.update(environment)
    log = OutputLog()
    for name in ("stdout", "stderr"):
        if (stream := getattr(sys, name)) is not None:
            setattr(sys, name, CopyingStream(stream, log))
    try:
        connection.send(READY)
        while (request := receive_message(connection)) is not None:
            log.clear()
            busy.set()
            answer = _answer(request, log)
            busy.clear()
            send_message(connection, answer)
            del request, answer
    except (EOFError, ConnectionError):
        return


def _leave_to_parent(signum: int, frame: Any) -> None:
    """Ignore Ctrl-C, should it get here; the parent handles it. Programs that a call starts do not inherit this."""


def _end_with_parent(connection: Connection, busy: threading.Event) -> None:
    """End this process, with the programs of a call that runs, as soon as the other end of a connection is closed."""
    poll = select.poll()
    poll.register(connection.fileno(), 0)  # That the other end is closed is reported without being asked for.
    poll.poll()
    if busy.is_set():
        os.killpg(0, signal.SIGKILL)
    os._exit(1)


def _answer(request: Request, log: OutputLog) -> Reply:
    """Run a call and return what it came to."""
    try:
        func, args, kwargs = open_request(request)
    except (Exception, SystemExit) as error:
        return Refused(f"{type(error).__name__}: {error}")
    try:
        result = func(*args, **kwargs)
    except BaseException as error:  # A call that exits must not take the worker with it.
        return pack_error(request, func, error, log.read())
    finally:
        _flush_output()
    return pack_result(request, func, result, log.read())


def _flush_output() -> None:
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):  # A call may have closed it.
            stream.flush()


class OutputLog:
    """The last lines of what was printed.

    Examples
    --------
    >>> log = OutputLog()
    >>> log.add("one\\ntw")
    >>> log.add("o\\n")
    >>> log.read()
    ['one', 'two']
    """

    def __init__(self) -> None:
        self._lines: deque[str] = deque(maxlen=MAX_LOG_LINES)
        self._rest = ""

    def add(self, text: str) -> None:
        """Take what was printed."""
        *lines, self._rest = (self._rest + text).split("\n")
        self._lines.extend(lines)

    def read(self) -> list[str]:
        """Return the last lines, the unfinished one too."""
        return [*self._lines, self._rest][-MAX_LOG_LINES:] if self._rest else list(self._lines)

    def clear(self) -> None:
        """Forget everything."""
        self._lines.clear()
        self._rest = ""


class CopyingStream:
    """A text stream that passes on everything, and shows a log what is written."""

    def __init__(self, stream: Any, log: OutputLog) -> None:
        self._stream = stream
        self._log = log

    def write(self, text: str) -> int:
        """Write a text."""
        self._log.add(text)
        written: int = self._stream.write(text)
        return written

    def writelines(self, lines: Iterable[str]) -> None:
        """Write texts."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
