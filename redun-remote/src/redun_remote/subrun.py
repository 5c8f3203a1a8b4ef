"""Running a part of a workflow under a scheduler of its own, on an executor.

``subrun(expr, executor)`` is a call of the task ``redun.subrun_root_task`` on that executor. There, a scheduler opens
the same store and reduces the expression. Its jobs stand under the job of that call and belong to the same execution,
or to one of their own. The call that it came to counts as a child of that job, so the subrun is answered from the
cache as long as every task below it is as it was.
"""

from __future__ import annotations

import pickle
import sys
from collections.abc import Mapping, Sequence
from contextlib import closing
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from redun.config import Config
from redun.context import Context
from redun.control import with_export_options
from redun.errors import ConfigError, SchedulerError
from redun.executors.transport import dump_payload, load_payload
from redun.expression import QuotedExpression, SchedulerExpression, quote
from redun.ids import new_id
from redun.logging import logger
from redun.options import CacheCheckValid, CacheResult, CacheScope
from redun.promise import Promise
from redun.registry import get_task_registry
from redun.scheduler.extend import adopt_call, extend_run, report_run
from redun.scheduler.job import Execution
from redun.scheduler.job_info import JobInfo
from redun.scheduler.settings import RunSettings
from redun.scheduler.setup import read_tags
from redun.task import scheduler_task, task
from redun_remote.credentials import withhold_secrets

if TYPE_CHECKING:
    from redun.scheduler import Scheduler
    from redun.scheduler.job import Job

_OWN = "redun."
_MAIN = "__main__"
_CACHE_OPTIONS = ("cache", "cache_scope", "check_valid")


@scheduler_task(namespace="redun", cache_scope=CacheScope.BACKEND, check_valid=CacheCheckValid.SHALLOW)
def subrun(
    scheduler: Scheduler,
    parent_job: Job,
    sexpr: SchedulerExpression[Any],
    expr: Any,
    executor: str,
    config: Mapping[str, Any] | None = None,
    config_dir: str | None = None,
    new_execution: bool = False,
    load_modules: Sequence[str] | None = None,
    **task_options: Any,
) -> Promise[Any]:
    """Evaluate an expression by a scheduler of its own, which runs on an executor.

    Use it for a part of a workflow with very many tasks, or whose own scheduler has to be near the data.

    Parameters
    ----------
    expr
        The expression, passed on without being evaluated here.
    executor
        The name of the executor on which the scheduler runs.
    config
        The configuration of the scheduler; by default that of this one, without passwords and keys: a worker takes
        them from its environment (``REDUN_DB_PASSWORD``).
    config_dir
        The folder from which the scheduler reads its configuration, in place of `config`.
    new_execution
        Whether the jobs belong to an execution of their own.
    load_modules
        The modules to be imported there, default those of all tasks that are known here.
    **task_options
        Options of the call that runs the scheduler, such as ``memory``.

    Raises
    ------
    SchedulerError
        When both `config` and `config_dir` are given, or the scheduler there does not find the job that it is to go on
        with, because it has another store.

    Examples
    --------
    >>> from redun import Scheduler, task
    >>> @task(version="1", namespace="subrun_example")
    ... def double(x):
    ...     return 2 * x
    >>> Scheduler().run(subrun(double(double(1)), executor="default", new_execution=True))
    4
    """
    if config is not None and config_dir is not None:
        raise SchedulerError("subrun() takes config or config_dir, not both")
    modules = list_load_modules() if load_modules is None else list(load_modules)
    is_apart = new_execution or not parent_job.has_provenance
    is_same_store = config is None and config_dir is None
    own = {name: sexpr.task_options[name] for name in _CACHE_OPTIONS if name in sexpr.task_options}
    options: dict[str, Any] = {"cache_scope": CacheScope.BACKEND, "check_valid": CacheCheckValid.SHALLOW, **own}
    if not is_same_store:
        options["cache_scope"] = CacheScope.CSE  # Nobody here can tell whether what was called there is as it was.
    called = subrun_root_task.options(
        **task_options,
        **options,
        executor=executor,
        allowed_cache_results={CacheResult.CSE, CacheResult.ULTIMATE},
    )
    call = called(
        expr=quote(expr),
        config=forward_config(scheduler.config) if config is None else config,
        config_dir=config_dir,
        load_modules=modules,
        run_config={"cache": scheduler.uses_cache, "context": dict(parent_job.context.values)},
        export_options=dict(parent_job.exported),
        new_execution=is_apart,
        adopts=is_same_store,
    )

    def take(report: Mapping[str, Any]) -> Any:
        logger.info("%s", describe_report(report, executor))
        return report["result"]

    return scheduler.evaluate(call, parent_job).then(take)


