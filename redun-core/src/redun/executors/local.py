"""Running tasks on this machine: on threads, in processes, and coroutines on an event loop.

Threads are the default and cost least: handing over a call is putting an object into a queue. Processes are for tasks
that keep Python busy, and can be stopped while they run. Whatever the mode, calls of coroutine functions run on one
event loop, and threads wait for scripts, which are programs of their own and can be stopped too. Each kind of worker is
set up when the first call needs it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any

from redun.errors import ExecutorError
from redun.executors.base import Call, Executor, LendingFuture, settle
from redun.executors.pool import Work, WorkerPool

if TYPE_CHECKING:
    from redun.executors.aio import EventLoop

_MODES: Mapping[str, str] = {"thread": "thread", "process": "process", "threads": "thread", "processes": "process"}


@dataclass(frozen=True)
class LocalOptions:
    """Options of the local executor."""

    max_workers: int = field(default=20, metadata={"help": "how many tasks run at the same time", "minimum": 1})
    mode: str = field(
        default="thread",
        metadata={"help": "whether tasks run on threads or in processes", "choices": tuple(_MODES)},
    )
    start_method: str = field(
        default="forkserver",
        metadata={
            "help": "how worker processes are started; fork is quickest, and unsafe beside threads",
            "choices": ("forkserver", "spawn", "fork"),
        },
    )
    scratch: str = field(
        default="/tmp/redun",  # noqa: S108
        metadata={"help": "read by no part of this executor; accepted because configurations have it"},
    )


class LocalExecutor(Executor):
    """Runs tasks on threads or in processes of this machine.

    A task's option ``mode`` overrides the configured mode. A call that runs in a process can be stopped, with the
    programs that it has started, and so can a script. A function that runs on a thread can't: when it is cancelled, its
    thread is left behind and its result ignored.

    Parameters
    ----------
    name
        The name that tasks ask for with option ``executor``.
    options
        How many workers there are at most, and of which kind.
    config
        In place of `options`, the options as a section of a configuration has them.

    Examples
    --------
    >>> from redun import Scheduler, task
    >>> @task(version="1")
    ... def add(a, b):
    ...     return a + b
    >>> Scheduler(executor=LocalExecutor(config={"max_workers": 4})).run(add(1, add(2, 3)))
    6
    """

    options_type = LocalOptions
    options: LocalOptions

    def __init__(
        self, name: str = "default", options: LocalOptions | None = None, *, config: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(name, options, config=config)
        self._places: dict[str, WorkerPool | EventLoop] = {}

    def submit(self, call: Call) -> Future[Any]:
        return self.submit_many([call])[0]

    def submit_many(self, calls: Sequence[Call]) -> Sequence[Future[Any]]:
        futures: list[Future[Any]] = []
        works: dict[str | None, list[Work]] = {}
        func = options = append = None
        make: type[Future[Any]] = Future
        for call in calls:
            if append is None or call.func is not func or call.options is not options:
                func, options = call.func, call.options
                place = self._choose_place(call)
                append = works.setdefault(place, []).append
                make = Future if place in (None, "async") else LendingFuture
            future = make()
            futures.append(future)
            append((call, future))
        for place, handed in works.items():
            if place is None:
                _reject(handed)
            else:
                self._open(place).submit(handed)
        return futures

    def cancel(self, future: Future[Any]) -> bool:
        return future.cancel() or any(place.cancel(future) for place in self._places.values())

    def supports(self, feature: str) -> bool:
        return feature in ("async", "script")

    def stop(self) -> None:
        while self._places:
            _, place = self._places.popitem()
            place.stop()

    def _choose_place(self, call: Call) -> str | None:
        """Return where a call is to run; None when its option ``mode`` is wrong."""
        if call.is_script:
            return "thread"
        if iscoroutinefunction(call.func):
            return "async"
        mode = call.options.get("mode")
        if mode is None:
            return _MODES[self.options.mode]
        return _MODES.get(mode) if isinstance(mode, str) else None

    def _open(self, place: str) -> WorkerPool | EventLoop:
        if place not in self._places:
            self._places[place] = self._make(place)
        return self._places[place]

    def _make(self, place: str) -> WorkerPool | EventLoop:
        name = f"redun-{self.name}"
        if place == "thread":
            return WorkerPool(name, self.options.max_workers)
        if place == "process":
            from redun.executors.process import ProcessRunner

            start_method = self.options.start_method
            return WorkerPool(f"{name}-process", self.options.max_workers, lambda: ProcessRunner(start_method))
        from redun.executors.aio import EventLoop

        return EventLoop(f"{name}-async")


def _reject(works: Sequence[Work]) -> None:
    """Fail calls whose option ``mode`` is wrong."""
    for call, future in works:
        mode = call.options["mode"]
        text = f"task {call.task_name} has option mode={mode!r}, which is neither 'thread' nor 'process'"
        if future.set_running_or_notify_cancel():
            settle(future, error=ExecutorError(text))
