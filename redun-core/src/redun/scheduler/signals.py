"""Stopping an execution by a signal, at a point where everything that is finished can be recorded.

The first SIGINT (Ctrl-C) or SIGTERM asks the running execution to stop; a second one raises `KeyboardInterrupt` at
once. Handlers can be set on the main thread only; elsewhere, an execution is left to whoever runs the process.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def stopping_on_signals(stop: Callable[[int], None]) -> Iterator[None]:
    """Call a function with the number of the first signal that asks the process to end, in place of ending it.

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
        if len(received) > 1:
            raise KeyboardInterrupt
        stop(number)

    previous: dict[int, Any] = {}
    for number in _SIGNALS:
        if signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
            previous[number] = signal.signal(number, handle)
    try:
        yield
    finally:
        for restored, handler in previous.items():
            signal.signal(restored, handler)
