"""Reducing expressions to the calls that have to be made, without recursion.

Evaluating a value finds the expressions in it and reduces each of them under the job whose result it was found in.
Equal expressions under one job are reduced once. What is to be reduced next lies on a stack, so that expressions are
expanded depth first and from left to right, whatever their depth; results come back through promises, whose callbacks
run from a queue. A task expression becomes a job at once, before its arguments are reduced, and is *ready* when they
are.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from redun.arguments import add_defaults
from redun.errors import SchedulerError, UnknownTaskError
from redun.expression import (
    ApplyExpression,
    Expression,
    SchedulerExpression,
    SimpleExpression,
    TaskExpression,
    ValueExpression,
)
from redun.ids import new_id
from redun.operators import get_lazy_operation
from redun.promise import Promise
from redun.registry import get_task_registry
from redun.scheduler.gather import JobGathering, ValueGathering
from redun.scheduler.group import find_problem
from redun.scheduler.job import Execution, Job, JobStatus, Outcome
from redun.scheduler.job_env import JobEnv
from redun.scheduler.scope import Reduction
from redun.scheduler.settings import OnError
from redun.scheduler.status import StatusBoard
from redun.traceback import safe_repr
from redun.values.nested import find_leaves

if TYPE_CHECKING:
    from redun.scheduler import Scheduler

_Steps = tuple[list[Reduction], Job | JobEnv]
"""Expressions that are still to be expanded under a job, the last of them first."""


class Evaluator:
    """Turns the expressions of one execution into jobs that are ready to be decided on.

    Parameters
    ----------
    scheduler
        What scheduler tasks are called with.
    execution
        The execution that jobs belong to.
    board
        Counts the jobs.
    note_failed
        Called with the error that an expression fails with by itself, without a call below it, and the expression.
    on_error
        With ``keep-going``, what needs several results fails when all of them are settled, not at the first error.

    Attributes
    ----------
    ready : deque of Job
        Jobs whose arguments are known, first come first served.
    refuse : Callable
        Called with a job whose call can't be made, and why.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        execution: Execution,
        board: StatusBoard,
        note_failed: Callable[[BaseException, Expression[Any]], None],
        on_error: OnError,
    ) -> None:
        self._scheduler = scheduler
        self._waits_for_all = on_error is OnError.KEEP_GOING
        self._note_failed = note_failed
        self._execution = execution
        self._board = board
        self._tasks = get_task_registry()
        self._stack: list[_Steps] = []
        self.ready: deque[Job] = deque()
        self.refuse: Callable[[Job, BaseException], None] = self.abandon

    def evaluate(self, value: Any, parent_job: Job | JobEnv) -> Promise[Any]:
        """Return the promise of a nested value with every expression in it reduced.

        Parameters
        ----------
        value
            Any value.
        parent_job
            The job under which its expressions are reduced.
        """
        leaves = find_expressions(value)
        promise: Promise[Any] = Promise()
        if not leaves:
            promise.do_resolve(value)
            return promise
        promises = self._reduce_all(leaves, parent_job)
        if leaves[0] is value:
            return promises[0]
        ValueGathering(leaves, promises, self._waits_for_all, value, promise)
        return promise

    def evaluate_each(self, values: Sequence[Any], parent_job: Job | JobEnv) -> Sequence[Promise[Any]]:
        """Return the promises of several values, which are reduced apart, such that the first is expanded first."""
        return [self.evaluate(value, parent_job) for value in reversed(values)][::-1]

    def expand(self, max_ready: int) -> bool:
        """Expand expressions until none is left or enough jobs are ready; return whether anything was done."""
        stack, ready = self._stack, self.ready
        if not stack or len(ready) >= max_ready:
            return False
        while stack and len(ready) < max_ready:
            steps, parent_job = stack[-1]
            reduction = steps.pop()
            if not steps:
                stack.pop()
            expression = reduction.expression
            _EXPANSIONS[type(expression)](self, expression, parent_job, reduction)
        return True

    @property
    def is_busy(self) -> bool:
        """Whether expressions are to be expanded, or jobs to be decided on."""
        return bool(self._stack or self.ready)

    def give_up(self) -> None:
        """Forget everything that has not begun."""
        self._stack.clear()
        self.ready.clear()

    def check_ready(self) -> None:
        """Let ready jobs fail that may not start any more."""
        jobs = list(self.ready)
        self.ready.clear()
        for job in jobs:
            self.make_ready(job, job.options)

    def begin_call(
        self, expression: TaskExpression[Any], parent_job: Job | JobEnv | None, promise: Promise[Any]
    ) -> None:
        """Make the job for a task expression, which is ready as soon as its options and arguments are known."""
        task = self._tasks.get(expression.task_name)
        if task is None:
            promise.do_reject(UnknownTaskError(_describe_unknown("Task", expression)))
            return
        context = self._execution.context if parent_job is None else parent_job.context
        parent = parent_job.job if isinstance(parent_job, JobEnv) else parent_job
        job = Job(new_id(), task, expression, parent, self._execution, promise, context)
        if parent_job is not None:
            job.replays_errors, job.group = parent_job.replays_errors, parent_job.group
            parent_job.open_scope().children.append(job)
        self._board.add(job)
        options = job.merge_options()
        if task.defaults:
            job.kwargs = add_defaults(task.defaults, job.args, job.kwargs)
        is_plain = task.is_plain and job.context is context
        leaves = expression.argument_leaves if is_plain else find_leaves([job.args, job.kwargs, options])
        pending = [leaf for leaf in leaves if isinstance(leaf, Expression)] if leaves else leaves
        if pending and parent_job is not None:
            promises = self._reduce_inputs(pending, job, parent_job)
            JobGathering(pending, promises, self._waits_for_all, self, job, options)
        else:
            self.make_ready(job, options)

    def _reduce_inputs(
        self, pending: Sequence[Expression[Any]], job: Job, parent_job: Job | JobEnv
    ) -> Sequence[Promise[Any]]:
        """Begin to reduce arguments in the context they were written in, defaults and options in the job's own."""
        if job.context is parent_job.context or job.parent_job is None:
            return self._reduce_all(pending, parent_job)
        written = {id(leaf) for leaf in find_leaves([job.expr.args, job.expr.kwargs])}
        inner = [leaf for leaf in pending if id(leaf) not in written]
        outer = [leaf for leaf in pending if id(leaf) in written]
        own_env = JobEnv(job.parent_job, job.context, parent_job.replays_errors, parent_job.group)
        promises = dict(zip(map(id, inner), self._reduce_all(inner, own_env), strict=True))
        promises.update(zip(map(id, outer), self._reduce_all(outer, parent_job), strict=True))
        return [promises[id(leaf)] for leaf in pending]

    def make_ready(self, job: Job, options: Mapping[str, Any]) -> None:
        """Let a job be decided on, unless it may not start any more; its arguments and options are known."""
        if job.group is not None and (problem := find_problem(job)) is not None:
            self.abandon(job, problem)
            return
        try:
            job.set_options(options)
        except Exception as error:
            self.refuse(job, error)
        else:
            self.ready.append(job)

    def abandon(self, job: Job, error: BaseException) -> None:
        """Let a job fail whose arguments or options could not be had."""
        self._board.move(job, JobStatus.FAILED)
        job.end(Outcome(None, error, "", frozenset()))

    def _reduce_all(self, expressions: Sequence[Expression[Any]], parent_job: Job | JobEnv) -> Sequence[Promise[Any]]:
        """Begin to reduce expressions, such that the first is expanded first."""
        evaluated = parent_job.open_scope().evaluated
        steps: list[Reduction] = []
        promises: list[Promise[Any]] = []
        for expression in expressions:
            promise: Promise[Any]
            if isinstance(expression, ApplyExpression):
                promise = reduction = Reduction(expression)
                try:
                    known = evaluated.setdefault(expression.get_key(), reduction)
                except Exception as error:  # An argument can't be stored: the call fails, the workflow may catch it.
                    promise.do_reject(error)
                else:
                    if known is reduction:
                        steps.append(reduction)
                    promise = known
            else:
                promise = Promise()
                promise.do_resolve(expression.value if isinstance(expression, ValueExpression) else expression)
            promises.append(promise)
        if steps:
            steps.reverse()
            self._stack.append((steps, parent_job))
        return promises

    def _expand_scheduler_task(
        self, expression: SchedulerExpression[Any], parent_job: Job | JobEnv, promise: Promise[Any]
    ) -> None:
        task = self._tasks.get(expression.task_name)
        if task is None:
            promise.do_reject(UnknownTaskError(_describe_unknown("Scheduler task", expression)))
            return
        try:
            result = task.func(self._scheduler, parent_job, expression, *expression.args, **expression.kwargs)
        except Exception as error:
            self._note_failed(error, expression)
            promise.do_reject(error)
            return
        if isinstance(result, Promise):
            promise.do_resolve(result)
        else:
            text = f"scheduler task {task.fullname} returned {safe_repr(result)}, which is no promise; return "
            promise.do_reject(SchedulerError(f"{text}scheduler.evaluate(value, parent_job), for example"))

    def _expand_simple(
        self, expression: SimpleExpression[Any], parent_job: Job | JobEnv, promise: Promise[Any]
    ) -> None:
        def apply(operands: Promise[Any]) -> None:
            if operands.is_rejected:
                promise.do_reject(operands.error)
                return
            args, kwargs = operands.value
            try:
                value = get_lazy_operation(expression.func_name).func(*args, **kwargs)
            except Exception as error:
                self._note_failed(error, expression)
                promise.do_reject(error)
            else:
                promise.do_resolve(self.evaluate(value, parent_job))

        self.evaluate((expression.args, expression.kwargs), parent_job).watch(apply)


