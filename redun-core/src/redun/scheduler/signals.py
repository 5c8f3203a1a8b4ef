"""Stopping an execution by a signal, at a point where everything that is finished can be recorded.

The first SIGINT (Ctrl-C) or SIGTERM asks the running execution to stop; a second one raises `KeyboardInterrupt` at
once. So does the first one a little later, while an executor that is starting calls keeps the scheduler from its next
turn. Handlers can be set on the main thread only; elsewhere, an execution is left to whoever runs the process.

An execution that was asked to stop and waits for its store, which another process has locked or whose server is away,
gives that up after a moment. So it does not lose what the store has a journal for.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from logging import Logger
from math import inf
from types import FrameType
from typing import Any

from redun.backends.base import Backend
from redun.executors.base import Executor
from redun.logging import logger

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_STORE_PATIENCE = 1.0

GRACE_SECONDS = 1.0
"""How long an executor that is starting calls may go on when the process is asked to end."""


def make_exit(number: int) -> BaseException:
    """Return what ends a program that a signal asked to end."""
    return KeyboardInterrupt() if number == signal.SIGINT else SystemExit(128 + number)


class StopRequest:
    """Whether an execution was asked to stop, by which signal and when.

    Parameters
    ----------
    logger
        Says that it stops.
    wake
        Lets the execution see at once that it was asked.
    """

    def __init__(self, logger: Logger, wake: Callable[[], None]) -> None:
        self._logger, self._wake = logger, wake
        self._signal: int | None = None
        self._time = 0.0

    def note(self, number: int) -> None:
        """Note that a signal asks for it; the second one asks for it at once. Called in a signal handler."""
        if self._signal is not None:
            self._time = -inf
            return
        self._logger.warning("Shutting down... Ctrl+C again to force shutdown.")
        self._signal, self._time = number, time.monotonic()
        self._wake()

    @property
    def is_overdue(self) -> bool:
        """Whether it was asked so long ago that the store is not to be waited for any more."""
        return self._signal is not None and time.monotonic() - self._time >= _STORE_PATIENCE

    def obey(self) -> None:
        """Raise what ends the execution, if it was asked to stop."""
        if self._signal is not None:
            raise make_exit(self._signal)


@contextmanager
def interruptible(
    stop: StopRequest, backend: Backend, hold_on: Callable[[], None], find_starting: Callable[[], Executor | None]
) -> Iterator[None]:
    """Let signals ask an execution to stop, and let its store call a function while it is waited for."""
    backend.set_pause(hold_on)
    backend.set_check(hold_on)
    try:
        with stopping_on_signals(stop.note, find_starting):
            yield
    finally:
        backend.set_pause(do_nothing)
        backend.set_check(do_nothing)


@contextmanager
def stopping_on_signals(
    stop: Callable[[int], None], find_starting: Callable[[], Executor | None] = lambda: None
) -> Iterator[None]:
    """Call a function with the number of a signal that asks the process to end, in place of ending it.

    From the second one on, `KeyboardInterrupt` is raised as well.

    Parameters
    ----------
    stop
        Called in a signal handler, between any two steps of the main thread.
    find_starting
        Returns the executor that is starting calls, if one is. It is interrupted when it does not come to an end.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handler = _Handler(stop, find_starting)
    previous: dict[int, Any] = {}
    for number in _SIGNALS:
        if signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
            previous[number] = signal.signal(number, handler.handle)
    try:
        yield
    finally:
        handler.close()
        for restored, before in previous.items():
            signal.signal(restored, before)


class _Handler:
    """Handles the signals of one execution."""

    def __init__(self, stop: Callable[[int], None], find_starting: Callable[[], Executor | None]) -> None:
        self._stop, self._find_starting = stop, find_starting
        self._received = 0
        self._timer: threading.Timer | None = None
        self._is_repeated = False

    def handle(self, number: int, frame: FrameType | None) -> None:
        """Handle a signal from outside, or the repetition of one."""
        if self._is_repeated:
            self._is_repeated = False
            self._interrupt(number)
            return
        self._stop(number)
        if self._received:
            raise KeyboardInterrupt
        self._received = number
        if self._find_starting() is not None:
            self._timer = threading.Timer(GRACE_SECONDS, self._repeat)
            self._timer.daemon = True
            self._timer.start()

    def close(self) -> None:
        """Repeat no signal any more."""
        if self._timer is not None:
            self._timer.cancel()

    def _repeat(self) -> None:
        """Send a signal that had no effect once more: only a signal gets the main thread out of what it waits in."""
        main = threading.main_thread().ident
        if self._find_starting() is not None and main is not None:
            self._is_repeated = True
            signal.pthread_kill(main, self._received)

    def _interrupt(self, number: int) -> None:
        executor = self._find_starting()
        if executor is not None:
            logger.error(
                "Executor %s is starting calls and does not come to an end: it is interrupted. Its submit may not wait "
                "for a call; it has to return a future.",
                executor.name,
            )
            raise make_exit(number)


def do_nothing() -> None:
    """Do nothing; as mail, interrupt the waiting for mail."""
