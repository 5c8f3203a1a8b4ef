"""The mailbox of an execution, and whose turn it is to work on it.

One thread at a time works on an execution. It is the scheduler's own, which gives the turn away while it waits for
mail. Other threads leave mail. Only one that has just settled the future of a call, and would now wait for the next
call, may take the turn and go on itself, so that in a chain of calls no thread waits for another one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from queue import Empty, SimpleQueue
from threading import Lock
from typing import Any, NoReturn

Mail = Future[Any] | Callable[[], None]
"""What other threads have for the scheduler's: a settled future, or something to call."""


class Mailbox:
    """What other threads have for the scheduler's, which has the turn at first.

    Attributes
    ----------
    lead : callable
        Goes on with a settled future, on a thread that has taken the turn.
    is_wanted : bool
        Whether the scheduler's thread wants the turn back.
    """

    def __init__(self) -> None:
        self.lead: Callable[[Future[Any]], None] = self.put
        self.is_wanted = False
        self._mail: SimpleQueue[Mail] = SimpleQueue()
        self._turn = Lock()
        self._turn.acquire()

    def put(self, mail: Mail) -> None:
        """Leave mail. For any thread."""
        self._mail.put(mail)

    def put_back(self, mails: Iterable[Mail]) -> None:
        """Leave mail that was read and not worked on."""
        for mail in mails:
            self._mail.put(mail)

    def offer(self, future: Future[Any]) -> None:
        """Go on with a settled future if it is nobody's turn, or leave it as mail. For threads with nothing to do."""
        if self.is_wanted or not self._turn.acquire(blocking=False):
            self._mail.put(future)
            return
        try:
            self.lead(future)
        except BaseException as error:  # It is the scheduler's thread that has to end with it.
            self._mail.put(partial(_raise, error))
        finally:
            self._turn.release()

    def wait(self, seconds: float) -> Mail | None:
        """Return the next mail; None if none comes for some time. Meanwhile it is nobody's turn."""
        self._turn.release()
        try:
            # Asked for nothing first, or an empty queue of Python before 3.13 may wait for ever when time is short.
            with suppress(Empty):
                return self._mail.get_nowait()
            return self._mail.get(timeout=max(seconds, 0))
        except Empty:
            return None
        finally:
            self.is_wanted = True
            self._turn.acquire()
            self.is_wanted = False

    def read(self) -> Iterator[Mail]:
        """Yield the mail that is there now, as far as nobody reads it meanwhile."""
        for _ in range(self._mail.qsize()):
            try:
                yield self._mail.get_nowait()
            except Empty:
                return


def _raise(error: BaseException) -> NoReturn:
    raise error
