"""Stopping an execution by a signal, at a point where everything that is finished can be recorded.

The first SIGINT (Ctrl-C) or SIGTERM asks the running execution to stop; a second one raises `KeyboardInterrupt` at
once. Handlers can be set on the main thread only; elsewhere, an execution is left to whoever runs the process.

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

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_STORE_PATIENCE = 1.0


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
            raise KeyboardInterrupt if self._signal == signal.SIGINT else SystemExit(128 + self._signal)


@contextmanager
def interruptible(stop: StopRequest, backend: Backend, hold_on: Callable[[], None]) -> Iterator[None]:
    """Let signals ask an execution to stop, and let its store call a function while it is waited for."""
    backend.set_pause(hold_on)
    backend.set_check(hold_on)
    try:
        with stopping_on_signals(stop.note):
            yield
    finally:
        backend.set_pause(do_nothing)
        backend.set_check(do_nothing)


@contextmanager
def stopping_on_signals(stop: Callable[[int], None]) -> Iterator[None]:
    """Call a function with the number of a signal that asks the process to end, in place of ending it.

    From the second one on, `KeyboardInterrupt` is raised as well.

    Parameters
    ----------
    stop
        Called in a signal handler, between any two steps of the main thread.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    received: list[int] = []

    def handle(number: int, frame: FrameType | None) -> None:
        received.append(number)
        stop(number)
        if len(received) > 1:
            raise KeyboardInterrupt

    previous: dict[int, Any] = {}
    for number in _SIGNALS:
        if signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
            previous[number] = signal.signal(number, handle)
    try:
        yield
    finally:
        for restored, handler in previous.items():
            signal.signal(restored, handler)


def do_nothing() -> None:
    """Do nothing; as mail, interrupt the waiting for mail."""
