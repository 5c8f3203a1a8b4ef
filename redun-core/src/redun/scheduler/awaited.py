"""Expressions that running coroutines await."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from typing import Any

from redun.errors import RedunError, StoppedCallError
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
        self._open: dict[Future[Any], Job] = {}
        self._callers: Counter[Job] = Counter()
        self._problem: StoppedCallError | None = None

    def __len__(self) -> int:
        return len(self._open)

    def holds_up(self, jobs: Iterable[Job]) -> bool:
        """Whether each of some running calls waits for others, and does so without a limit of time."""
        return all(self.is_awaited_by(job) and not job.options.get("timeout") for job in jobs)

    def is_awaited_by(self, job: Job) -> bool:
        """Whether a job awaits anything."""
        return job in self._callers

    def evaluate(self, job: Job, expression: Any) -> Future[Any]:
        """Return the future of an expression's value, evaluated under a running job. For any thread."""
        future: Future[Any] = Future()

        def begin() -> None:
            if not future.set_running_or_notify_cancel():
                return
            if self._problem is not None:
                future.set_exception(self._problem)
                return
            self._open[future] = job
            self._callers[job] += 1
            self._evaluator.evaluate(expression, job).watch(settle)

        def settle(promise: Promise[Any]) -> None:
            if not self._close(future):
                return
            if promise.is_rejected:
                future.set_exception(promise.error)
            else:
                future.set_result(promise.value)

        self._post(begin)
        return future

    def fail_oldest(self, problem: RedunError) -> None:
        """Let what has been awaited longest fail with an error."""
        future = next(iter(self._open))
        self._close(future)
        future.set_exception(problem)

    def give_up(self, problem: StoppedCallError) -> None:
        """Let everything that is awaited, now or later, fail with an error."""
        self._problem = problem
        while self._open:
            self.fail_oldest(problem)

    def _close(self, future: Future[Any]) -> bool:
        """Note that a future is being settled; return whether that is for the first time."""
        job = self._open.pop(future, None)
        if job is None:
            return False
        self._callers[job] -= 1
        if not self._callers[job]:
            del self._callers[job]
        return True
