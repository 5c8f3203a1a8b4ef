"""The executor of type ``spark``."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from threading import Lock
from typing import Any

from redun.executors.base import Call, Executor
from redun_executor_spark.driver import DriverCalls
from redun_executor_spark.engines import Engine
from redun_executor_spark.options import SparkOptions
from redun_executor_spark.packages import find_files
from redun_executor_spark.sessions import acquire, release
from redun_executor_spark.tasks import ClusterCalls


class SparkExecutor(Executor):
    """Runs tasks with Spark: on its workers, or here with a session for DataFrames.

    Spark is started when the first call comes, and stopped with the executor unless the session was there before.

    Parameters
    ----------
    name
        The name that tasks ask for with option ``executor``.
    options
        Where Spark is, and how calls run there.
    """

    options_type = SparkOptions
    options: SparkOptions

    def __init__(self, name: str = "spark", options: SparkOptions | None = None) -> None:
        super().__init__(name, options)
        self._engine: Engine | None = None
        self._place: ClusterCalls | DriverCalls | None = None
        self._starting = Lock()

    def submit(self, call: Call) -> Future[Any]:
        return self.submit_many([call])[0]

    def submit_many(self, calls: Sequence[Call]) -> Sequence[Future[Any]]:
        return self._open().submit(calls) if calls else []

    def cancel(self, future: Future[Any]) -> bool:
        return future.cancel() if self._place is None else self._place.cancel(future)

    def supports(self, feature: str) -> bool:
        return feature == "script" and self.options.mode == "tasks"

    def stop(self) -> None:
        place, self._place = self._place, None
        if place is not None:
            place.stop()
        engine, self._engine = self._engine, None
        if engine is not None:
            release(engine)

    def _open(self) -> ClusterCalls | DriverCalls:
        if self._place is None:
            make = ClusterCalls if self.options.mode == "tasks" else DriverCalls
            self._place = make(self.name, self._acquire, self.options)
        return self._place

    def _acquire(self) -> Engine:
        """Return the Spark, started when the first call needs it; on the threads of calls, for that takes seconds."""
        with self._starting:
            if self._engine is None:
                files = find_files(self.options)
                self._engine = acquire(self.options)
                self._engine.add_files(files)
            return self._engine
