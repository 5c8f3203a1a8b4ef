"""A script that runs as a program of this machine, and ends with whoever wants it.

A program is *new* until it is run, *running* until it and the output that it left behind have been read, then *ended*.
It can be stopped in every state; one that is new does not start then.

It leads a session and a process group, to which the programs belong that it starts. A small shell stands before it and
watches a socket whose other end this process has: when this process is gone, however it ended, the shell ends the
group and removes the program's files. In turn, the shell says there when the program has ended, also while programs
that it left in the background still hold its output streams; it ends when it has an answer.
"""

from __future__ import annotations

import os
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from io import BytesIO
from logging import INFO
from pathlib import Path

from redun.error_text import MAX_LINE, make_printable
from redun.errors import CancelledCallError, ExecutorError
from redun.executors.worker import MAX_LOG_LINES
from redun.logging import logger
from redun.masking import mask_secrets
from redun.scripting import SCRATCH_VARIABLE, ScriptError, read_interpreter
from redun.traceback import trim_string

TERMINATE_SECONDS = 2.0
"""How long a program that is stopped has to end before it is killed."""

LINGER_SECONDS = 1.0
"""How long output is waited for that programs in the background may still write after a script has ended."""

MAX_STDERR = 65_536
"""How many bytes from the end of the standard error stream an error keeps."""

MAX_LOGGED = 2_000
"""How many lines of each output stream are logged."""

_READ = 65_536
_ANSWER = b"noted\n"
_GROUP_CHECK = 0.02

_SUPERVISE = f"""
exec 3<&0 </dev/null
trap : TERM INT HUP
(
    trap '' TERM INT HUP
    exec >/dev/null 2>&1
    read -r answer <&3
    [ -z "$answer" ] || exit
    kill -s TERM -- -$$
    sleep {TERMINATE_SECONDS:g}
    rm -rf -- "$1"
    kill -s KILL -- -$$
) &
shift
"$@" 3<&-
code=$?
trap '' PIPE
{{ echo ended >&3; wait; }} 2>/dev/null
exit "$code"
"""
"""What the shell before a program does: its first argument is the folder with the program's files, the rest runs."""


class Program:
    """A script to be run.

    Parameters
    ----------
    name
        What messages call it.
    prefix
        What the lines of its output begin with in the log.
    job_id
        The job that it belongs to, if any; log records of its output have it as ``job_id``, and the line as ``output``.
    """

    def __init__(self, name: str, prefix: str, job_id: str | None = None) -> None:
        self._name = name
        self._prefix = prefix
        self._job_id = job_id
        self._lock = threading.Lock()
        self._group: int | None = None
        self._stopped = False
        self._is_urgent = threading.Event()

    def run(self, script: str) -> bytes:
        """Run a script to its end and return what it wrote to its standard output.

        Parameters
        ----------
        script
            Its text, of which the first line names the interpreter.

        Raises
        ------
        ScriptError
            When it ends with another exit code than 0.
        CancelledCallError
            When it was stopped.
        ExecutorError
            When it can't be started.
        """
        folder = tempfile.mkdtemp(prefix="redun-script-")
        lifeline, supervised = socket.socketpair()
        try:
            path = Path(folder, "script")
            path.write_bytes(script.encode("utf-8", "surrogateescape"))
            process = self._start([*read_interpreter(script), str(path)], folder, supervised)
            try:
                stdout, stderr = self._read(process, lifeline, supervised)
            except BaseException:
                self.stop(at_once=True)
                raise
            finally:
                exit_code = self._end(process)
        finally:
            lifeline.close()
            supervised.close()
            shutil.rmtree(folder, ignore_errors=True)
        if self._stopped:
            raise CancelledCallError(f"{self._name} was stopped")
        if exit_code:
            error = ScriptError(stderr.tail, exit_code)
            error.redun_logs = [*error.list_lines()[-MAX_LOG_LINES:], f"exit code {exit_code}"]  # type: ignore[attr-defined]
            raise error
        return stdout.content.getvalue()

    def stop(self, at_once: bool = False) -> None:
        """End the program and all programs that it has started. From any thread; `run` removes its files then.

        Parameters
        ----------
        at_once
            Whether it is not asked to end before it is killed.
        """
        with self._lock:
            self._stopped = True
            if at_once:
                self._is_urgent.set()
            if self._group is None:
                return
            _signal_group(self._group, signal.SIGKILL if at_once else signal.SIGTERM)
        if not at_once:
            timer = threading.Timer(TERMINATE_SECONDS, self.stop, [True])
            timer.daemon = True
            timer.start()

    def _start(self, command: list[str], folder: str, supervised: socket.socket) -> subprocess.Popen[bytes]:
        with self._lock:
            if self._stopped:
                raise CancelledCallError(f"{self._name} was stopped before it started")
            try:
                process = subprocess.Popen(
                    ["/bin/sh", "-c", _SUPERVISE, "redun", folder, *command],
                    stdin=supervised.fileno(),
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    env={**make_environment(), SCRATCH_VARIABLE: folder},
                    start_new_session=True,
                )
            except OSError as error:
                raise ExecutorError(f"{self._name} can't be started: {error}") from error
            self._group = process.pid
        return process

    def _read(
        self, process: subprocess.Popen[bytes], lifeline: socket.socket, supervised: socket.socket
    ) -> tuple[_Stdout, _Stderr]:
        """Take in the output until all of it is there, or nobody writes it any more."""
        supervised.close()
        assert process.stdout is not None
        assert process.stderr is not None
        stdout, stderr = _Stdout(self._prefix, self._job_id), _Stderr(self._prefix, self._job_id)
        deadline = None
        with selectors.DefaultSelector() as selector, process.stdout, process.stderr:
            selector.register(process.stdout, selectors.EVENT_READ, stdout)
            selector.register(process.stderr, selectors.EVENT_READ, stderr)
            selector.register(lifeline, selectors.EVENT_READ)
            while selector.get_map():
                ready = selector.select(None if deadline is None else deadline - time.monotonic())
                for key, _ in ready:
                    stream: _Output | None = key.data
                    data = os.read(key.fd, _READ)
                    if stream is not None and data:
                        stream.add(data)
                        continue
                    selector.unregister(key.fileobj)
                    if stream is None:
                        deadline = time.monotonic() + LINGER_SECONDS
                        with suppress(OSError):
                            lifeline.sendall(_ANSWER)
                if deadline is not None and (self._stopped or time.monotonic() >= deadline):
                    break
        stdout.finish()
        stderr.finish()
        return stdout, stderr

    def _end(self, process: subprocess.Popen[bytes]) -> int:
        """Wait for the program, and for all of its group if it was stopped; return the exit code."""
        process.wait()
        if self._stopped and self._group is not None:
            deadline = time.monotonic() + TERMINATE_SECONDS
            while _signal_group(self._group, 0) and time.monotonic() < deadline:
                if self._is_urgent.wait(_GROUP_CHECK):
                    break
        with self._lock:
            if self._stopped and self._group is not None:
                _signal_group(self._group, signal.SIGKILL)
            self._group = None
        return process.returncode if process.returncode >= 0 else 128 - process.returncode


