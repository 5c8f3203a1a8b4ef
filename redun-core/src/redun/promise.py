"""Promises of values, settled on one thread and without recursion.

A promise is *pending* until it is *fulfilled* with a value or *rejected* with an error; the first settling wins.
Callbacks never run inside one another: settling puts them on the thread's trampoline, a queue that the outermost
settling works off, so a chain of a million promises needs no more stack than one. While a scheduler runs, its loop
works the queue off.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

T = TypeVar("T")
S = TypeVar("S")

PENDING, _FULFILLED, _REJECTED = range(3)


Callback = Callable[["Promise[Any]"], None]


class CallbackQueue(deque[tuple[Callback, "Promise[Any]"]]):
    """Callbacks of settled promises, in order.

    Parameters
    ----------
    is_run
        Whether somebody runs them; otherwise whoever settles a promise does.
    """

    def __init__(self, is_run: bool = False) -> None:
        super().__init__()
        self.is_run = is_run


class _Trampoline(threading.local):
    """The callbacks of settled promises that this thread still has to run."""

    def __init__(self) -> None:
        self.queue = CallbackQueue()


_trampoline = _Trampoline()


def run_callbacks() -> None:
    """Run the callbacks of this thread's settled promises, and of those settled by them, until none is left."""
    queue = _trampoline.queue
    while queue:
        callback, promise = queue.popleft()
        callback(promise)


class collecting_callbacks:  # noqa: N801 - it reads as a function does
    """Let callbacks of promises that this thread settles wait in a queue until `run_callbacks` is called."""

    __slots__ = ("_before", "_queue")

    def __init__(self, queue: CallbackQueue) -> None:
        self._queue = queue

    def __enter__(self) -> None:
        self._before = _trampoline.queue
        _trampoline.queue = self._queue

    def __exit__(self, *_: object) -> None:
        _trampoline.queue = self._before


def _run(queue: CallbackQueue) -> None:
    queue.is_run = True
    try:
        run_callbacks()
    finally:
        queue.is_run = False


class Promise(Generic[T]):
    """A value that will be known later, or the error that came instead.

    Parameters
    ----------
    func
        Called at once with two functions, one to fulfil and one to reject the promise. What it raises rejects it.

    Examples
    --------
    >>> promise = Promise()
    >>> doubled = promise.then(lambda value: 2 * value)
    >>> promise.do_resolve(21)
    >>> doubled.value
    42
    """

    __slots__ = ("_state", "_value", "_waiters")

    def __init__(
        self, func: Callable[[Callable[[Any], Any], Callable[[BaseException], Any]], Any] | None = None
    ) -> None:
        self._state = PENDING
        self._value: Any = None
        self._waiters: Callback | list[Callback] | None = None
        if func is not None:
            try:
                func(self.do_resolve, self.do_reject)
            except Exception as error:
                self.do_reject(error)

    @property
    def is_pending(self) -> bool:
        """Whether neither a value nor an error has come yet."""
        return self._state == PENDING

    @property
    def is_fulfilled(self) -> bool:
        """Whether the value has come."""
        return self._state == _FULFILLED

    @property
    def is_rejected(self) -> bool:
        """Whether an error has come instead of the value."""
        return self._state == _REJECTED

    @property
    def value(self) -> T:
        """The value, or the error of a rejected promise. Raises ValueError while pending."""
        if self._state == PENDING:
            raise ValueError("the promise is pending and has no value yet")
        return self._value  # type: ignore[no-any-return]

    @property
    def error(self) -> BaseException:
        """The error of a rejected promise. Raises ValueError in the other states."""
        if self._state != _REJECTED:
            raise ValueError("the promise is not rejected and has no error")
        return self._value  # type: ignore[no-any-return]

    def do_resolve(self, value: T | Promise[T]) -> None:
        """Fulfil the promise, or let it follow another promise."""
        if value is self:
            self._settle(_REJECTED, TypeError("a promise can't follow itself"))
        elif isinstance(value, Promise):
            value.watch(self._follow)
        else:
            self._settle(_FULFILLED, value)

    def fulfil(self, value: T) -> None:
        """Fulfil the promise with a value that is no promise itself."""
        self._settle(_FULFILLED, value)

    def do_reject(self, error: BaseException) -> None:
        """Reject the promise."""
        self._settle(_REJECTED, error)

    def watch(self, callback: Callable[[Promise[Any]], None]) -> None:
        """Call `callback` with this promise once it is settled. The callback must not raise."""
        if self._state != PENDING:
            queue = _trampoline.queue
            queue.append((callback, self))
            if not queue.is_run:
                _run(queue)
        elif self._waiters is None:
            self._waiters = callback  # Most promises have one; a list for it would take more room than the promise.
        elif isinstance(self._waiters, list):
            self._waiters.append(callback)
        else:
            self._waiters = [self._waiters, callback]

    def then(
        self,
        resolver: Callable[[T], S | Promise[S]] | None = None,
        rejector: Callable[[BaseException], S | Promise[S]] | None = None,
    ) -> Promise[S]:
        """Return the promise of what a function makes of this promise's value or error.

        A missing function passes the value or the error on. What a function raises rejects the returned promise.
        """
        follower: Promise[S] = Promise()

        def call(promise: Promise[Any]) -> None:
            handler: Callable[[Any], Any] | None = resolver if promise.is_fulfilled else rejector
            if handler is None:
                follower._settle(promise._state, promise._value)
                return
            try:
                follower.do_resolve(handler(promise._value))
            except Exception as error:
                follower.do_reject(error)

        self.watch(call)
        return follower

    def catch(self, rejector: Callable[[BaseException], S | Promise[S]]) -> Promise[S]:
        """Return the promise of what a function makes of this promise's error; a value passes through."""
        return self.then(None, rejector)

    @classmethod
    def all(cls, promises: Sequence[Promise[Any]]) -> Promise[list[Any]]:
        """Return the promise of all values in order; the first error rejects it at once."""
        together: Promise[list[Any]] = Promise()
        missing = len(promises)

        def arrive(promise: Promise[Any]) -> None:
            nonlocal missing
            missing -= 1
            if promise.is_rejected:
                together.do_reject(promise.error)
            elif missing == 0 and together.is_pending:
                together.do_resolve([one.value for one in promises])

        if not promises:
            together.do_resolve([])
        for promise in promises:
            promise.watch(arrive)
        return together

    def _follow(self, leader: Promise[Any]) -> None:
        self._settle(leader._state, leader._value)

    def _settle(self, state: int, value: Any) -> None:
        if self._state != PENDING:
            return
        self._state = state
        self._value = value
        waiters = self._waiters
        if waiters is not None:
            self._waiters = None
            queue = _trampoline.queue
            if isinstance(waiters, list):
                queue.extend([(callback, self) for callback in waiters])
            else:
                queue.append((waiters, self))
            if not queue.is_run:
                _run(queue)

    def __repr__(self) -> str:
        state = ("pending", "fulfilled", "rejected")[self._state]
        return f"<Promise {state}>"


def wait_promises(promises: Sequence[Promise[T]]) -> Promise[Sequence[Promise[T]]]:
    """Return a promise that is fulfilled with `promises` once each of them is settled, either way."""
    together: Promise[Sequence[Promise[T]]] = Promise()
    missing = len(promises)

    def arrive(_: Promise[Any]) -> None:
        nonlocal missing
        missing -= 1
        if missing == 0:
            together.do_resolve(promises)

    if not promises:
        together.do_resolve(promises)
    for promise in promises:
        promise.watch(arrive)
    return together
