"""What runs in a partition of a Spark job: calls, one by one, as the process that runs the workflow hands them out.

Functions run in a process beside Spark's own Python, which is kept from call to call. So a call that crashes, exits or
is cancelled ends alone, and what Spark sees is a partition that goes on; and a partition that Spark loses is one whose
calls can be made again.
"""

from __future__ import annotations

import os
import pickle
import socket
import sys
import threading
from multiprocessing.connection import Connection
from queue import SimpleQueue

from redun.errors import ExecutorError
from redun.executors.base import Call
from redun.executors.pool import Runner
from redun.executors.process import ProcessRunner
from redun.executors.transport import (
    Raised,
    Refused,
    Reply,
    open_request,
    pack_error,
    pack_result,
    receive_message,
    send_message,
)
from redun_executor_spark.messages import Cancel, Hello, Work, connect

_process: ProcessRunner | None = None
"""The process for calls that this Python of Spark's keeps, between partitions too."""

_process_path: list[str] = []
"""Where that process looks for modules; Spark adds to it when it gets more files."""


def serve(host: str, port: int, key: bytes, job: int, partition: int) -> None:
    """Make calls until there are no more.

    Parameters
    ----------
    host, port, key
        Where the process that runs the workflow is reached, and what proves that one belongs to its run.
    job, partition
        Which partition of which of its Spark jobs this is.
    """
    connection = connect(host, port, key)
    try:
        connection.send(tuple(Hello(job, partition, socket.gethostname(), os.getpid())))
        Slot(connection).run()
    finally:
        connection.close()


class Slot:
    """A partition that makes calls.

    Parameters
    ----------
    connection
        To the process that hands them out.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._inbox: SimpleQueue[Work | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._runner: Runner | None = None
        self._number = -1
        self._cancelled = -1
        self._is_lost = False

    def run(self) -> None:
        """Make calls until there are no more.

        Raises
        ------
        ConnectionError
            When who hands them out is gone.
        """
        listener = threading.Thread(target=self._listen, name="redun-slot", daemon=True)
        listener.start()
        while (work := self._inbox.get()) is not None:
            send_message(self._connection, self._answer(work))
        if self._is_lost:
            raise ConnectionError("the process that runs the workflow is gone")
        listener.join()

    def _listen(self) -> None:
        try:
            while (message := receive_message(self._connection)) is not None:
                if isinstance(message, Cancel):
                    self._interrupt(message.number)
                else:
                    self._inbox.put(message)
        except (EOFError, OSError):
            self._is_lost = True
            self._interrupt(self._number)
        self._inbox.put(None)

    def _interrupt(self, number: int) -> None:
        with self._lock:
            self._cancelled = number
            if self._number == number and self._runner is not None:
                self._runner.interrupt(at_once=self._is_lost)

    def _answer(self, work: Work) -> Reply:
        """Make a call and return what it came to."""
        runner = Runner() if work.is_script else _open_process()
        with self._lock:
            self._number, self._runner = work.number, runner
            if self._cancelled == work.number:
                return _fail(f"task {work.task_name} was cancelled before it ran")
        try:
            return runner.exchange(work.request) if isinstance(runner, ProcessRunner) else run_script(work, runner)
        except ExecutorError as error:
            return Raised(pickle.dumps(error), str(error), [], [])
        finally:
            with self._lock:
                self._runner = None
                was_interrupted = self._cancelled == work.number
            if was_interrupted and runner is _process:
                _close_process()


def _open_process() -> ProcessRunner:
    """Return the process for calls, a new one if this Python has got more places to import from."""
    global _process, _process_path
    if _process_path != sys.path:
        _close_process()
    if _process is None:
        _process, _process_path = ProcessRunner("fork"), list(sys.path)
    return _process


def _close_process() -> None:
    global _process
    if _process is not None:
        _process.close()
        _process = None


def run_script(work: Work, runner: Runner) -> Reply:
    """Run the script that a call's function returns."""
    request = work.request
    try:
        func, args, kwargs = open_request(request)
    except (Exception, SystemExit) as error:
        return Refused(f"{type(error).__name__}: {error}")
    call = Call(work.task_name, func, args, kwargs, {}, "", work.job_id, work.load_module, True)
    try:
        return pack_result(request, func, runner.run(call), [])
    except BaseException as error:  # A function that exits must not take Spark's Python with it.
        return pack_error(request, func, error, [])


def _fail(text: str) -> Raised:
    return Raised(pickle.dumps(ExecutorError(text)), text, [], [])
