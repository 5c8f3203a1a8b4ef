"""The server in this process that workers come to for calls.

Each worker that connects is attended by a thread of its own. What it says is trusted only after it has proved that it
knows the key of this run, for results are pickles.
"""

from __future__ import annotations

import os
import secrets
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from multiprocessing import AuthenticationError
from multiprocessing.connection import Connection
from typing import Any

from redun.errors import ExecutorError
from redun.executors.transport import Refused, Reply, Request, open_reply, receive_message, send_message
from redun.logging import logger
from redun_executor_spark.applications import JOB_TAG
from redun_executor_spark.errors import SparkError
from redun_executor_spark.messages import Cancel, Hello, Work, welcome
from redun_executor_spark.shipping import Shipper
from redun_executor_spark.waiting import Entry, SparkJob, WaitingCalls

SLICE_SECONDS = 5.0
"""How long a worker gets further calls before it makes room for others, of this or other Spark jobs."""

LINGER_SECONDS = 0.5
"""How long a worker without calls waits for more, where no others are to come."""

_BACKLOG = 1024


class Desk:
    """Hands out calls to workers and takes what they came to.

    Parameters
    ----------
    calls
        The calls.
    host, port
        The address to listen on; with port 0 any that is free.
    note_job
        Called with a Spark job when the first of its workers comes.
    tags
        The tags of every call's job, beside that of the Spark job.

    Attributes
    ----------
    port : int
        Where workers connect.
    key : bytes
        What they have to know.
    """

    def __init__(
        self,
        calls: WaitingCalls,
        host: str,
        port: int,
        note_job: Callable[[SparkJob], None],
        tags: list[tuple[str, Any]],
    ) -> None:
        self._calls = calls
        self._note_job = note_job
        self._tags = tags
        self._shipper = Shipper()
        self._attendants: dict[Connection, threading.Thread] = {}
        self._lock = threading.Lock()
        self.key = secrets.token_bytes(32)
        try:
            self._server = socket.create_server((host, port), backlog=_BACKLOG)
        except OSError as error:
            raise SparkError(f"no workers can be listened for at {host}:{port}: {error}") from error
        self.port: int = self._server.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, name="redun-spark-desk", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Let go of all workers."""
        with suppress(OSError):  # Wakes the thread that accepts.
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._thread.join()
        with self._lock:
            attendants = dict(self._attendants)
        for connection in attendants:
            _hang_up(connection)
        for thread in attendants.values():
            thread.join()

    def _accept(self) -> None:
        while True:
            try:
                accepted, _ = self._server.accept()
            except OSError:
                return
            threading.Thread(target=self._attend, args=(accepted,), name="redun-spark-worker", daemon=True).start()

    def _attend(self, accepted: socket.socket) -> None:
        """Hand out calls to one worker until it goes."""
        try:
            connection, hello = welcome(accepted, self.key)
        except (OSError, EOFError, TypeError, AuthenticationError) as error:
            logger.debug("somebody who is no worker of this run has connected: %s", error)
            return
        with self._lock:
            self._attendants[connection] = threading.current_thread()
        try:
            job = self._calls.see(hello.job, hello.partition)
            if job is not None:
                self._serve(connection, hello, job)
            send_message(connection, None)
        except (EOFError, OSError):  # A lost worker; its call waits again.
            pass
        finally:
            with self._lock:
                del self._attendants[connection]
            connection.close()

    def _serve(self, connection: Connection, hello: Hello, job: SparkJob) -> None:
        end = time.monotonic() + SLICE_SECONDS
        writing = threading.Lock()
        while (entry := self._calls.take(job.needs, LINGER_SECONDS)) is not None:
            try:
                reply = self._exchange(connection, writing, entry, hello)
            except (EOFError, OSError):
                text = (
                    f"task {entry.call.task_name} lost its Spark worker {entry.losses + 1} times, last on {hello.host}"
                )
                self._calls.give_back(entry, SparkError(text))
                raise
            self._settle(entry, job, reply)
            if time.monotonic() > end:
                return

    def _exchange(self, connection: Connection, writing: threading.Lock, entry: Entry, hello: Hello) -> Reply | None:
        """Have a worker make a call, and return its reply; None if the call can't be sent and is settled."""
        call = entry.call
        try:
            request = self._shipper.make_request(call)
        except ExecutorError as error:
            self._calls.settle(entry, error=error)
            return None
        entry.cancel = partial(_send_cancel, connection, writing, entry.number)
        if entry.future.done():  # Cancelled before there was somebody to tell; from here on the worker is told.
            self._calls.settle(entry)
            return None
        reply = _ask(connection, writing, entry, request)
        if isinstance(reply, Refused) and request.task_hash is not None:
            try:
                request = self._shipper.ship(call, reply.reason)
            except ExecutorError as error:
                self._calls.settle(entry, error=error)
                return None
            reply = _ask(connection, writing, entry, request)
        return reply

    def _settle(self, entry: Entry, job: SparkJob, reply: Reply | None) -> None:
        if reply is None:
            return
        with self._lock:
            job.made += 1
        if not job.ids:
            self._note_job(job)
        entry.future.redun_tags += [*self._tags, *((JOB_TAG, number) for number in job.ids)]
        if isinstance(reply, Refused):
            text = (
                f"a Spark worker can't run task {entry.call.task_name}: {reply.reason}; install what is missing where "
                "workers run, or send it with option py_files or code_package"
            )
            self._calls.settle(entry, error=SparkError(text))
            return
        try:
            result = open_reply(entry.call, reply)
        except BaseException as error:  # What the call raised.
            self._calls.settle(entry, error=error.with_traceback(None))  # Where it was read is not where it comes from.
        else:
            self._calls.settle(entry, result)


def _ask(connection: Connection, writing: threading.Lock, entry: Entry, request: Request) -> Reply:
    call = entry.call
    with writing:
        send_message(connection, Work(entry.number, call.job_id, call.is_script, *request))
    reply: Reply = receive_message(connection)
    return reply


def _send_cancel(connection: Connection, writing: threading.Lock, number: int) -> None:
    with suppress(OSError), writing:
        connection.send(Cancel(number))


def _hang_up(connection: Connection) -> None:
    """End a connection that another thread reads from."""
    with suppress(OSError):
        duplicate = socket.socket(fileno=os.dup(connection.fileno()))
        duplicate.shutdown(socket.SHUT_RDWR)
        duplicate.close()
