"""Calls that wait, so that a test knows which of them are running; without shared memory or files."""

from __future__ import annotations

import socket
from collections.abc import Sequence


class Visitor:
    """A call of task ``visit`` that runs and waits.

    Attributes
    ----------
    pid : int
        The process in which it runs.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        with connection.makefile("r") as lines:
            self.pid = int(lines.readline())

    def release(self, answer: str = "released") -> None:
        """Let the call return an answer. One that is gone does not hear it."""
        try:
            self._connection.sendall(f"{answer}\n".encode())
        except OSError:
            return

    def wait_until_gone(self) -> None:
        """Wait for the call to end; it may be cut off, too.

        Raises
        ------
        TimeoutError
            When it goes on.
        """
        try:
            self._connection.recv(1)
        except ConnectionResetError:
            return

    def close(self) -> None:
        """Let go of the call."""
        self._connection.close()


class Gate:
    """A place where calls of task ``visit`` report and wait, so that a test knows which calls are running.

    Parameters
    ----------
    host
        The address under which calls reach this machine.
    seconds
        How long to wait for a visitor at most.
    """

    def __init__(self, host: str, seconds: float) -> None:
        self._server = socket.create_server((host, 0), backlog=128)
        self._server.settimeout(seconds)
        self._seconds = seconds
        self._visitors: list[Visitor] = []
        self.address: tuple[str, int] = (host, self._server.getsockname()[1])

    def admit(self, count: int) -> Sequence[Visitor]:
        """Return so many calls that have started to run; they run on until they are released.

        Raises
        ------
        TimeoutError
            When not all of them start.
        """
        admitted: list[Visitor] = []
        for _ in range(count):
            try:
                connection, _ = self._server.accept()
            except TimeoutError:
                raise TimeoutError(
                    f"{len(admitted)} of {count} calls started to run within {self._seconds:g} seconds: the others "
                    f"were not run, or can't connect to {self.address[0]} from where they run"
                ) from None
            connection.settimeout(self._seconds)
            admitted.append(Visitor(connection))
        self._visitors += admitted
        return admitted

    def is_waited_at(self) -> bool:
        """Whether another call has started to run."""
        self._server.settimeout(0)
        try:
            self._server.accept()[0].close()
        except BlockingIOError:
            return False
        finally:
            self._server.settimeout(self._seconds)
        return True

    def close(self) -> None:
        """Let go of all calls; those that still run fail."""
        for visitor in self._visitors:
            visitor.close()
        self._server.close()
