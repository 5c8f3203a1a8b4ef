"""The hooks that plugins implement.

A hook module marks its implementations with `hookimpl`; an implementation may leave out parameters that it does not
use. There are three kinds of hooks. *Discovery* hooks return providers and are called once. *Lifecycle* hooks
observe: what they return is ignored, and what they raise is logged while the run goes on; without observers they cost
nothing. *Decision* hooks may answer a question, and the first answer that is not None counts.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import pluggy

from redun.plugins.provider import Provider

if TYPE_CHECKING:
    from redun.config import Config
    from redun.scheduler.job import Execution, Job

hookspec = pluggy.HookspecMarker("redun")
hookimpl = pluggy.HookimplMarker("redun")

DISCOVERY_HOOKS = (
    "redun_executors",
    "redun_backends",
    "redun_values",
    "redun_commands",
    "redun_exports",
    "redun_sections",
    "redun_checks",
    "redun_observers",
)
LIFECYCLE_HOOKS = (
    "redun_configure",
    "redun_execution_start",
    "redun_execution_finish",
    "redun_job_start",
    "redun_job_finish",
)
DECISION_HOOKS = ("redun_cache_lookup", "redun_job_executor", "redun_render_value")
ALL_HOOKS = (*DISCOVERY_HOOKS, *LIFECYCLE_HOOKS, *DECISION_HOOKS)


class Hooks:
    """The specifications; every method is a hook."""

    @hookspec
    def redun_executors(self) -> Iterable[Provider]:  # type: ignore[empty-body]
        """Offer executors: subclasses of `redun.executors.base.Executor`, named by what ``type`` says in a section.

        Examples
        --------
        >>> @hookimpl
        ... def redun_executors():
        ...     yield Provider("slurm", "redun_slurm.executor:SlurmExecutor", "Jobs of a Slurm cluster")
        >>> [provider.name for provider in redun_executors()]
        ['slurm']
        """

    @hookspec
    def redun_backends(self) -> Iterable[Provider]:  # type: ignore[empty-body]
        """Offer stores: subclasses of `redun.backends.base.Backend`, named by what ``type`` says in ``[backend]``.

        Examples
        --------
        >>> @hookimpl
        ... def redun_backends():
        ...     yield Provider("redis", "redun_redis.backend:RedisBackend", "A cache shared through Redis")
        >>> [provider.name for provider in redun_backends()]
        ['redis']
        """

    @hookspec
    def redun_values(self) -> Iterable[Provider]:  # type: ignore[empty-body]
        """Offer value types: subclasses of `redun.value.Value`, named by their stored type name.

        Examples
        --------
        >>> @hookimpl
        ... def redun_values():
        ...     yield Provider("numpy.ndarray", "redun_numpy.array:ArrayValue", "Arrays, hashed by content")
        >>> [provider.name for provider in redun_values()]
        ['numpy.ndarray']
        """

    @hookspec
    def redun_commands(self) -> Iterable[Provider]:  # type: ignore[empty-body]
        """Offer commands of the ``redun`` program: click commands, named by the word users type.

        Examples
        --------
        >>> @hookimpl
        ... def redun_commands():
        ...     yield Provider("report", "redun_report.command:report", "Write a report of an execution")
        >>> [provider.name for provider in redun_commands()]
        ['report']
        """

    @hookspec
    def redun_exports(self) -> Iterable[Provider]:  # type: ignore[empty-body]
        """Offer names that ``from redun import NAME`` finds.

        Examples
        --------
        >>> @hookimpl
        ... def redun_exports():
        ...     yield Provider("Table", "redun_table.table:Table", "A table of a database")
        >>> [provider.name for provider in redun_exports()]
        ['Table']
        """

    @hookspec
    def redun_sections(self) -> Iterable[Provider]:  # type: ignore[empty-body]
        """Offer sections of the configuration, by name: dataclasses of options, or instances of `Section`.

        ``"NAME.*"`` stands for sections ``[NAME.anything]``. Executors and stores need not offer theirs.

        Examples
        --------
        >>> @hookimpl
        ... def redun_sections():
        ...     yield Provider("report", "redun_report.options:ReportOptions", "What reports look like")
        >>> [provider.name for provider in redun_sections()]
        ['report']
        """

    @hookspec
    def redun_checks(self) -> Iterable[Provider]:  # type: ignore[empty-body]
        """Offer checks of ``redun doctor``: functions of a `Workspace` that yield `Finding` records.

        Examples
        --------
        >>> @hookimpl
        ... def redun_checks():
        ...     yield Provider("slurm", "redun_slurm.check:check_cluster", "Whether the cluster answers")
        >>> [provider.name for provider in redun_checks()]
        ['slurm']
        """

    @hookspec
    def redun_observers(self) -> Iterable[Provider]:  # type: ignore[empty-body]
        """Offer observers: subclasses of `redun.observing.Observer`, named by what ``type`` says in a section.

        Examples
        --------
        >>> @hookimpl
        ... def redun_observers():
        ...     yield Provider("statsd", "redun_statsd.observer:StatsdObserver", "Counts of jobs, sent to StatsD")
        >>> [provider.name for provider in redun_observers()]
        ['statsd']
        """

    @hookspec
    def redun_configure(self, config: Config) -> None:
        """Observe the configuration of a scheduler that was made.

        Examples
        --------
        >>> @hookimpl
        ... def redun_configure(config):
        ...     print(sorted(config.sections()))
        >>> from redun.config import Config
        >>> redun_configure(Config({"scheduler": {}}))
        ['scheduler']
        """

    @hookspec
    def redun_execution_start(self, execution: Execution) -> None:
        """Observe that an execution starts.

        Examples
        --------
        >>> @hookimpl
        ... def redun_execution_start(execution):
        ...     print("started", execution.args[1:])
        >>> from redun.scheduler.job import Execution
        >>> redun_execution_start(Execution("e", ["redun", "run"]))
        started ['run']
        """

    @hookspec
    def redun_execution_finish(self, execution: Execution, error: BaseException | None) -> None:
        """Observe that an execution ended, with the error that it failed with, if any.

        Examples
        --------
        >>> @hookimpl
        ... def redun_execution_finish(execution, error):
        ...     print("failed" if error else "finished")
        >>> redun_execution_finish(execution=None, error=None)
        finished
        """

    @hookspec
    def redun_job_start(self, job: Job) -> None:
        """Observe that a job starts to run, or is about to be answered from the cache.

        Examples
        --------
        >>> @hookimpl
        ... def redun_job_start(job):
        ...     print("job", job)
        >>> redun_job_start("f(1)")
        job f(1)
        """

    @hookspec
    def redun_job_finish(self, job: Job) -> None:
        """Observe that a job ended; its `status` and `outcome` say how.

        Every job that has started ends. In a dry run, one that is answered from the cache, but below which calls would
        run, ends as cached without a value.

        Examples
        --------
        >>> @hookimpl
        ... def redun_job_finish(job):
        ...     print("end of", job)
        >>> redun_job_finish("f(1)")
        end of f(1)
        """

    @hookspec(firstresult=True)
    def redun_cache_lookup(self, job: Job) -> bool | None:
        """Decide whether a call may be answered from the store: False makes it run, None leaves it to the options.

        Examples
        --------
        >>> @hookimpl
        ... def redun_cache_lookup(job):
        ...     return False if job.get_option("fresh") else None
        >>> from types import SimpleNamespace
        >>> redun_cache_lookup(SimpleNamespace(get_option=lambda name: True))
        False
        """

    @hookspec(firstresult=True)
    def redun_job_executor(self, job: Job) -> str | None:
        """Decide on which executor a job runs, by name; None leaves it to the option ``executor``.

        Examples
        --------
        >>> @hookimpl
        ... def redun_job_executor(job):
        ...     return "cluster" if job.get_option("memory", 0) > 8 else None
        >>> from types import SimpleNamespace
        >>> redun_job_executor(SimpleNamespace(get_option=lambda name, default: 16))
        'cluster'
        """

    @hookspec(firstresult=True)
    def redun_render_value(self, type_name: str, data: bytes) -> str | None:
        """Show a stored value of a type on one line, without executing code that the bytes may contain.

        Examples
        --------
        >>> @hookimpl
        ... def redun_render_value(type_name, data):
        ...     return f"{len(data)} bytes" if type_name == "demo.Blob" else None
        >>> redun_render_value("demo.Blob", b"1234")
        '4 bytes'
        """


def is_hook(name: str) -> Any:
    """Whether a name is that of a hook."""
    return name in ALL_HOOKS
