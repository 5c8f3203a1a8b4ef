"""Who watches the executions of a scheduler: plugins, and objects that the program itself adds.

An observer is told of an execution through the lifecycle hooks of `redun.plugins.specs`. Whatever else it wants to know
it reads, whenever it wants to, from `Execution.progress`: how many jobs of each task are in which phase, and which have
begun and not ended. So a display that draws five times in a second costs a job nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from difflib import get_close_matches
from inspect import Parameter, signature
from itertools import islice
from typing import Any, NamedTuple

from redun.errors import PluginError
from redun.observing import Observer
from redun.plugins.host import get_host, taking_all
from redun.plugins.specs import LIFECYCLE_HOOKS, Hooks
from redun.scheduler.job import Job, JobStatus

EXECUTION_HOOKS = tuple(hook for hook in LIFECYCLE_HOOKS if hook != "redun_configure")
"""The hooks that an observer may have methods for; when it is added, the scheduler is configured."""

_NAMED = (Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY)


class JobObservers(NamedTuple):
    """What plugins want to be told about jobs; None where nobody listens, so that a job pays nothing."""

    on_start: Callable[..., None] | None = None
    on_finish: Callable[..., None] | None = None


class Observers:
    """The observers of one scheduler.

    An observer is any object with methods that are named as the lifecycle hooks `redun_execution_start`,
    `redun_execution_finish`, `redun_job_start` and `redun_job_finish`, or some of them. A method may leave out
    parameters that it does not use. It is called on the thread that works on the execution, so it should be quick; what
    it raises is logged, and the run goes on. A hook that no observer has a method for costs nothing.

    Parameters
    ----------
    configured
        Those that its configuration asks for.

    Examples
    --------
    >>> from redun import Scheduler, task
    >>> @task(version="1", namespace="observed")
    ... def double(x):
    ...     return 2 * x
    >>> class Printer:
    ...     def redun_job_finish(self, job):
    ...         print(job.task.fullname, job.status.name, job.outcome.value)
    ...     def redun_execution_finish(self, execution, error):
    ...         print(dict(execution.progress.count_jobs()["observed.double"]))
    >>> scheduler = Scheduler()
    >>> scheduler.observers.add(Printer())
    >>> scheduler.run(double(21))
    observed.double DONE 42
    {'PENDING': 0, 'RUNNING': 0, 'FAILED': 0, 'CACHED': 0, 'DONE': 1}
    42
    """

    def __init__(self, configured: Iterable[Any] = ()) -> None:
        self._added: list[Any] = []
        for observer in configured:
            self.add(observer)

    def add(self, observer: Any) -> None:
        """Let an object watch the executions that start from now on.

        Raises
        ------
        PluginError
            When it has no method for any of the hooks, or one that looks like a hook and is none, or that wants to know
            what the hook does not tell.
        """
        methods = [name for name in dir(observer) if name.startswith("redun_") and callable(getattr(observer, name))]
        if not methods:
            raise PluginError(f"{_describe(observer)} has no method for any of {', '.join(EXECUTION_HOOKS)}")
        for name in methods:
            _check_method(observer, name)
        self._added.append(observer)

    def remove(self, observer: Any) -> None:
        """Let an object not watch any execution that starts from now on; it does no harm if it never did."""
        self._added = [other for other in self._added if other is not observer]

    def find(self, hook: str) -> Callable[..., None] | None:
        """Return a function that tells everyone who listens to a hook, plugins first; None if nobody does."""
        methods = [
            (_describe(observer), taking_all(getattr(observer, hook), _list_parameters(getattr(observer, hook))))
            for observer in self._added
            if hasattr(observer, hook)
        ]
        return get_host().observers(hook, methods)

    def notify(self, hook: str, **arguments: Any) -> None:
        """Tell everyone who listens to a hook."""
        tell = self.find(hook)
        if tell is not None:
            tell(**arguments)


class Progress:
    """How far an execution is. It may be read at any time, by any thread, also when the execution has ended.

    Parameters
    ----------
    counts
        How many jobs are in each status, in the order of `JobStatus`, by task; changes while the execution runs.
    unfinished
        The jobs that have begun and not ended, by id; changes likewise.
    """

    __slots__ = ("_counts", "_unfinished")

    def __init__(self, counts: Mapping[str, Sequence[int]], unfinished: Mapping[str, Job]) -> None:
        self._counts, self._unfinished = counts, unfinished

    def count_jobs(self) -> Mapping[str, Mapping[str, int]]:
        """Return how many jobs of each task are in each status; tasks in the order in which they first came up."""
        names = [status.name for status in JobStatus]
        # Lists of a dictionary's items are made in one go, so that no other thread can change it meanwhile.
        return {task: dict(zip(names, counts, strict=True)) for task, counts in list(self._counts.items())}

    def list_unfinished(self, limit: int) -> Sequence[Job]:
        """Return some of the jobs that have begun and not ended, those that began first."""
        return list(islice(self._unfinished.values(), limit))

    def find_unfinished(self, job_id: str) -> Job | None:
        """Return a job that has begun and not ended, by its id; None if there is none."""
        return self._unfinished.get(job_id)


def _check_method(observer: Any, name: str) -> None:
    if name not in EXECUTION_HOOKS:
        near = get_close_matches(name, EXECUTION_HOOKS, 1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(EXECUTION_HOOKS)}"
        raise PluginError(f"{_describe(observer)} has a method {name}, which is no hook of an execution; {hint}")
    told = list(signature(getattr(Hooks, name)).parameters)[1:]
    unknown = [wanted for wanted in _list_parameters(getattr(observer, name)) if wanted not in told]
    if unknown:
        raise PluginError(f"{_describe(observer)}: {name} tells {' and '.join(told)}, and no {unknown[0]!r}")


def _list_parameters(method: Callable[..., Any]) -> Sequence[str]:
    parameters = signature(method).parameters.values()
    return [item.name for item in parameters if item.kind in _NAMED and item.default is Parameter.empty]


def _describe(observer: Any) -> str:
    return str(observer) if isinstance(observer, Observer) else f"observer {type(observer).__name__}"
