"""Waiting for the results of several expressions, and putting them into their places."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from redun.expression import Expression
from redun.promise import Promise
from redun.scheduler.job import Job
from redun.values.nested import substitute

if TYPE_CHECKING:
    from redun.scheduler.evaluate import Evaluator


class _Gathering(ABC):
    """Waits for the expressions inside something, and puts their results in their places."""

    __slots__ = ("_error", "_leaves", "_missing", "_promises", "_waits_for_all")

    def __init__(
        self, leaves: Sequence[Expression[Any]], promises: Sequence[Promise[Any]], waits_for_all: bool
    ) -> None:
        self._leaves, self._promises = leaves, promises
        self._waits_for_all = waits_for_all
        self._missing = len(promises)
        self._error: BaseException | None = None
        arrive = self._arrive
        for promise in promises:
            promise.watch(arrive)

    @abstractmethod
    def fail(self, error: BaseException) -> None:
        """Go on with the first error."""

    @abstractmethod
    def finish(self, results: Mapping[int, Any]) -> None:
        """Go on with all results, by the `id` of their expressions."""

    def _arrive(self, arrived: Promise[Any]) -> None:
        self._missing -= 1
        if arrived.is_rejected and self._error is None:
            self._error = arrived.error
            if not self._waits_for_all:
                self.fail(self._error)
        if self._missing:
            return
        if self._error is not None:
            if self._waits_for_all:
                self.fail(self._error)
            return
        results = {id(leaf): promise.value for leaf, promise in zip(self._leaves, self._promises, strict=True)}
        try:
            self.finish(results)
        except Exception as error:  # A dataclass may refuse the values, nesting may be too deep.
            self.fail(error)


class ValueGathering(_Gathering):
    """Waits for the expressions inside a value."""

    __slots__ = ("_promise", "_value")

    def __init__(
        self,
        leaves: Sequence[Expression[Any]],
        promises: Sequence[Promise[Any]],
        waits_for_all: bool,
        value: Any,
        promise: Promise[Any],
    ) -> None:
        self._value, self._promise = value, promise
        super().__init__(leaves, promises, waits_for_all)

    def fail(self, error: BaseException) -> None:
        self._promise.do_reject(error)

    def finish(self, results: Mapping[int, Any]) -> None:
        self._promise.do_resolve(substitute(self._value, results))


class JobGathering(_Gathering):
    """Waits for the expressions inside the arguments and options of a job."""

    __slots__ = ("_evaluator", "_job", "_options")

    def __init__(
        self,
        leaves: Sequence[Expression[Any]],
        promises: Sequence[Promise[Any]],
        waits_for_all: bool,
        evaluator: Evaluator,
        job: Job,
        options: Mapping[str, Any],
    ) -> None:
        self._evaluator, self._job, self._options = evaluator, job, options
        super().__init__(leaves, promises, waits_for_all)

    def fail(self, error: BaseException) -> None:
        self._evaluator.abandon(self._job, error)

    def finish(self, results: Mapping[int, Any]) -> None:
        job = self._job
        job.args = substitute(job.args, results)
        if job.kwargs:
            job.kwargs = substitute(job.kwargs, results)
        self._evaluator.make_ready(job, substitute(self._options, results) if self._options else self._options)
