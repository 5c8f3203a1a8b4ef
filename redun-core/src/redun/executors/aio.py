"""Running coroutines: one event loop on one thread of its own.

Code that blocks in one coroutine holds up all others. A coroutine that was cancelled and goes on all the same is left
behind with its thread, which ends when the coroutine does.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from concurrent.futures import Future, wait
from functools import partial
from typing import Any

from redun.errors import CancelledCallError
from redun.executors.base import Call, settle
from redun.executors.pool import Work

CANCEL_SECONDS = 0.2
"""How long a stopping loop waits for coroutines to take note that they were cancelled."""


class EventLoop:
    """An event loop on a thread, which runs calls of coroutine functions.

    Parameters
    ----------
    name
        What the thread is called.
    """

    def __init__(self, name: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._tasks: dict[Future[Any], asyncio.Task[None]] = {}
        self._cancelled: set[Future[Any]] = set()
        self._wanted: set[Future[Any]] = set()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def submit(self, works: Sequence[Work]) -> None:
        """Start the coroutines of calls."""
        self._wanted = {future for future in self._wanted if not future.done()}
        self._wanted.update(future for _, future in works)
        self._loop.call_soon_threadsafe(self._start, works)

    def cancel(self, future: Future[Any]) -> bool:
        """Stop a call, as `Executor.cancel` does; its coroutine gets to know when it next waits."""
        if future not in self._wanted:
            return False
        if future.cancel():
            return True
        self._cancelled.add(future)
        if not settle(future, error=CancelledCallError("the call was cancelled while it ran")):
            self._cancelled.discard(future)
            return False
        self._loop.call_soon_threadsafe(self._cancel, future)
        return True

    def stop(self) -> None:
        """Wait for every call that was not cancelled, and end the loop."""
        wait(self._wanted)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(CANCEL_SECONDS if self._cancelled else None)

    def _run(self) -> None:
        loop = self._loop
        try:
            loop.run_forever()
            left = asyncio.all_tasks(loop)
            for task in left:
                task.cancel()
            if left:
                loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
            loop.run_until_complete(loop.shutdown_asyncgens())
        finally:
            loop.close()

    def _start(self, works: Sequence[Work]) -> None:
        for call, future in works:
            if future.set_running_or_notify_cancel():
                self._tasks[future] = task = self._loop.create_task(_run_call(call, future))
                task.add_done_callback(partial(self._forget, future))

    def _cancel(self, future: Future[Any]) -> None:
        if future in self._tasks:
            self._tasks[future].cancel()
        else:
            self._cancelled.discard(future)

    def _forget(self, future: Future[Any], task: asyncio.Task[None]) -> None:
        del self._tasks[future]
        self._cancelled.discard(future)


async def _run_call(call: Call, future: Future[Any]) -> None:
    try:
        result = await call.func(*call.args, **call.kwargs)
    except BaseException as error:  # A coroutine that exits must not take the loop with it.
        settle(future, error=error)
    else:
        settle(future, result)
