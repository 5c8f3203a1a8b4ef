"""Signs of life of a worker: a small file that it writes again and again while its call runs.

A heartbeat tells a slow job from a lost one where the platform does not. Clocks of machines differ, so who watches one
looks whether its number has grown, not how old it is.
"""

from __future__ import annotations

import json
import os
import platform
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from redun_remote.storage import read_if_exists, write_bytes


class Heartbeat(NamedTuple):
    """A sign of life.

    Attributes
    ----------
    number : int
        How many there were before, of the same process.
    time : float
        When it was given, in seconds since the epoch, by the worker's clock.
    host : str
        The name of the machine.
    pid : int
        The process.
    """

    number: int
    time: float
    host: str
    pid: int


def read_heartbeat(path: str) -> Heartbeat | None:
    """Return the last sign of life; None if there is none, or it can't be understood."""
    data = read_if_exists(path)
    try:
        return None if data is None else Heartbeat(**json.loads(data))
    except (ValueError, TypeError):
        return None


@contextmanager
def beating(path: str, interval: float) -> Iterator[None]:
    """Give signs of life during a block.

    Parameters
    ----------
    path
        Where to.
    interval
        How long to wait between two, in seconds; 0 gives none.
    """
    if not interval:
        yield
        return
    stopped = threading.Event()
    thread = threading.Thread(target=_beat, args=(path, interval, stopped), name="redun-heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()


def _beat(path: str, interval: float, stopped: threading.Event) -> None:
    number = 0
    while True:
        beat = Heartbeat(number, time.time(), platform.node(), os.getpid())
        try:
            write_bytes(path, json.dumps(beat._asdict()).encode())
        except OSError as error:  # A call is not stopped because nobody hears of it.
            print(f"The heartbeat can't be written: {error}")
        number += 1
        if stopped.wait(interval):
            return
