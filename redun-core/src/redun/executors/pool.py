"""Worker threads that run calls from one queue, and what becomes of those whose call is cancelled.

A worker is *idle* while it waits for the queue and *busy* while its runner runs a call. It is *abandoned* when its call
is cancelled: it gets no further call, another worker may take its place, and what the call comes to is ignored. It ends
when the pool is stopped, or with the call for which it was abandoned.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

from redun.errors import CancelledCallError
from redun.executors.base import Call, render_script, settle

if TYPE_CHECKING:
    from redun.executors.program import Program

Work = tuple[Call, "Future[Any]"]
"""A call, and the future that it is to settle."""

_LENT_SECONDS = 0.5
"""How long the end of a worker is waited for whose call is done, and whose thread is held up in what followed."""


class Runner:
    """Runs the calls of one worker, one after the other; this one on the worker's own thread.

    A script runs as a program, which can be stopped, in contrast to a function.
    """

    _program: Program | None = None
    _interrupted = False

    def run(self, call: Call) -> Any:
        """Return what a call's function returns, or its script writes to standard output, or raise how it failed."""
        return self._run_script(call) if call.is_script else call.func(*call.args, **call.kwargs)

    def interrupt(self, at_once: bool = False) -> bool:
        """Stop the call that runs, and run no other; return whether that is possible. Called from another thread."""
        self._interrupted = True
        program = self._program
        if program is None:
            return False
        program.stop(at_once)
        return True

    def close(self) -> None:
        """Release what the runner holds."""

    def _run_script(self, call: Call) -> bytes:
        from redun.executors.program import Program

        prefix = f"Output Job {call.job_id[:8]}: "
        self._program = program = Program(f"the script of task {call.task_name}", prefix, call.job_id)
        try:
            if self._interrupted:
                raise CancelledCallError(f"the script of task {call.task_name} was stopped before it started")
            return program.run(render_script(call))
        finally:
            self._program = None


class WorkerPool:
    """Workers, started as calls wait for them.

    Parameters
    ----------
    name
        What the workers' threads are called.
    max_workers
        How many workers there are at most, those apart that were abandoned.
    make_runner
        Makes what a worker runs its calls with.
    """

    def __init__(self, name: str, max_workers: int, make_runner: Callable[[], Runner] = Runner) -> None:
        self._name = name
        self._max_workers = max_workers
        self._make_runner = make_runner
        self._queue: SimpleQueue[Work | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._workers: list[_Worker] = []
        self._abandoned: list[_Worker] = []
        self._submitted = 0

    def submit(self, works: Sequence[Work]) -> None:
        """Run calls as workers become idle."""
        put = self._queue.put
        for work in works:
            put(work)
        self._submitted += len(works)
        self._start_workers()

    def cancel(self, future: Future[Any]) -> bool:
        """Stop a call, as `Executor.cancel` does."""
        if future.cancel():
            return True
        with self._lock:
            worker = next((worker for worker in self._workers if worker.future is future), None)
            if worker is None or not settle(future, error=CancelledCallError("the call was cancelled while it ran")):
                return False
            worker.abandoned = True
            self._workers.remove(worker)
            self._abandoned.append(worker)
        stopped = worker.runner.interrupt()
        self._start_workers()
        return stopped

    def stop(self) -> None:
        """Wait for every call that was not cancelled, and end all workers."""
        queue, self._queue = self._queue, SimpleQueue()
        queue.put(None)
        for worker in self._workers:
            worker.join()
        for worker in self._abandoned:
            if worker.runner.interrupt(at_once=True):
                worker.thread.join()
        self._workers.clear()
        self._abandoned.clear()
        self._submitted = 0

    def _start_workers(self) -> None:
        """Start as many workers as there are unfinished calls, as far as that is allowed."""
        unfinished = self._submitted - sum(worker.finished for worker in self._workers)
        if self._abandoned:
            unfinished -= self._count_abandoned()
        while len(self._workers) < min(unfinished, self._max_workers):
            name = f"{self._name}-{len(self._workers)}"
            self._workers.append(_Worker(self._queue, self._lock, self._make_runner(), name))

    def _count_abandoned(self) -> int:
        """Return how many calls abandoned workers have finished, and forget the workers that have ended."""
        finished = sum(worker.finished for worker in self._abandoned)
        ended = [worker for worker in self._abandoned if not worker.thread.is_alive()]
        for worker in ended:
            self._abandoned.remove(worker)
            self._submitted -= worker.finished
        return finished


class _Worker:
    """A thread that runs calls and counts them; only it writes the count."""

    __slots__ = ("abandoned", "finished", "future", "runner", "thread")

    def __init__(self, queue: SimpleQueue[Work | None], lock: threading.Lock, runner: Runner, name: str) -> None:
        self.abandoned = False
        self.finished = 0
        self.future: Future[Any] | None = None
        self.runner = runner
        self.thread = threading.Thread(target=self._run, args=(queue, lock), name=name, daemon=True)
        self.thread.start()

    def _run(self, queue: SimpleQueue[Work | None], lock: threading.Lock) -> None:
        run = self.runner.run
        while (work := queue.get()) is not None:
            call, future = work
            self.future = future
            wanted, result, error = True, None, None
            if future.set_running_or_notify_cancel():
                try:
                    result = run(call)
                except BaseException as raised:  # A task that exits must not take the worker with it.
                    error = raised
                self.finished += 1
                wanted = settle(future, result, error)  # Not while the error is handled, for callbacks may go on here.
            else:
                self.finished += 1
            self.future = None
            del work, call, future, result, error  # While it waits, a worker must not keep arguments and results alive.
            if not wanted and self._is_abandoned(lock):
                break
        else:
            queue.put(None)  # For the next worker: there may be one more than is known, if a signal came as it started.
        self.runner.close()

    def join(self) -> None:
        """Wait for the end of the worker; not for long, if its call is done and it is held up where it is lent to."""
        future = self.future
        self.thread.join(_LENT_SECONDS if future is not None and future.done() else None)

    def _is_abandoned(self, lock: threading.Lock) -> bool:
        """Whether the call was cancelled; somebody else may have settled its future too."""
        with lock:
            return self.abandoned
