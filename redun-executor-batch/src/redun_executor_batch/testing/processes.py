"""The processes of jobs: sessions of their own, whose output is read line by line."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress

_CHUNK = 1 << 16


class Process:
    """A process that runs a job's command, and whatever it starts.

    Parameters
    ----------
    made
        The process; it leads its group, and its output is piped here.
    """

    def __init__(self, made: subprocess.Popen[bytes]) -> None:
        self._made = made

    def read_lines(self) -> Iterator[list[str]]:
        """Yield the lines that it prints, some at a time, until it has ended."""
        assert self._made.stdout is not None
        rest = b""
        with self._made.stdout as stream:
            while chunk := os.read(stream.fileno(), _CHUNK):
                *lines, rest = (rest + chunk).split(b"\n")
                yield [_decode(line) for line in lines]
        if rest:
            yield [_decode(rest)]

    def wait(self) -> int:
        """Wait for its end, end what it has started, and return its exit code: of a signal, 128 and its number."""
        with suppress(ChildProcessError):
            os.waitid(os.P_PID, self._made.pid, os.WEXITED | os.WNOWAIT)
        self._signal_group(signal.SIGKILL)
        code = self._made.wait()
        return 128 - code if code < 0 else code

    def terminate(self) -> None:
        """Ask the process to end."""
        self._made.terminate()

    def kill(self) -> None:
        """End it with all that it has started."""
        self._signal_group(signal.SIGKILL)

    def _signal_group(self, number: int) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._made.pid, number)


class Launcher:
    """Starts processes.

    Parameters
    ----------
    prepare
        Called before the first one is started.
    """

    def __init__(self, prepare: Callable[[], None]) -> None:
        self._lock = threading.Lock()
        self._prepare: Callable[[], None] | None = prepare

    def launch(self, command: Sequence[str], environment: Mapping[str, str], folder: str) -> Process:
        """Start a command.

        Raises
        ------
        OSError
            When there is no such program.
        """
        with self._lock:
            if self._prepare is not None:
                self._prepare()
                self._prepare = None
        return Process(
            subprocess.Popen(
                list(command),
                env=dict(environment),
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        )


def _decode(line: bytes) -> str:
    return line.decode(errors="replace").rstrip("\r")
