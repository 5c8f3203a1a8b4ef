"""Stopping an execution by a signal, at a point where everything that is finished can be recorded.

The first SIGINT (Ctrl-C) or SIGTERM asks the running execution to stop; a second one raises `KeyboardInterrupt` at
once. So does the first one a little later, while something that is not the scheduler's own keeps it from its next turn.
Handlers can be set on the main thread only; elsewhere, an execution is left to whoever runs the process.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from redun.executors.base import Executor
from redun.logging import logger

_SIGNALS = (signal.SIGINT, signal.SIGTERM)

GRACE_SECONDS = 1.0
"""How long an executor that is starting calls may go on when the process is asked to end."""


def make_exit(number: int) -> BaseException:
    """Return what ends a program that a signal asked to end."""
    return KeyboardInterrupt() if number == signal.SIGINT else SystemExit(128 + number)


@contextmanager
def stopping_on_signals(
    stop: Callable[[int], None], find_starting: Callable[[], Executor | None] = lambda: None
) -> Iterator[None]:
    """Call a function with the number of the first signal that asks the process to end, in place of ending it.

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
        if self._received:
            raise KeyboardInterrupt
        self._received = number
        self._stop(number)
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