_EXPANSIONS: dict[type, Callable[..., None]] = {
    TaskExpression: Evaluator.begin_call,
    SchedulerExpression: Evaluator._expand_scheduler_task,
    SimpleExpression: Evaluator._expand_simple,
}


def _describe_unknown(kind: str, expression: TaskExpression[Any]) -> str:
    return f"{kind} '{expression.task_name}' does not exist; the module that defines it has to be imported"


def find_expressions(value: Any) -> Sequence[Expression[Any]]:
    """Return the expressions in a nested value, in order; quoted ones are data."""
    leaves = find_leaves(value)
    return [leaf for leaf in leaves if isinstance(leaf, Expression)] if leaves else ()


def find_upstream_calls(value: Any, parent_job: Job) -> Sequence[str]:
    """Return the addresses of the calls whose results an unreduced value is made of, each once, in order.

    Parameters
    ----------
    value
        An argument as it was written, with expressions in it.
    parent_job
        The job under which those expressions were reduced.
    """
    leaves = find_expressions(value)
    if not leaves:
        return ()
    evaluated = parent_job.scope.evaluated if parent_job.scope is not None else {}
    found: dict[str, None] = {}
    visited: set[int] = set()
    stack = list(reversed(leaves))
    while stack:
        expression = stack.pop()
        if id(expression) in visited:
            continue
        visited.add(id(expression))
        if isinstance(expression, ApplyExpression):
            known = evaluated.get(expression.get_key())
            reduced = known.expression if known is not None else expression
            if isinstance(reduced, TaskExpression) and not isinstance(reduced, SchedulerExpression):
                if reduced.call_hash is not None:
                    found[reduced.call_hash] = None
                continue
            stack.extend(reversed(reduced._upstreams))
            if isinstance(reduced, SimpleExpression):
                stack.extend(leaf for leaf in reversed(reduced.argument_leaves) if isinstance(leaf, Expression))
        elif isinstance(expression, ValueExpression):
            stack.extend(reversed(expression._upstreams))
    return list(found)
