"""Expressions that running coroutines await."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from redun.errors import StoppedCallError
from redun.promise import Promise
from redun.scheduler.evaluate import Evaluator
from redun.scheduler.job import Job


class AwaitedExpressions:
    """Evaluates, on the scheduler's thread, what coroutines on other threads await.

    Parameters
    ----------
    evaluator
        Reduces the expressions.
    post
        Has a function called on the scheduler's thread.
    """

    def __init__(self, evaluator: Evaluator, post: Callable[[Callable[[], None]], None]) -> None:
        self._evaluator = evaluator
        self._post = post
        self._open: set[Future[Any]] = set()
        self._problem: StoppedCallError | None = None

    def __len__(self) -> int:
        return len(self._open)

    def evaluate(self, job: Job, expression: Any) -> Future[Any]:
        """Return the future of an expression's value, evaluated under a running job. For any thread."""
        future: Future[Any] = Future()

        def begin() -> None:
            if not future.set_running_or_notify_cancel():
                return
            if self._problem is not None:
                future.set_exception(self._problem)
                return
            self._open.add(future)
            self._evaluator.evaluate(expression, job).watch(settle)

        def settle(promise: Promise[Any]) -> None:
            if future not in self._open:
                return
            self._open.discard(future)
            if promise.is_rejected:
                future.set_exception(promise.error)
            else:
                future.set_result(promise.value)

        self._post(begin)
        return future

    def give_up(self, problem: StoppedCallError) -> None:
        """Let everything that is awaited, now or later, fail with an error."""
        self._problem = problem
        while self._open:
            self._open.pop().set_exception(problem)
