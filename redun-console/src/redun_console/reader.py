"""The thread that asks the database, so that the screens never wait for it.

Questions wait in a queue and are answered one at a time, because one thread at a time uses a database. A question::

    waiting ──> asked ──> answered (or failed)
       └──────────┴────> cancelled, when whoever asked does not wait any more

One that is cancelled while it waits is never asked. One that is being asked has its query interrupted, again and again
until it has ended, for it may be between two queries; or until some seconds have passed, for nothing is waited for that
can't be interrupted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from queue import SimpleQueue
from threading import Lock, Thread
from typing import Any, TypeVar

from redun_backend_sql.backend import SqlBackend
from redun_backend_sql.database import Database

T = TypeVar("T")

_AGAIN_SECONDS, _TRIES = 0.05, 100


class Store:
    """What a question is asked of: the store, in the thread that may use it.

    Parameters
    ----------
    backend
        The store, open.
    """

    def __init__(self, backend: SqlBackend) -> None:
        self.backend = backend
        self._interrupt: Callable[[], object] = lambda: self.database.interrupt()

    @property
    def database(self) -> Database:
        """The open database."""
        return self.backend.database

    def interrupt(self) -> None:
        """Let the query that is being answered end; from any thread."""
        with suppress(Exception):  # The connection may be closed by now: then nothing is left to be interrupted.
            self._interrupt()

    @contextmanager
    def interrupted_by(self, interrupt: Callable[[], object]) -> Iterator[None]:
        """Say how queries inside are interrupted that go through a connection of their own."""
        before, self._interrupt = self._interrupt, interrupt
        try:
            yield
        finally:
            self._interrupt = before


Question = Callable[[Store], T]


class Reader:
    """Asks questions in a thread of its own.

    Parameters
    ----------
    backend
        The store, open; no other thread may use it.
    """

    def __init__(self, backend: SqlBackend) -> None:
        self.store = Store(backend)
        self._questions: SimpleQueue[tuple[Future[Any], Question[Any]] | None] = SimpleQueue()
        self._lock = Lock()
        self._asked: Future[Any] | None = None
        self._thread = Thread(target=self._answer, name="redun-console-reader", daemon=True)
        self._thread.start()

    async def ask(self, question: Question[T]) -> T:
        """Return the answer to a question; when this is cancelled, the question is given up."""
        future: Future[T] = Future()
        self._questions.put((future, question))
        waiting = asyncio.wrap_future(future)
        try:
            return await asyncio.shield(waiting)
        except asyncio.CancelledError:
            if not future.cancel():
                await self._give_up(future, waiting)
            raise

    def close(self) -> bool:
        """End the thread and the question that it is asking; return whether the store can be closed now."""
        self._questions.put(None)
        for _ in range(_TRIES):
            self.store.interrupt()
            self._thread.join(_AGAIN_SECONDS)
            if not self._thread.is_alive():
                return True
        return False

    async def _give_up(self, future: Future[Any], waiting: asyncio.Future[Any]) -> None:
        for _ in range(_TRIES):
            if future.done():
                break
            await asyncio.to_thread(self._interrupt, future)
            with suppress(Exception):
                await asyncio.wait([waiting], timeout=_AGAIN_SECONDS)
        if waiting.done() and not waiting.cancelled():
            waiting.exception()  # Nobody is interested in it, and asyncio complains if nobody looks.

    def _interrupt(self, future: Future[Any]) -> None:
        with self._lock:
            if self._asked is future:
                self.store.interrupt()

    def _answer(self) -> None:
        while (entry := self._questions.get()) is not None:
            future, question = entry
            if not future.set_running_or_notify_cancel():
                continue
            with self._lock:
                self._asked = future
            answer, error = None, None
            try:
                answer = question(self.store)
            except BaseException as raised:
                error = raised
            with self._lock:
                self._asked = None
            if error is None:
                future.set_result(answer)
            else:
                future.set_exception(error)
