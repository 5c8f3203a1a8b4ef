"""An outbox: what is to be delivered waits in a bounded queue, and a thread of its own delivers it.

Whoever puts something in never waits and never fails. What finds the queue full is dropped, and so is what can't be
delivered; both are counted, the first loss is said at once, and the number when the outbox is closed. Closing waits
for a given time only: a destination that hangs costs a run that much, and no more.

An outbox is *open* from its first item until it is closed; then it can be used anew. The thread of one that hung when
it was closed delivers nothing more, whenever it comes back.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from redun.logging import logger
from redun.masking import mask_secrets

MAX_BATCH = 500


@dataclass(frozen=True)
class OutboxOptions:
    """Options of observers that deliver what they observe."""

    capacity: int = field(
        default=100_000, metadata={"help": "how many events may wait to be delivered; others are dropped", "minimum": 1}
    )
    patience: float = field(
        default=5.0,
        metadata={"help": "how long the end of a run waits for what is not delivered yet, in seconds", "minimum": 0},
    )


class Outbox:
    """A queue and the thread that empties it.

    Parameters
    ----------
    owner
        What warnings call it.
    deliver
        Delivers some items, the oldest first, or raises. Called on one thread at a time.
    options
        How much it holds, and how long closing it may take.
    batch
        How many items are delivered, or fail to be, at once.

    Attributes
    ----------
    dropped : int
        How many items were lost since the outbox was opened.

    Examples
    --------
    >>> outbox = Outbox("printer", print, OutboxOptions(), batch=1)
    >>> outbox.put("hello")
    >>> outbox.close()
    ['hello']
    """

    def __init__(
        self, owner: str, deliver: Callable[[Sequence[Any]], None], options: OutboxOptions, batch: int = MAX_BATCH
    ) -> None:
        self._owner, self._deliver, self._options, self._batch = owner, deliver, options, batch
        self._changed = threading.Condition()
        self._delivering = threading.Lock()
        self._open()

    def _open(self) -> None:
        self._waiting: deque[Any] = deque()
        self._worker: threading.Thread | None = None
        self._is_closing = False
        self._put = self._under_way = self.dropped = 0

    def put(self, item: Any) -> None:
        """Have an item delivered, if there is room for it."""
        with self._changed:
            self._put += 1
            if len(self._waiting) >= self._options.capacity:
                self._drop(1, f"{self._options.capacity} are waiting to be delivered, and there is no room for more")
                return
            self._waiting.append(item)
            if self._worker is None:
                self._worker = threading.Thread(target=self._work, name=f"redun {self._owner}", daemon=True)
                self._worker.start()
            self._changed.notify_all()

    def close(self) -> None:
        """Deliver what is left, as far as there is time for it, and say what was lost."""
        with self._changed:
            worker, self._is_closing = self._worker, True
            self._changed.notify_all()
        if worker is not None:
            worker.join(self._options.patience)
        with self._changed:
            left = len(self._waiting) + self._under_way
            self._drop(left, f"after {self._options.patience:g} seconds some were still not delivered")
            if self.dropped:
                logger.warning("%s: %d of %d events were dropped", self._owner, self.dropped, self._put)
            self._open()

    def _drop(self, count: int, reason: str) -> None:
        """Count a loss, and say the first one."""
        if count and not self.dropped:
            logger.warning("%s drops events: %s", self._owner, mask_secrets(reason))
        self.dropped += count

    def _work(self) -> None:
        while batch := self._take():
            problem = self._try_to_deliver(batch)
            with self._changed:
                if self._worker is not threading.current_thread():
                    return
                self._under_way = 0
                self._drop(len(batch) if problem else 0, problem)

    def _try_to_deliver(self, batch: Sequence[Any]) -> str:
        """Deliver some items; return what went wrong, or an empty text."""
        try:
            with self._delivering:
                self._deliver(batch)
        except Exception as error:  # Whatever goes wrong with telling must not become the run's problem.
            return f"{type(error).__name__}: {error}"
        return ""

    def _take(self) -> Sequence[Any]:
        """Wait for items and return the oldest; none when the outbox is closed and empty."""
        with self._changed:
            while not self._waiting and not self._is_closing and self._worker is threading.current_thread():
                self._changed.wait()
            if self._worker is not threading.current_thread():
                return ()
            batch = [self._waiting.popleft() for _ in range(min(self._batch, len(self._waiting)))]
            self._under_way = len(batch)
            return batch
