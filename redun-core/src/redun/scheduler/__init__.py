"""The scheduler: reduces an expression to its value, in parallel, answered from the cache wherever that is right.

`Scheduler` is what programs use; it holds the configuration, the store and the executors, and can run one execution
after another. Each execution has an `ExecutionLoop` of its own, so that nothing of a failed one stays behind.
"""

from __future__ import annotations

import logging
import shlex
import threading
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, cast

from redun._exports import SCHEDULER_EXPORTS, import_first_party
from redun.backends.base import Backend
from redun.config import Config
from redun.context import Context
from redun.control import apply_tags, catch, catch_all, cond, root_task, throw, with_export_options
from redun.errors import DryRunResult, NoCurrentScheduler, SchedulerError
from redun.executors.base import Executor
from redun.expression import SchedulerExpression, quote
from redun.ids import new_id
from redun.logging import ensure_handler, logger
from redun.observing import make_observers
from redun.options import EMPTY_OPTIONS, check_tags
from redun.promise import Promise, wait_promises
from redun.registry import get_task_registry
from redun.scheduler.current import check_idle, get_current_scheduler, set_current_scheduler
from redun.scheduler.extend import extend_run
from redun.scheduler.failure import ErrorValue, Failure, report_failure
from redun.scheduler.job import Execution, Job, JobStatus
from redun.scheduler.job_env import JobEnv
from redun.scheduler.job_info import JobInfo
from redun.scheduler.limits import read_capacities
from redun.scheduler.loop import ExecutionLoop
from redun.scheduler.observers import Observers
from redun.scheduler.rebuilder import Candidate
from redun.scheduler.root import needs_root_task, wrap_root
from redun.scheduler.settings import OnError, RunSettings
from redun.scheduler.setup import (
    Executors,
    apply_process_options,
    make_backend,
    read_context,
    read_scheduler_options,
    read_tags,
)
from redun.scheduler.status import format_task_call
from redun.scheduler.together import evaluate_together
from redun.task import R, scheduler_task, task
from redun.threads import Thread, fork_thread, join_thread
from redun.traceback import Frame, Traceback, safe_repr
from redun.utils import merge_dicts