@task(
    namespace="redun",
    version="1",
    check_valid=CacheCheckValid.SHALLOW,
    config_args=["config", "config_dir", "load_modules", "run_config", "adopts"],
)
def subrun_root_task(
    expr: QuotedExpression[Any],
    config: Mapping[str, Any],
    config_dir: str | None,
    load_modules: Sequence[str],
    run_config: Mapping[str, Any],
    export_options: Mapping[str, Any],
    new_execution: bool,
    adopts: bool = True,
    job_info: JobInfo = JobInfo(),
) -> dict[str, Any]:
    """Run the scheduler of a `subrun`, and return what came of it as `redun.scheduler.extend.extend_run` does."""
    from redun.scheduler import Scheduler

    for name in load_modules:
        import_module(name)
    quoted = load_payload(dump_payload(expr, pickle))  # Nothing of what the expression came to elsewhere.
    root = with_export_options(quoted, export_options) if export_options else quoted.eval()
    cache, context = bool(run_config.get("cache", True)), run_config.get("context") or {}
    with closing(Scheduler(read_config(config, config_dir))) as scheduler:
        if new_execution:
            tags = read_tags(scheduler.config.section("tags"))
            execution = Execution(new_id(), ["redun", "subrun"], Context(context), tags)
            report = report_run(scheduler, execution, root, RunSettings(cache))
        else:
            report = extend_run(scheduler, root, job_info.job_id, cache=cache, context=context)
    subtree = report.pop("subtree")
    if adopts and report["call_hash"]:
        report["call_hash"] = adopt(report["call_hash"], subtree)
    return {**report, "run_config": {"cache": cache}}


@scheduler_task(namespace="redun", name="adopt_call")
def adopt(
    scheduler: Scheduler, parent_job: Job, sexpr: SchedulerExpression[Any], call_hash: str, subtree: Sequence[str]
) -> Promise[str]:
    """Let a call that another scheduler has made and recorded count as a child of the job that this is used in."""
    adopt_call(parent_job, call_hash, subtree)
    return Promise(lambda resolve, reject: resolve(call_hash))


def list_load_modules() -> list[str]:
    """Return the loaded modules that define the tasks known here, but for redun's own and the main module."""
    modules = {known.load_module for known in get_task_registry() if not known.fullname.startswith(_OWN)}
    return sorted(modules.intersection(sys.modules) - {_MAIN})


def forward_config(config: Config) -> dict[str, Any]:
    """Return a configuration for a scheduler elsewhere: its sections without secrets, and its folder."""
    folder = None if config.configdir is None else str(Path(config.configdir).absolute())
    return {"sections": withhold_secrets(config.get_config_dict()), "configdir": folder}


def read_config(config: Mapping[str, Any], config_dir: str | None) -> Config:
    """Return the configuration of the scheduler of a subrun.

    Raises
    ------
    ConfigError
        When its folder has none.
    """
    if config_dir is not None:
        return Config.read(config_dir)
    if set(config) == {"sections", "configdir"}:
        return Config(config["sections"], config["configdir"])
    if not all(isinstance(options, Mapping) for options in config.values()):
        raise ConfigError("the config of a subrun must be a mapping of sections to options")
    return Config(config)


def describe_report(report: Mapping[str, Any], executor: str) -> str:
    """Return what there is to say about a finished subrun, on one line.

    Examples
    --------
    >>> status = {"demo.add": {"DONE": 2, "CACHED": 1}, "demo.main": {"DONE": 1}}
    >>> describe_report({"job_id": "12345678-9", "status": status}, "batch")
    'Subrun Job 12345678 on batch: 4 jobs (1 CACHED, 3 DONE)'
    """
    totals: dict[str, int] = {}
    for counts in report["status"].values():
        for name, number in counts.items():
            totals[name] = totals.get(name, 0) + number
    shown = ", ".join(f"{number} {name}" for name, number in sorted(totals.items()))
    return f"Subrun Job {str(report['job_id'])[:8]} on {executor}: {sum(totals.values())} jobs ({shown})"
