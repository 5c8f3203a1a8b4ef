"""A worker's own process: started when the first call comes, replaced when it is lost, gone when the worker ends.

Processes are started without the state of this one (unless the start method is ``fork``), and run one call at a time.
A call whose process ends before it answers fails, and only that one. A call that is cancelled ends with its process and
with all programs that it has started, unless they have left its process group on purpose.
"""

from __future__ import annotations

import atexit
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing import forkserver, resource_tracker
from multiprocessing.connection import Connection
from typing import Any

from redun.errors import ExecutorError
from redun.executors.base import Call
from redun.executors.pool import Runner
from redun.executors.transport import (
    Refused,
    Request,
    make_request,
    make_request_by_value,
    open_reply,
    receive_message,
    send_message,
)
from redun.executors.worker import close_connection, keep_to_process, work

TERMINATE_SECONDS = 2.0
"""How long a process whose call was cancelled has to end, and the programs of the call have, before they are killed."""

EXIT_SECONDS = 5.0
"""How long a process that is not needed any more has to end, before it is killed."""

_GROUP_CHECK = 0.02
"""How often it is looked whether the programs of a cancelled call have ended, in seconds."""

_LOST_SECONDS = 1.0
"""How long a process may take to end after it has closed its connection."""

_system = threading.Lock()
"""Held while processes are started and waited for, for either looks at all processes that this one has started."""


class ProcessRunner(Runner):
    """Runs calls in a process.

    Parameters
    ----------
    start_method
        How the process is started: ``forkserver``, ``spawn`` or ``fork``.
    """

    def __init__(self, start_method: str) -> None:
        self._start_method = start_method
        self._lock = threading.Lock()
        self._process: Any = None
        self._connection: Connection | None = None
        self._timer: threading.Timer | None = None
        self._interrupted = False
        self._is_urgent = threading.Event()
        self._group: int | None = None

    def run(self, call: Call) -> Any:
        request = make_request(call)
        reply = Refused("it is not registered under its name") if request is None else self.exchange(request)
        if isinstance(reply, Refused):
            reply = self.exchange(make_request_by_value(call, reply.reason))
        if isinstance(reply, Refused):
            raise ExecutorError(f"a worker process can't run task {call.task_name}: {reply.reason}")
        return open_reply(call, reply)

    def exchange(self, request: Request) -> Any:
        """Send a request to the process, started if need be, and return its reply.

        Raises
        ------
        ExecutorError
            When the process can't be started, or ends before it replies.
        """
        is_new = self._connection is None
        connection = self._connection or self._start(request.task_name)
        try:
            send_message(connection, request)
            return receive_message(connection)
        except (EOFError, OSError) as error:
            end = self._end()
            if isinstance(error, BrokenPipeError | ConnectionResetError) and not is_new:
                return self.exchange(request)  # The process ended while it was idle: the request was not read.
            raise ExecutorError(f"task {request.task_name} lost its worker process: it {end}") from None

    def interrupt(self, at_once: bool = False) -> bool:
        with self._lock:
            self._interrupted = True
            if at_once:
                self._is_urgent.set()
            if self._group is None:
                return True
            is_led = _signal_group(self._group, signal.SIGKILL if at_once else signal.SIGTERM)
            if not is_led and self._process is not None:  # It has just been started.
                self._process.kill()
            if not at_once:
                self._timer = threading.Timer(TERMINATE_SECONDS, self._kill)
                self._timer.daemon = True
                self._timer.start()
        return True

    def close(self) -> None:
        if self._connection is not None:
            with suppress(OSError):
                self._connection.send(None)
            self._process.join(EXIT_SECONDS)
            self._reap()

    def _start(self, task_name: str) -> Connection:
        if self._interrupted:
            raise ExecutorError(f"no worker process is started for task {task_name}: the executor is stopping")
        context: Any = multiprocessing.get_context(self._start_method)
        own_end: Connection
        own_end, worker_end = context.Pipe()
        try:
            with _system, _starting(self._start_method):
                keep_to_process(own_end)
                process = context.Process(target=work, args=(worker_end, dict(os.environ)), name="redun-worker")
                process.start()
        except Exception as error:
            close_connection(own_end)
            raise ExecutorError(f"no worker process can be started for task {task_name}: {error}") from error
        finally:
            worker_end.close()
        atexit.register(self._kill)  # Registered later than what waits for all processes, it runs earlier.
        self._connection = own_end
        self._own(process)
        try:
            own_end.recv()
        except (EOFError, OSError):
            raise ExecutorError(
                f"a worker process for task {task_name} {self._end()} while it was started; a script that starts "
                'workflows must do so below `if __name__ == "__main__":`, because workers import it'
            ) from None
        return own_end

    def _own(self, process: Any) -> None:
        """Take over a process; kill it, if the worker was interrupted meanwhile."""
        with self._lock:
            self._process, self._group = process, process.pid
            if self._interrupted:
                process.kill()

    def _kill(self) -> None:
        self.interrupt(at_once=True)

    def _end(self) -> str:
        """Return how the process ended."""
        exit_code = self._reap()
        if exit_code is None:
            return "ended"  # Something else in this program has waited for the process.
        if exit_code >= 0:
            return f"ended with exit code {exit_code}"
        name = signal.Signals(-exit_code).name if -exit_code in set(signal.Signals) else "unknown"
        hint = "; running out of memory is a common cause" if -exit_code == signal.SIGKILL else ""
        return f"was killed by signal {-exit_code} ({name}){hint}"

    def _reap(self) -> int | None:
        """Wait for the process to end, kill it if it does not, and return its exit code."""
        process, connection = self._process, self._connection
        with self._lock:
            self._process = self._connection = None
            if not self._interrupted:
                self._group = None
            if self._timer is not None:
                self._timer.cancel()
        with _system:
            process.join(_LOST_SECONDS)
            process.kill()
            process.join()
            exit_code: int | None = process.exitcode
            if exit_code is not None:
                process.close()
        if connection is not None:
            close_connection(connection)
        if self._group is not None:
            self._end_group(self._group)
        atexit.unregister(self._kill)
        return exit_code

    def _end_group(self, group: int) -> None:
        """Wait for the programs of a cancelled call to end, and kill those that do not."""
        deadline = time.monotonic() + TERMINATE_SECONDS
        while _signal_group(group, 0) and time.monotonic() < deadline:
            if self._is_urgent.wait(_GROUP_CHECK):
                break
        with self._lock:
            _signal_group(group, signal.SIGKILL)
            self._group = None


def _signal_group(group: int, number: int) -> bool:
    """Send a signal to all processes of a group; return whether there are any."""
    try:
        os.killpg(group, number)
    except OSError:
        return False
    return True


@contextmanager
def _starting(start_method: str) -> Iterator[None]:
    """Keep Ctrl-C from a process until it can handle it; it unblocks the signal itself."""
    if start_method != "fork":
        resource_tracker.ensure_running()
    if start_method == "forkserver":
        forkserver.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
