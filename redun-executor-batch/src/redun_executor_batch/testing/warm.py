"""The program ``redun`` without its start: a process that has imported everything forks for each command.

Hundreds of workers start on one machine here, and importing redun and boto3 takes longer than what most of them do. So
a job finds a small program of the name ``redun`` first, see `warm_client`. It sends its arguments, environment, folder
and streams here, and ends as the fork does. A fork and all that it has started end when that program is killed.
"""

from __future__ import annotations

import marshal
import os
import shlex
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from redun_executor_batch.testing import warm_client

_AWS = 'shift 3; exec redun fs cp "$@"'
"""What stands for ``aws s3 cp --no-progress``, as scripts call it."""

_BACKLOG = 1024
_HEADER = 8


class WarmPrograms:
    """A folder with the programs ``redun`` and ``aws``, and the process behind both.

    Parameters
    ----------
    folder
        Where the program and its socket are made; a short path.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        address = folder / "socket"
        program = folder / "redun"
        real = Path(sys.executable).with_name("redun")
        words = [sys.executable, "-SE", warm_client.__file__, str(address), str(real)]
        _write_program(program, f'exec {shlex.join(words)} "$@"')
        _write_program(folder / "aws", _AWS)
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(str(address))
        self._listening.listen(_BACKLOG)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the process."""
        number = self._listening.fileno()
        command = [sys.executable, "-m", "redun_executor_batch.testing.warm", str(number)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, pass_fds=[number])

    def close(self) -> None:
        """End the process."""
        self._listening.close()
        if self._process is not None:
            self._process.communicate()


def _write_program(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def main() -> None:
    """Import what commands need, and fork for each, until standard input ends."""
    with socket.socket(fileno=int(sys.argv[1])) as listening:
        _preload()
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # Who ends is nobody's business here.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        threading.Thread(target=_end_with_pipe, daemon=True).start()
        while True:
            connection, _ = listening.accept()
            with connection:
                if os.fork() == 0:
                    listening.close()
                    os._exit(_mind(connection))


def _end_with_pipe() -> None:
    os.read(0, 1)
    os._exit(0)


def _preload() -> None:
    """Import what workers do, and let boto3 read its descriptions of services once."""
    import boto3
    from botocore import loaders

    import redun_value_file.s3  # noqa: F401
    from redun.cli import main as redun
    from redun.plugins.catalog import commands

    assert redun
    for name in ("oneshot", "fs"):
        commands.load(name)
    shared = loaders.create_loader()
    loaders.create_loader = lambda search_path_string=None: shared
    boto3.session.Session().client("s3", region_name="us-east-1")


def _mind(connection: socket.socket) -> int:
    """Run the command that a connection asks for, say how it ended, and end it when the connection does."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    header, streams, _, _ = socket.recv_fds(connection, _HEADER, 3)
    size = int.from_bytes(header, "big")
    if len(streams) != 3 or not size:
        return 1
    payload = b""
    while len(payload) < size:
        payload += connection.recv(size - len(payload))
    child = os.fork()
    if child == 0:
        connection.close()
        _become(streams, *marshal.loads(payload))  # noqa: S302
    for number in streams:
        os.close(number)
    threading.Thread(target=_pass_on_signals, args=(connection, child), daemon=True).start()
    _, status = os.waitpid(child, 0)
    with suppress(OSError):
        code = os.waitstatus_to_exitcode(status)
        connection.sendall(bytes([128 - code if code < 0 else code]))
    return 0


def _pass_on_signals(connection: socket.socket, child: int) -> None:
    while number := connection.recv(1):
        os.kill(child, number[0])
    with suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)


def _become(streams: Sequence[int], arguments: Sequence[str], folder: str, environment: Mapping[str, str]) -> None:
    """Be the command; does not return."""
    code: Any = 1
    try:
        os.setpgid(0, 0)
        for place, number in enumerate(streams):
            os.dup2(number, place)
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(environment)
        sys.argv = ["redun", *arguments]
        from redun.cli import main as redun

        redun()
        code = 0
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else int(bool(error.code))
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        with suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    main()
