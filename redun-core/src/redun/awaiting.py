"""Awaiting expressions inside async tasks.

A coroutine function that the scheduler runs finds in a context variable how to evaluate an expression: a function that
returns the future of its value. Awaiting an expression waits for that future, and the event loop goes on meanwhile.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from concurrent.futures import Future
from contextvars import ContextVar
from functools import wraps
from typing import Any, TypeVar, cast

R = TypeVar("R")

Evaluate = Callable[[Any], "Future[Any]"]

_evaluate: ContextVar[Evaluate] = ContextVar("redun_evaluate")


def awaitable(expression: R) -> Awaitable[R]:
    """Return an expression as it is; for type checkers, which take it for its value, it is what can be awaited.

    Examples
    --------
    >>> from redun import Scheduler, task
    >>> @task(version="1")
    ... def double(x: int) -> int:
    ...     return 2 * x
    >>> @task(version="1")
    ... async def main() -> int:
    ...     return await awaitable(double(20)) + 2
    >>> Scheduler().run(main())
    42
    """
    return cast("Awaitable[R]", expression)


def bind_evaluator(func: Callable[..., Any], evaluate: Evaluate) -> Callable[..., Any]:
    """Return a coroutine function that runs another one, in which expressions can be awaited.

    Parameters
    ----------
    func
        The coroutine function.
    evaluate
        Returns the future of an expression's value. It is called on the event loop's thread.
    """

    @wraps(func)
    async def run(*args: Any, **kwargs: Any) -> Any:
        token = _evaluate.set(evaluate)
        try:
            return await func(*args, **kwargs)
        finally:
            _evaluate.reset(token)

    return run


def await_expression(expression: Any) -> Generator[Any, None, Any]:
    """Return the iterator that an event loop drives until the value of an expression is known.

    Raises
    ------
    RuntimeError
        When no async task of a scheduler is running here.
    """
    from asyncio import wrap_future

    try:
        evaluate = _evaluate.get()
    except LookupError:
        raise RuntimeError(
            f"{expression!r} can be awaited only inside an async task; elsewhere, pass it to Scheduler.run"
        ) from None
    return wrap_future(evaluate(expression)).__await__()