class _Output:
    """A stream of a program's output, its whole lines logged as they come."""

    def __init__(self, prefix: str, job_id: str | None) -> None:
        self._prefix = prefix
        self._job_id = job_id
        self._rest = b""
        self._left = MAX_LOGGED if logger.isEnabledFor(INFO) else 0

    def add(self, data: bytes) -> None:
        """Take what was written."""
        if not self._left:
            return
        if b"\0" in data:
            self._left = 0
            logger.info("%s (its output is no text, and not shown)", self._prefix)
            return
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._log(line)
        if len(self._rest) > _READ:
            self._log(self._rest)
            self._rest = b""

    def finish(self) -> None:
        """Log the last line, if it did not end."""
        if self._rest:
            self._log(self._rest)

    def _log(self, line: bytes) -> None:
        if not self._left:
            return
        # Of what a program has written over, such as a progress bar, the last state counts.
        shown = line.rstrip(b"\r").rpartition(b"\r")[2].decode(errors="backslashreplace")
        text = mask_secrets(trim_string(make_printable(shown), MAX_LINE))
        logger.info("%s %s", self._prefix, text, extra={"job_id": self._job_id, "output": text})
        self._left -= 1
        if not self._left:
            logger.info("%s (more of its output is not shown)", self._prefix)


class _Stdout(_Output):
    """Standard output, which is kept."""

    def __init__(self, prefix: str, job_id: str | None) -> None:
        super().__init__(prefix, job_id)
        self.content = BytesIO()  # Gives what it holds without copying it.

    def add(self, data: bytes) -> None:
        self.content.write(data)
        super().add(data)


class _Stderr(_Output):
    """The standard error stream, of which the end is kept."""

    tail = b""

    def add(self, data: bytes) -> None:
        self.tail = (self.tail + data)[-MAX_STDERR:]
        super().add(data)


def make_environment() -> dict[str, str]:
    """Return the environment of a program; the commands that are installed with redun are found, if only last."""
    path = os.pathsep.join(filter(None, [os.environ.get("PATH", os.defpath), os.path.dirname(sys.executable)]))
    return {**os.environ, "PATH": path}


def _signal_group(group: int, number: int) -> bool:
    """Send a signal to all processes of a group; return whether there are any."""
    with suppress(OSError):
        os.killpg(group, number)
        return True
    return False
