"""Running tasks on threads of this process.

The workers take calls from one queue and settle futures themselves, so that handing over a call costs no more than
putting an object into a queue. They are started as calls wait for them, up to the configured number, and end when the
executor is stopped.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import Any

from redun.executors.base import Call, Executor

_Work = tuple[Call, "Future[Any]"]


@dataclass(frozen=True)
class LocalOptions:
    """Options of the local executor."""

    max_workers: int = field(default=20, metadata={"help": "how many tasks run at the same time", "minimum": 1})


class LocalExecutor(Executor):
    """Runs tasks on threads.

    Parameters
    ----------
    name
        The name that tasks ask for with option ``executor``.
    options
        How many workers there are at most.
    """

    options_type = LocalOptions
    options: LocalOptions

    def __init__(self, name: str = "default", options: LocalOptions | None = None) -> None:
        super().__init__(name, options)
        self._queue: SimpleQueue[_Work | None] = SimpleQueue()
        self._workers: list[_Worker] = []
        self._submitted = 0

    def submit(self, call: Call) -> Future[Any]:
        return self.submit_many([call])[0]

    def submit_many(self, calls: Sequence[Call]) -> Sequence[Future[Any]]:
        futures = []
        put = self._queue.put
        for call in calls:
            future: Future[Any] = Future()
            futures.append(future)
            put((call, future))
        self._submitted += len(futures)
        self._start_workers()
        return futures

    def stop(self) -> None:
        for _ in self._workers:
            self._queue.put(None)
        for worker in self._workers:
            worker.thread.join()
        self._workers.clear()
        self._submitted = 0

    def _start_workers(self) -> None:
        """Start as many workers as there are unfinished calls, as far as that is allowed."""
        unfinished = self._submitted - sum(worker.finished for worker in self._workers)
        while len(self._workers) < min(unfinished, self.options.max_workers):
            self._workers.append(_Worker(self._queue, f"redun-{self.name}-{len(self._workers)}"))


class _Worker:
    """A thread that runs calls one after the other and counts them; only it writes the count."""

    __slots__ = ("finished", "thread")

    def __init__(self, queue: SimpleQueue[_Work | None], name: str) -> None:
        self.finished = 0
        self.thread = threading.Thread(target=self._run, args=(queue,), name=name, daemon=True)
        self.thread.start()

    def _run(self, queue: SimpleQueue[_Work | None]) -> None:
        while (work := queue.get()) is not None:
            call, future = work
            if future.set_running_or_notify_cancel():
                try:
                    result = call.func(*call.args, **call.kwargs)
                except BaseException as error:  # A task that exits must not take the worker with it.
                    self.finished += 1
                    future.set_exception(error)
                else:
                    self.finished += 1
                    future.set_result(result)
                    del result
            else:
                self.finished += 1
            del work, call, future  # While the worker waits, it must not keep arguments and results alive.
