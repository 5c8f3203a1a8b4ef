"""Calls that run in this process, each with a Spark session of its own for work on DataFrames.

Sessions share tables that are cached and what Spark runs on, and have views, functions and settings of their own, so
that tasks that run at the same time do not get in each other's way. What a call starts in Spark carries a tag and is
cancelled with the call; the call itself, a function on a thread, can't be stopped.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from typing import Any

from redun.executors.base import Call, TaggedFuture
from redun.executors.pool import WorkerPool
from redun_executor_spark.applications import APP_TAG, JOB_TAG, RanJob, describe_error, note_job
from redun_executor_spark.columns import watching_functions
from redun_executor_spark.current import current_session
from redun_executor_spark.engines import Engine
from redun_executor_spark.options import SparkOptions
from redun_executor_spark.sessions import read_tail


class DriverCalls:
    """Calls that run on threads of this process.

    Parameters
    ----------
    name
        Of the executor.
    acquire
        Returns the Spark, started if need be.
    options
        Those of the executor.
    """

    def __init__(self, name: str, acquire: Callable[[], Engine], options: SparkOptions) -> None:
        self._acquire = acquire
        self._pool = WorkerPool(f"redun-{name}", options.max_workers)
        self._started: dict[Future[Any], tuple[Engine, Any, str]] = {}

    def submit(self, calls: Sequence[Call]) -> list[Future[Any]]:
        """Run calls, and return their futures."""
        futures = [TaggedFuture() for _ in calls]
        self._pool.submit(
            [
                (call._replace(func=partial(self._run, call, future), args=(), kwargs={}), future)
                for call, future in zip(calls, futures, strict=True)
            ]
        )
        return list(futures)

    def cancel(self, future: Future[Any]) -> bool:
        """Stop a call, as `Executor.cancel` does, with what it has started in Spark."""
        is_stopped = self._pool.cancel(future)
        started = self._started.get(future)
        if started is not None and future.done():
            engine, session, tag = started
            with suppress(Exception):  # A Spark that is gone runs nothing any more.
                engine.cancel(session, tag)
        return is_stopped

    def stop(self) -> None:
        """Wait for every call that was not cancelled."""
        self._pool.stop()

    def _run(self, call: Call, future: TaggedFuture) -> Any:
        engine = self._acquire()
        session = engine.make_session()
        tag = f"redun-{secrets.token_hex(8)}"
        token = current_session.set(session)
        engine.add_tag(session, tag, f"redun task {call.task_name}")
        self._started[future] = engine, session, tag
        start, problem = time.time(), ""
        try:
            with watching_functions(call):
                return call.func(*call.args, **call.kwargs)
        except Exception as error:
            problem = describe_error(error)
            if type(error).__module__.startswith(("pyspark", "py4j")):
                error.redun_logs = list(read_tail(engine))  # type: ignore[attr-defined]
            raise
        finally:
            del self._started[future]
            current_session.reset(token)
            ids = _find_jobs(engine, session, tag)
            future.redun_tags += [(APP_TAG, engine.app_id), *((JOB_TAG, number) for number in ids)]
            note_job(engine.folder, engine.app_id, RanJob(ids, call.task_name, start, time.time() - start, problem))


def _find_jobs(engine: Engine, session: Any, tag: str) -> list[int]:
    """Return what a call has started in Spark, and let its thread start no more of it."""
    try:
        engine.remove_tag(session, tag)
        return engine.find_jobs(tag)
    except Exception:  # A Spark that is gone says nothing any more.
        return []
