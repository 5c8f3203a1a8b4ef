"""Jobs: one call of a task within one execution, from the expression to the recorded result.

A job is *pending* until its arguments are known, *running* until its result is, and ends as *done*, *cached* or
*failed*. What a phase needs is given up when the phase ends: the encoded arguments while the call is decided on and
runs, the `Scope` of expressions reduced under the job until it is resolved; the `Outcome` stays.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from enum import IntEnum
from typing import TYPE_CHECKING, Any, NamedTuple

from redun.arguments import EncodedArguments, encode_values, find_argument_leaves
from redun.context import EMPTY_CONTEXT, Context
from redun.executors.base import Origin
from redun.hashing import hash_eval
from redun.options import CONTEXT_OPTION, EMPTY_OPTIONS, merge_options, settle_options
from redun.promise import Promise
from redun.scheduler.job_info import JobInfo, find_job_infos
from redun.scheduler.scope import Scope
from redun.values.external import NOTHING_WATCHED, watch_arguments
from redun.values.registry import get_type_registry

if TYPE_CHECKING:
    from redun.expression import TaskExpression
    from redun.scheduler.group import CallGroup
    from redun.scheduler.handles import HandleStates
    from redun.scheduler.observers import Progress
    from redun.task import Task


_NOBODY: frozenset[int | str] = frozenset()


class JobStatus(IntEnum):
    """The phases of a job."""

    PENDING = 0
    RUNNING = 1
    FAILED = 2
    CACHED = 3
    DONE = 4


class Execution:
    """One run of a workflow.

    Attributes
    ----------
    id : str
        A UUID.
    args : Sequence[str]
        The command that started it.
    context : Context
        The context of its root job.
    tags : Sequence of pairs
        Keys and values to find it by.
    job : Job or None
        The root job, once it exists.
    parent_job_id : str or None
        The recorded job under which the root job is; None for an execution of its own.
    handles : HandleStates or None
        What is known of handles, once it runs.
    progress : Progress or None
        How far it is, once it runs.
    origin : Origin
        What executors know of it; once it runs, they can tell of it, too.
    """

    __slots__ = ("args", "context", "handles", "id", "job", "origin", "parent_job_id", "progress", "tags")

    def __init__(
        self,
        id: str,
        args: Sequence[str],
        context: Context = EMPTY_CONTEXT,
        tags: Sequence[tuple[str, Any]] = (),
        parent_job_id: str | None = None,
        excluded_users: Collection[str] = (),
    ) -> None:
        self.id = id
        self.args = args
        self.context = context
        self.tags = tags
        self.job: Job | None = None
        self.parent_job_id = parent_job_id
        self.handles: HandleStates | None = None
        self.progress: Progress | None = None
        self.origin = Origin(id, excluded_users=excluded_users)

    @property
    def shared_as(self) -> str:
        """The name under which it takes part in a store; what goes on elsewhere takes part on its own."""
        return self.parent_job_id or self.id

    def __repr__(self) -> str:
        return f"Execution(id={self.id[:8]}, args={' '.join(self.args[1:])!r})"


class Outcome(NamedTuple):
    """What a finished job leaves behind for the jobs around it: a value or an error, and the call it came to.

    A job that failed before its call could be addressed has an empty `call_hash`. A call without provenance is not in
    the store, but counts in the address of the call above it.
    """

    value: Any
    error: BaseException | None
    call_hash: str
    subtree: frozenset[str]
    has_provenance: bool = True


class Job:
    """A call of a task within an execution.

    Attributes
    ----------
    id : str
        A UUID.
    task : Task
        The task.
    expr : TaskExpression
        The expression that the job reduces.
    parent_job : Job or None
        The job whose result the expression was found in.
    execution : Execution
        The execution that the job belongs to.
    promise : Promise
        The promise of the final result.
    status : JobStatus
        The phase that the job is in.
    children : list of Job
        The jobs made under this one, in the order of their expressions; given up when the job ends.
    options, exported : Mapping
        The options that hold for the job, and those of them that jobs below it inherit.
    context : Context
        The values that the job and those below it can look up.
    replays_errors : bool
        Whether the call may be answered by a recorded error.
    group : CallGroup or None
        The group of calls with which this one ends.
    has_provenance : bool
        Whether the job is recorded; option ``prov`` says so, for it and all jobs below.
    args, kwargs
        The arguments: as written at first, then as the task receives them; given up when the job ends.
    encoded : EncodedArguments or None
        The encoded arguments, from when they are known to the end of the job.
    eval_hash : str
        The address of the task applied to the arguments, once they are known: the key in the cache.
    start_time, end_time, is_recorded
        When the job began and ended, in seconds since the epoch, and whether the store knows of it.
    scope : Scope or None
        What is reduced under the job, while its result is being reduced.
    reason : str
        Why the call was not answered from the cache, if it was not.
    watched, has_drifted
        The external values among the arguments, in their states before the call, and whether one changed during it.
    told_apart : sequence of str
        The addresses of recorded calls that don't answer this one because either has a context and the other none.
    outcome : Outcome or None
        The result, once it is known.
    """

    __slots__ = (
        "args",
        "context",
        "encoded",
        "end_time",
        "eval_hash",
        "execution",
        "exported",
        "expr",
        "group",
        "has_drifted",
        "has_provenance",
        "id",
        "is_recorded",
        "kwargs",
        "options",
        "outcome",
        "parent_job",
        "promise",
        "reason",
        "replays_errors",
        "scope",
        "start_time",
        "status",
        "task",
        "told_apart",
        "watched",
    )

    def __init__(
        self,
        id: str,
        task: Task[..., Any],
        expr: TaskExpression[Any],
        parent_job: Job | None,
        execution: Execution,
        promise: Promise[Any],
        context: Context = EMPTY_CONTEXT,
    ) -> None:
        self.id = id
        self.task = task
        self.expr = expr
        self.parent_job = parent_job
        self.execution = execution
        self.promise = promise
        self.status = JobStatus.PENDING
        self.context = context
        self.has_provenance = True
        self.replays_errors = False
        self.group: CallGroup | None = None
        self.options: Mapping[str, Any] = EMPTY_OPTIONS
        self.exported: Mapping[str, Any] = EMPTY_OPTIONS
        self.args: Sequence[Any] = expr.args
        self.kwargs: Mapping[str, Any] = expr.kwargs
        self.encoded: EncodedArguments | None = None
        self.eval_hash = ""
        self.outcome: Outcome | None = None
        self.start_time = 0.0
        self.end_time: float | None = None
        self.scope: Scope | None = None
        self.reason = ""
        self.watched = NOTHING_WATCHED
        self.told_apart: Sequence[str] = ()
        self.is_recorded = self.has_drifted = False

    def get_options(self) -> Mapping[str, Any]:
        """Return the options that hold for the job; not to be changed."""
        return self.options

    def get_option(self, key: str, default: Any = None) -> Any:
        """Return one of the options that hold for the job."""
        return self.options.get(key, default)

    def merge_options(self) -> Mapping[str, Any]:
        """Return the options of the definition, of the jobs above, and of the call, merged; some may be expressions.

        What they say about the context is applied to it and left out.
        """
        parent, options = self.parent_job, self.task.get_task_options()
        inherited = parent.exported if parent is not None else EMPTY_OPTIONS
        if inherited or self.expr.task_options:
            options = merge_options(options, inherited, self.expr.task_options)
        if options and CONTEXT_OPTION in options:
            self.context = self.context.update(options[CONTEXT_OPTION])
            options = {name: value for name, value in options.items() if name != CONTEXT_OPTION}
        return options

    def set_options(self, options: Mapping[str, Any]) -> None:
        """Settle the job's options, and with them those that jobs below it inherit.

        Raises
        ------
        ValueError
            When an option has a value that makes no sense.
        """
        parent = self.parent_job
        if parent is not None:
            self.exported = parent.exported
            self.has_provenance = parent.has_provenance
        if options:
            if options.get("prov") is False:
                self.has_provenance = False
            self.options = options = settle_options(options, self.task.fullname)
        names = self.task.exported | self.expr.export_options
        if names:
            own = {name: options[name] for name in names if name in options}
            self.exported = merge_options(self.exported, own)

    @property
    def has_own_arguments(self) -> bool:
        """Whether the arguments are those that were written, without expressions, defaults or conversions."""
        return self.args is self.expr.args and self.kwargs is self.expr.kwargs

    def prepare(self) -> str:
        """Bring known arguments into the form that the task receives, encode and address them; return `eval_hash`.

        Raises
        ------
        InvalidValueError
            When an argument can't be stored.
        """
        expr, task = self.expr, self.task
        is_own = self.args is expr.args and self.kwargs is expr.kwargs
        excluded, asking = task.unhashed, _NOBODY
        written = expr.argument_leaves
        leaves = written if is_own else find_argument_leaves(self.args, self.kwargs)
        if leaves:
            if self.execution.handles is not None:
                self.execution.handles.fork_arguments(self, leaves)
            self.args, self.kwargs = get_type_registry().preprocess((self.args, self.kwargs), {})
            is_own = self.has_own_arguments
            asking = find_job_infos(self.args, self.kwargs)
            excluded |= asking
            self.watched = watch_arguments(find_argument_leaves(self.args, self.kwargs))
        encoded = expr.encode_arguments()
        if not is_own or excluded or (written and encoded.is_lazy):
            reusable = {
                id(value): item
                for value, item in (
                    *zip(expr.args, encoded.positional, strict=True),
                    *((expr.kwargs[key], item) for key, item in encoded.keyword.items()),
                )
                if item.type_name
            }
            encoded = encode_values(self.args, self.kwargs, reusable, excluded)
        self.encoded = encoded
        self.eval_hash = hash_eval(task.hash, encoded.args_hash)
        if asking:
            self._tell(asking, encoded.args_hash)
        return self.eval_hash

    def _tell(self, asking: frozenset[int | str], args_hash: str) -> None:
        info = JobInfo(self.execution.id, self.id, self.eval_hash, args_hash, self.options)
        self.args = tuple(info if index in asking else value for index, value in enumerate(self.args))
        self.kwargs = {name: info if name in asking else value for name, value in self.kwargs.items()}

    def open_scope(self) -> Scope:
        """Return the scope of the job, made at the first use."""
        if self.scope is None:
            self.scope = Scope()
        return self.scope

    def end(self, outcome: Outcome) -> None:
        """Give up what only unfinished jobs need, and let the result be known."""
        self.outcome = outcome
        self.expr.call_hash = outcome.call_hash or None if outcome.has_provenance else None
        self.expr.forget_arguments()
        self.encoded = self.scope = None
        self.args, self.kwargs, self.watched = (), EMPTY_OPTIONS, NOTHING_WATCHED
        if outcome.error is None:
            self.promise.fulfil(outcome.value)
        else:
            self.promise.do_reject(outcome.error)

    def __repr__(self) -> str:
        return f"Job(id={self.id[:8]}, task={self.task.fullname}, status={self.status.name})"


def list_ancestors(job: Job) -> Iterator[Job]:
    """Yield the jobs above a job, the nearest first."""
    above = job.parent_job
    while above is not None:
        yield above
        above = above.parent_job
