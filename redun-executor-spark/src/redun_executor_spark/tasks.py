"""Calls as tasks of a cluster: those that come within a moment become one Spark job, whose partitions make them.

A partition makes one call and, while more of them wait, further ones for a few seconds; so a Spark job costs little per
call where calls are quick, and is one partition per call where they are not. What a call came to is known when it ends,
not when its Spark job does. Partitions whose executor is lost are started again by Spark, and get the calls that were
lost with them.
"""

from __future__ import annotations

import re
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from typing import Any, NamedTuple

from redun.executors.base import Call, settle
from redun.logging import logger
from redun_executor_spark.applications import APP_TAG, RanJob, note_job
from redun_executor_spark.desk import Desk
from redun_executor_spark.engines import Engine, describe_failure, read_needs
from redun_executor_spark.errors import SparkError
from redun_executor_spark.options import SparkOptions
from redun_executor_spark.sessions import read_tail
from redun_executor_spark.slot import serve
from redun_executor_spark.waiting import SparkJob, WaitingCalls, Wanted

_STOP_SECONDS = 1.0
"""How long Spark jobs that have no more calls may take to end before they are cancelled."""

_LOOK_SECONDS = 1.0
"""How often Spark is asked how many calls it runs at the same time."""

_PATIENCE = 30.0
"""After how many seconds without a worker it is said that calls wait for one."""

_ERROR_LINE = re.compile(r"^(?:\w+\.)*\w+(?:Error|Exception|Exit|Interrupt)\b.*$", re.MULTILINE)


class ClusterCalls:
    """Calls that run on the workers of a Spark.

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
        self._options = options
        self._tag = f"redun-{name}-{secrets.token_hex(4)}"
        self._calls = WaitingCalls(self._limit_partitions)
        self._opened: _Opened | None = None
        self._parallelism, self._next_look = 1, 0.0
        self._threads: set[threading.Thread] = set()
        self._launcher = threading.Thread(target=self._launch_wanted, name=f"redun-{name}-launcher", daemon=True)
        self._launcher.start()

    def submit(self, calls: Sequence[Call]) -> list[Future[Any]]:
        """Run calls, and return their futures."""
        taken, futures = [], []
        for call in calls:
            try:
                taken.append((call, read_needs(call.options, call.task_name)))
            except SparkError as error:
                future: Future[Any] = Future()
                future.set_running_or_notify_cancel()
                settle(future, error=error)
                futures.append((len(taken), future))
        found = self._calls.add(taken)
        for position, future in reversed(futures):
            found.insert(position, future)
        return found

    def cancel(self, future: Future[Any]) -> bool:
        """Stop a call, as `Executor.cancel` does."""
        return self._calls.cancel(future)

    def stop(self) -> None:
        """Wait for every call that was not cancelled, and end what runs on the cluster."""
        self._calls.wait_until_settled()
        self._calls.close()
        self._launcher.join()
        self._calls.wait_for_jobs(_STOP_SECONDS)
        if self._opened is not None:
            engine, desk, _ = self._opened
            for job in self._calls.list_jobs():
                job.is_cancelled = True
                with suppress(Exception):  # A Spark that is gone runs nothing any more.
                    engine.cancel(engine.session, job.tag)
            desk.close()
        for thread in list(self._threads):
            thread.join()

    def _limit_partitions(self) -> int:
        """Return how many partitions may wait for workers: with dynamic allocation, Spark makes workers for them."""
        if self._options.dynamic_allocation or self._opened is None:
            return self._options.max_partitions
        now = time.monotonic()
        if now >= self._next_look:
            self._next_look = now + _LOOK_SECONDS
            self._parallelism = self._opened.engine.parallelism
        return min(self._options.max_partitions, 2 * self._parallelism)

    def _launch_wanted(self) -> None:
        """Start Spark when the first calls have come, and Spark jobs as partitions are wanted."""
        for _ in self._calls.iter_wanted(self._options.batch_interval):
            try:
                self._opened = self._opened or self._open()
            except Exception as error:
                self._calls.fail_waiting(error)
                continue
            for wanted in self._calls.list_wanted():
                job = self._calls.start_job(wanted, self._tag)
                thread = threading.Thread(
                    target=self._run_job, args=(self._opened, job, wanted), name=job.tag, daemon=True
                )
                self._threads.add(thread)
                thread.start()

    def _open(self) -> _Opened:
        engine = self._acquire()
        bound, host = engine.address
        port = 0
        if self._options.address:
            host, _, text = self._options.address.partition(":")
            bound, port = "", int(text or 0)
        desk = Desk(self._calls, bound, port, self._note_job, [(APP_TAG, engine.app_id)])
        return _Opened(engine, desk, host)

    def _run_job(self, opened: _Opened, job: SparkJob, wanted: Wanted) -> None:
        """Run a Spark job to its end."""
        engine, desk, host = opened
        run = partial(serve, host, desk.port, desk.key, job.number)
        warning = threading.Timer(_PATIENCE, _warn, [job, engine])
        warning.daemon = True
        warning.start()
        error, start = None, time.time()
        try:
            engine.run(wanted.size, run, wanted.needs, job.tag, "redun calls")
        except Exception as failure:
            logger.debug("a Spark job has failed: %s", failure)
            error = explain_failure(failure, read_tail(engine))
        finally:
            warning.cancel()
            self._threads.discard(threading.current_thread())
            self._calls.end_job(job, error)
            if job.made or (error is not None and not job.is_cancelled):
                problem = "" if error is None or job.is_cancelled else str(error)
                ran = RanJob(job.ids, f"{job.made} calls", start, time.time() - start, problem)
                note_job(engine.folder, engine.app_id, ran)

    def _note_job(self, job: SparkJob) -> None:
        if self._opened is not None:
            job.ids = self._opened.engine.find_jobs(job.tag)


class _Opened(NamedTuple):
    """A Spark that runs, where its workers come for calls, and the host by which they reach this process."""

    engine: Engine
    desk: Desk
    host: str


def _warn(job: SparkJob, engine: Engine) -> None:
    if not job.was_seen:
        logger.warning(
            "calls have waited for a Spark worker for %d seconds: the cluster may have no room or no workers, see %s",
            _PATIENCE,
            engine.ui_url or "its web pages",
        )


def explain_failure(failure: Exception, logs: Sequence[str]) -> SparkError:
    """Return why Spark failed in one sentence, with what it logged last.

    Examples
    --------
    >>> text = "Job aborted: Task 0 failed 4 times, most recent failure: Lost task 0.3"
    >>> str(explain_failure(RuntimeError(f"{text}\\nImportError: no module\\n\\n\\tat org.apache"), []))
    'Spark could not make calls: ImportError: no module'
    """
    text = describe_failure(failure)
    reasons = _ERROR_LINE.findall(text.partition("\n\tat ")[0].partition("\n")[2])
    reason = reasons[-1] if reasons else text.partition("\n")[0]
    advice = "; install redun-executor-spark where workers run" if "No module named 'redun" in reason else ""
    error = SparkError(f"Spark could not make calls: {reason}{advice}")
    error.redun_logs = list(logs)  # type: ignore[attr-defined]
    return error
