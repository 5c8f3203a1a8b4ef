"""Control flow: conditions, recovery from errors, and the root of every execution.

These are scheduler tasks. They get their arguments unevaluated and decide what is evaluated, and when.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, cast

from redun.errors import SchedulerError, StoppedCallError
from redun.expression import QuotedExpression, SchedulerExpression, ValueExpression, add_upstreams
from redun.hashing import hash_eval
from redun.options import CacheScope
from redun.promise import Promise
from redun.registry import get_task_registry
from redun.task import scheduler_task, task
from redun.traceback import safe_repr
from redun.values.nested import iter_nested_value, map_nested_value

if TYPE_CHECKING:
    from redun._signatures import ApplyTags, Catch, CatchAll, Cond
    from redun.scheduler import Scheduler
    from redun.scheduler.job import Job


_KEEP_GOING = "keep-going"


@task(namespace="redun", version="1", compat=["d2fb66af6183efcf1b55b176d1e94b48b56f10b8"])
def root_task(expr: QuotedExpression[Any]) -> Any:
    """Evaluate a quoted expression; the root job of an execution whose expression is no plain call."""
    return expr.eval()


@cast("Callable[[Any], Cond]", scheduler_task(namespace="redun"))
def cond(
    scheduler: Scheduler,
    parent_job: Job,
    sexpr: SchedulerExpression[Any],
    cond_expr: Any,
    then_expr: Any,
    *rest: Any,
) -> Promise[Any]:
    """Choose by conditions: ``cond(c1, value1, c2, value2, ..., otherwise)``.

    Conditions are evaluated in order up to the first that is true; only the value that goes with it is evaluated, or
    the last one, if no condition is true.

    Raises
    ------
    IndexError
        When no condition is true and there is no last value.

    Examples
    --------
    >>> from redun import Scheduler
    >>> Scheduler().run(cond(ValueExpression(1) > 2, "more", "less"))
    'less'
    """
    choices = [cond_expr, then_expr, *rest]

    def choose(index: int) -> Promise[Any]:
        if index == len(choices):
            raise IndexError("cond() has no value left: no condition is true, and there is no last value")
        if index == len(choices) - 1:
            return take(choices[index])

        def follow(truth: Any) -> Promise[Any]:
            return take(choices[index + 1]) if truth else choose(index + 2)

        add_upstreams(sexpr, choices[index])
        return scheduler.evaluate(choices[index], parent_job).then(follow)

    def take(value: Any) -> Promise[Any]:
        add_upstreams(sexpr, value)
        return scheduler.evaluate(value, parent_job)

    return choose(0)


@cast("Callable[[Any], Catch]", scheduler_task(namespace="redun"))
def catch(
    scheduler: Scheduler, parent_job: Job, sexpr: SchedulerExpression[Any], expr: Any, *catch_args: Any
) -> Promise[Any]:
    """Recover from errors: ``catch(expr, Error1, recover1, Error2, recover2, ...)``.

    When evaluating `expr` fails, the first class (or tuple of classes) that the error is an instance of decides: its
    recovery, a task or function, is called with the error, and the result is evaluated in place of `expr`. An error
    that matches nothing is raised on.

    What it came to, `expr` or the recovery, is recorded. From then on, a call that failed is not tried again while its
    task and its arguments are as they were; everything else is answered from the cache as usual.

    Examples
    --------
    >>> from redun import Scheduler, task
    >>> @task(version="1")
    ... def divide(a, b):
    ...     return a / b
    >>> @task(version="1")
    ... def explain(error):
    ...     return str(error)
    >>> Scheduler().run(catch(divide(1, 0), ZeroDivisionError, explain))
    'division by zero'
    """
    if len(catch_args) % 2:
        raise SchedulerError("catch() takes pairs of an error class and a recovery after the expression")
    recoveries = list(zip(catch_args[::2], catch_args[1::2], strict=True))
    called = get_task_registry().get(sexpr.task_name)
    assert called is not None
    eval_hash = hash_eval(called.hash, sexpr.encode_arguments().args_hash)
    scope = sexpr.task_options.get("cache_scope") or parent_job.get_option("cache_scope")

    def evaluate(was_recorded: bool) -> Promise[Any]:
        def keep(value: Any) -> Any:
            scheduler.record_evaluation(sexpr, parent_job, eval_hash, expr)
            add_upstreams(sexpr, expr)
            return value

        return scheduler.evaluate(expr, parent_job, replays_errors=was_recorded).then(keep, recover)

    def recover(error: BaseException) -> Promise[Any]:
        if isinstance(error, StoppedCallError):
            raise error
        for classes, recovery in recoveries:
            if _is_one_of(error, classes, recovery, "catch"):
                scheduler.forget_failure(error)
                failure = ValueExpression(error)
                add_upstreams(failure, expr)
                return evaluate_recovery(recovery(failure))
        raise error

    def evaluate_recovery(recovered: Any) -> Promise[Any]:
        def keep(value: Any) -> Any:
            scheduler.record_evaluation(sexpr, parent_job, eval_hash, recovered)
            add_upstreams(sexpr, recovered)
            return value

        return scheduler.evaluate(recovered, parent_job).then(keep)

    if scope is CacheScope.NONE:
        return evaluate(False)
    return scheduler.look_up(eval_hash).then(
        lambda found: evaluate(found is not None and found.is_readable and found.is_valid)
    )


@cast("Callable[[Any], CatchAll]", scheduler_task(namespace="redun"))
def catch_all(
    scheduler: Scheduler,
    parent_job: Job,
    sexpr: SchedulerExpression[Any],
    exprs: Any,
    error_class: Any = None,
    recover: Any = None,
    *,
    on_error: str = _KEEP_GOING,
) -> Promise[Any]:
    """Evaluate every expression in a nested value to its end, and recover from the errors of some.

    Without errors, the result is the evaluated value. Otherwise, with a recovery, it is what ``recover`` makes of the
    value with errors in the places of the results that are missing, provided that each error is an instance of
    `error_class`; else the first error that is not is raised.

    Parameters
    ----------
    exprs
        The nested value.
    error_class
        A class of errors, or a tuple of classes; by default all. It may be an expression.
    recover
        A task or function of one argument. It may be an expression.
    on_error
        What the first expression that fails means for the calls below the others. ``"keep-going"``: nothing, whatever
        happens to the rest of the execution. ``"drain"``: no call starts any more; those that run are waited for.
        ``"stop"``: those that run are stopped, too. Missing results are `redun.errors.StoppedCallError` then, which
        `error_class` need not name. A call that is needed elsewhere as well goes on.

    Examples
    --------
    >>> from redun import Scheduler, task
    >>> @task(version="1")
    ... def divide(a, b):
    ...     return a / b
    >>> @task(version="1")
    ... def count(values):
    ...     return sum(isinstance(value, Exception) for value in values)
    >>> Scheduler().run(catch_all([divide(1, 0), divide(1, 1)], ZeroDivisionError, count))
    1
    """
    leaves = list(iter_nested_value(exprs))
    promises, all_ended = scheduler.evaluate_all(leaves, parent_job, on_error)
    add_upstreams(sexpr, *leaves)

    def finish(values: Any) -> Any:
        (classes, recovery), _ = values
        errors = [promise.error for promise in promises if promise.is_rejected]
        failures = [error for error in errors if not isinstance(error, StoppedCallError)]
        if len(failures) < len(errors) and (on_error == _KEEP_GOING or not failures):
            raise next(error for error in errors if isinstance(error, StoppedCallError))  # From further up.
        for error in failures:
            if recovery is None or not _is_one_of(error, classes or Exception, recovery, "catch_all"):
                raise error
        for error in errors:
            scheduler.forget_failure(error)
        results = {id(leaf): promise.value for leaf, promise in zip(leaves, promises, strict=True)}
        settled = map_nested_value(lambda leaf: results[id(leaf)], exprs)
        return scheduler.evaluate(recovery(settled), parent_job) if errors else settled

    return Promise.all([scheduler.evaluate([error_class, recover], parent_job), all_ended]).then(finish)


def _is_one_of(error: BaseException, classes: Any, recovery: Any, caller: str) -> bool:
    """Whether an error is to be recovered from; what can't tell, or can't recover, is refused with a sentence."""
    try:
        is_one = isinstance(error, classes)
    except TypeError:
        raise TypeError(f"{caller}() recovers from classes of errors, not from {safe_repr(classes)}") from error
    if is_one and not callable(recovery):
        raise TypeError(f"{caller}() recovers with a task or a function, not with {safe_repr(recovery)}") from error
    return is_one


@task(namespace="redun", version="1")
def throw(error: BaseException) -> Any:
    """Raise an error, lazily: the expression fails with it when it is evaluated.

    Examples
    --------
    >>> from redun import Scheduler, catch, cond
    >>> Scheduler().run(cond(True, "fine", throw(ValueError("never mind"))))
    'fine'
    """
    raise error


@cast("Callable[[Any], ApplyTags]", scheduler_task(namespace="redun"))
def apply_tags(
    scheduler: Scheduler,
    parent_job: Job,
    sexpr: SchedulerExpression[Any],
    value: Any,
    tags: Any = (),
    job_tags: Any = (),
    execution_tags: Any = (),
) -> Promise[Any]:
    """Return a value, and record tags: on the value, on the job that this is used in, and on the execution.

    Parameters
    ----------
    value
        Any value or expression.
    tags, job_tags, execution_tags
        Pairs of a key and a JSON value, or expressions of them.

    Examples
    --------
    >>> from redun import Scheduler
    >>> Scheduler().run(apply_tags(10, tags=[("step", "first")]))
    10
    """
    add_upstreams(sexpr, value)

    def record(settled: Any) -> Any:
        found, on_value, on_job, on_execution = settled
        scheduler.record_tags(found, parent_job, on_value, on_job, on_execution)
        return found

    return scheduler.evaluate((value, tags, job_tags, execution_tags), parent_job).then(record)


def with_export_options(quoted: QuotedExpression[Any], options: Mapping[str, Any]) -> Any:
    """Return the value of a quoted expression, evaluated with options that hold for every job in it.

    Examples
    --------
    >>> from redun import Scheduler, task
    >>> from redun.expression import quote
    >>> @task(version="1")
    ... def double(x):
    ...     return 2 * x
    >>> Scheduler().run(with_export_options(quote(double(21)), {"memory": 8}))
    42
    """
    return _evaluate_quoted.export_options(**options)(quoted)


@task(namespace="redun", name="with_export_options", version="1", check_valid="shallow")
def _evaluate_quoted(expr: QuotedExpression[Any]) -> Any:
    """Evaluate a quoted expression; its options are what matters."""
    return expr.eval()
