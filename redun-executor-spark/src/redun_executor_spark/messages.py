"""What this process and the workers on a cluster say to each other, over one connection for each partition that runs.

A worker that Spark has started connects, proves that it knows the key of the run, and says `Hello`. Then it gets `Work`
and answers it, again and again, until it gets None. While it works, it may get a `Cancel`.
"""

from __future__ import annotations

import socket
from multiprocessing.connection import Connection, answer_challenge, deliver_challenge
from typing import NamedTuple

from redun.executors.transport import Request

CONNECT_SECONDS = 30.0
"""How long a worker tries to reach the process that runs the workflow."""


class Hello(NamedTuple):
    """Who connects: a partition of a Spark job, on a host, in a process."""

    job: int
    partition: int
    host: str
    pid: int


class Work(NamedTuple):
    """A call to make.

    Attributes
    ----------
    number
        Of the call, among all of this run.
    job_id
        The job that it belongs to.
    is_script
        Whether it is one of a script task.
    task_name, load_module, task_hash, payload
        As those of a `Request`.
    """

    number: int
    job_id: str
    is_script: bool
    task_name: str
    load_module: str
    task_hash: str | None
    payload: bytes

    @property
    def request(self) -> Request:
        """The call as a request to a worker process."""
        return Request(self.task_name, self.load_module, self.task_hash, self.payload)


class Cancel(NamedTuple):
    """A call that nobody waits for any more."""

    number: int


def connect(host: str, port: int, key: bytes) -> Connection:
    """Return a connection to the process that runs the workflow.

    Raises
    ------
    ConnectionError
        When it can't be reached, with what to do.
    """
    try:
        made = socket.create_connection((host, port), CONNECT_SECONDS)
    except OSError as error:
        raise ConnectionError(
            f"a worker on {socket.gethostname()} can't reach the process that runs the workflow at {host}:{port} "
            f"({error}); set the executor's option address to a host and port that workers can reach"
        ) from error
    made.settimeout(None)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection = Connection(made.detach())
    answer_challenge(connection, key)
    deliver_challenge(connection, key)
    return connection


def welcome(accepted: socket.socket, key: bytes) -> tuple[Connection, Hello]:
    """Return the connection of a worker that has connected, and who it is.

    Raises
    ------
    OSError, EOFError, multiprocessing.AuthenticationError
        When it goes away, or does not know the key.
    """
    accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection = Connection(accepted.detach())
    try:
        deliver_challenge(connection, key)
        answer_challenge(connection, key)
        return connection, Hello(*connection.recv())
    except BaseException:
        connection.close()
        raise