class Scheduler:
    """Runs workflows.

    Parameters
    ----------
    config
        The configuration, a `Config` or a mapping of sections; without one, the cache and the call graph live in memory
        and tasks run on threads of this process.
    backend
        The store, in place of the configured one.
    executor
        An executor to add, in place of the configured one of its name; alone, it also is the default.
    logger
        Where progress is reported.
    use_task_traceback
        Whether a failure is reported with the tasks that led to it.
    job_status_interval
        How often the table of jobs is reported while nothing else happens, in seconds; default 20, 0 for never.

    Attributes
    ----------
    failure : Failure or None
        How the latest run failed, if it did because of a call.
    observers : Observers
        Who watches the executions, beside plugins.

    Examples
    --------
    >>> from redun import task
    >>> @task(version="1")
    ... def add(a, b):
    ...     return a + b
    >>> with Scheduler() as scheduler:
    ...     scheduler.run(add(add(1, 2), 3))
    6
    """

    def __init__(
        self,
        config: Config | None = None,
        backend: Backend | None = None,
        executor: Executor | None = None,
        logger: logging.Logger = logger,
        use_task_traceback: bool = True,
        job_status_interval: float | None = None,
        migrate: bool | None = None,
    ) -> None:
        self.config = config if isinstance(config, Config) else Config(config)
        apply_process_options(self.config)
        self.logger = logger
        self.backend = make_backend(self.config) if backend is None else backend
        self._executors = Executors(self.config, executor)
        self._use_task_traceback = use_task_traceback
        self._options = read_scheduler_options(self.config)
        interval = self._options.job_status_interval if job_status_interval is None else job_status_interval
        self.job_status_interval = interval if interval > 0 else threading.TIMEOUT_MAX
        self.limits = read_capacities(self.config.section("limits"))
        self._context = read_context(self._options, self.config.configdir)
        self._tags = read_tags(self.config.section("tags"))
        self._is_loaded, self._beginning = False, threading.Lock()
        self._loop: ExecutionLoop | None = None
        self.failure: Failure | None = None
        self.observers = Observers(make_observers(self.config))
        self.observers.notify("redun_configure", config=self.config)

    def load(self, migrate: bool | None = None) -> None:
        """Open the store. `run` does so when it is needed."""
        if not self._is_loaded:
            self.backend.load()
            self._is_loaded = True

    def close(self) -> None:
        """Close the store."""
        if self._is_loaded:
            self._is_loaded = False
            self.backend.close()

    def __enter__(self) -> Scheduler:
        self.load()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def run(
        self,
        expr: R,
        exec_argv: Sequence[str] | None = None,
        dryrun: bool = False,
        cache: bool = True,
        tags: Iterable[tuple[str, Any]] = (),
        context: Mapping[str, Any] = EMPTY_OPTIONS,
        execution_id: str | None = None,
        on_error: OnError | str | None = None,
        exclude_users: Collection[str] = (),
    ) -> R:
        """Return the value of an expression, or of a nested value with expressions in it.

        Parameters
        ----------
        expr
            What to evaluate.
        exec_argv
            The command to record with the execution.
        dryrun
            List the calls that would run, without running or recording anything.
        cache
            Whether to use results of earlier executions.
        tags
            Keys and JSON values to find the execution by, besides those configured in section ``[tags]``.
        context
            Values for `get_context`, laid over those configured.
        execution_id
            The id of the execution; a new one by default.
        on_error
            What a failure means for the rest, see `OnError`. Default: as configured, else ``"drain"``.
        exclude_users
            Platforms, such as ``"aws"``, whose name for the user is not to be recorded.

        Raises
        ------
        DryRunResult
            When calls would run in a dry run.
        Exception
            What a task raised and nothing caught; its attribute ``redun_traceback`` says where it comes from.
        """
        argv = list(exec_argv) if exec_argv is not None else ["scheduler.run", safe_repr(expr)]
        settings = RunSettings(cache, dryrun, OnError(on_error or self._options.on_error))
        values, given = Context(merge_dicts([self._context, context])), [*self._tags, *check_tags(tags)]
        execution = Execution(execution_id or new_id(), argv, values, given, None, exclude_users)
        return cast("R", self.run_execution(execution, expr, settings))

    def run_execution(self, execution: Execution, expr: Any, settings: RunSettings) -> Any:
        """Return the value of an expression, as a given execution; see `run`."""
        with self._beginning:  # Of two threads that come at once, the second one is told that there is a first one.
            check_idle(self._loop is not None)
            ensure_handler()
            self.load()
            self.logger.info("Start Execution %s:  redun %s", execution.id, shlex.join(execution.args[1:]))
            start, self.failure = time.monotonic(), None
            self._loop = loop = ExecutionLoop(self, execution, settings)
        set_current_scheduler(self)
        failure: BaseException | None = None
        self.observers.notify("redun_execution_start", execution=execution)
        try:
            return loop.run(wrap_root(expr))
        except BaseException as error:
            failure = error
            self.failure = report_failure(error, loop.failures, self.logger, self._use_task_traceback)
            raise
        finally:
            self._loop = None
            set_current_scheduler(None)
            self._executors.stop()
            self.observers.notify("redun_execution_finish", execution=execution, error=failure)
            loop.board.log_table()
            self.logger.info("Execution duration: %.2f seconds", time.monotonic() - start)

    extend_run = extend_run

    def evaluate(self, expr: Any, parent_job: Job | JobEnv, replays_errors: bool = False) -> Promise[Any]:
        """Return the promise of a nested value with its expressions reduced under a job. For scheduler tasks.

        Parameters
        ----------
        expr
            The nested value.
        parent_job
            The job.
        replays_errors
            Whether a call that failed before, and whose task and arguments are as they were, fails again without
            running.
        """
        if replays_errors:
            job = parent_job.job if isinstance(parent_job, JobEnv) else parent_job
            parent_job = JobEnv(job, parent_job.context, True, parent_job.group)
        return self._running_loop.evaluator.evaluate(expr, parent_job)

    def evaluate_all(
        self, exprs: Sequence[Any], parent_job: Job | JobEnv, on_error: OnError | str
    ) -> tuple[Sequence[Promise[Any]], Promise[Any]]:
        """Return the promises of expressions, and that of the end of all, with a policy for the first that fails."""
        loop, policy = self._running_loop, OnError(on_error)
        if policy is not OnError.KEEP_GOING:
            return evaluate_together(loop.evaluator, loop.starter, exprs, parent_job, policy is OnError.STOP)
        promises = loop.evaluator.evaluate_each(exprs, parent_job)
        return promises, wait_promises(promises)

    def look_up(self, eval_hash: str) -> Promise[Candidate | None]:
        """Return the promise of what the cache holds under an evaluation's address. For scheduler tasks."""
        return self._running_loop.calls.ask(eval_hash)

    def track(self, id: str, promise: Promise[Any]) -> None:
        """Remember a promise for the rest of the execution. For scheduler tasks."""
        self._running_loop.tracked[id] = promise

    def find_tracked(self, id: str) -> Promise[Any] | None:
        """Return a promise of this execution that was remembered, or None. For scheduler tasks."""
        return self._running_loop.tracked.get(id)

    def record_tags(
        self, value: Any, parent_job: Job, tags: Any = (), job_tags: Any = (), execution_tags: Any = ()
    ) -> None:
        """Record tags on a value, on a job and on the execution. For scheduler tasks.

        Raises
        ------
        ValueError
            When tags are no pairs of a key and a JSON value.
        """
        loop = self._running_loop
        on_value, on_job, on_execution = check_tags(tags), check_tags(job_tags), check_tags(execution_tags)
        if not parent_job.has_provenance:
            return
        if on_value:
            encoded = loop.encode(value)
            loop.recorder.add_value(encoded)
            loop.recorder.add_tags("Value", encoded.value_hash, on_value)
        loop.recorder.add_tags("Job", parent_job.id, on_job)
        loop.recorder.add_tags("Execution", parent_job.execution.id, on_execution)

    def forget_failure(self, error: BaseException) -> None:
        """Note that the workflow recovered from an error. For scheduler tasks."""
        self._running_loop.failures.forget(error)

    def record_evaluation(self, expr: SchedulerExpression[Any], parent_job: Job, eval_hash: str, value: Any) -> None:
        """Store a value under the address of a scheduler task's call. For scheduler tasks."""
        if parent_job.has_provenance:
            loop, called = self._running_loop, get_task_registry().get(expr.task_name)
            assert called is not None
            loop.recorder.add_evaluation(called, eval_hash, expr.encode_arguments().args_hash, loop.encode(value))

    def start_executor(self, name: str) -> Executor:
        """Return the executor of a name, started.

        Raises
        ------
        SchedulerError
            When no executor of that name is configured.
        """
        return self._executors.start(name)

    @property
    def uses_cache(self) -> bool:
        """Whether the running execution uses results of earlier ones. For scheduler tasks."""
        return self._running_loop.settings.cache

    @property
    def _running_loop(self) -> ExecutionLoop:
        if self._loop is None:
            raise NoCurrentScheduler("Scheduler is not running.")
        return self._loop


def __getattr__(name: str) -> Any:
    if name not in SCHEDULER_EXPORTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_first_party(*SCHEDULER_EXPORTS[name], f"redun.scheduler.{name}"), name)


__all__ = [
    "DryRunResult",
    "ErrorValue",
    "Execution",
    "Frame",
    "Job",
    "JobInfo",
    "JobStatus",
    "NoCurrentScheduler",
    "OnError",
    "Promise",
    "Scheduler",
    "SchedulerError",
    "Thread",
    "Traceback",
    "apply_tags",
    "catch",
    "catch_all",
    "cond",
    "fork_thread",
    "format_task_call",
    "get_current_scheduler",
    "get_task_registry",
    "join_thread",
    "needs_root_task",
    "quote",
    "root_task",
    "scheduler_task",
    "set_current_scheduler",
    "task",
    "throw",
    "with_export_options",
]
