"""Functions of Python for columns of Spark, written where tasks are: in modules, without a session.

What a task's cache key covers is the task's own source. A function for columns is covered when the task names it among
its ``hash_includes``; a task that uses one without is warned about.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import update_wrapper
from importlib import import_module
from operator import attrgetter
from typing import Any, overload

from redun.errors import InvalidValueError
from redun.executors.base import Call
from redun.hashing import hash_struct
from redun.logging import logger
from redun.registry import get_task_registry
from redun.source import get_func_source
from redun.values.base import Value

_watching: ContextVar[set[SparkFunction] | None] = ContextVar("redun_spark_functions", default=None)


class SparkFunction(Value):
    """A function for columns, identified by its source and what it returns.

    Attributes
    ----------
    func : callable
        The function of Python.
    return_type
        What it returns: a DDL string or a data type of Spark.
    """

    type_name = "redun_executor_spark.SparkFunction"

    def __init__(self, func: Callable[..., Any], return_type: Any = None) -> None:
        self.func = func
        self.return_type = _infer_type(func) if return_type is None else return_type
        update_wrapper(self, func)

    def __call__(self, *columns: Any) -> Any:
        """Return the column of what the function makes of the rows of other columns."""
        used = _watching.get()
        if used is not None:
            used.add(self)
        return self.make()(*columns)

    def make(self) -> Any:
        """Return the function as Spark has it, for the session that is active."""
        from redun_executor_spark.current import get_spark_session

        session = get_spark_session()
        if "connect" in type(session).__module__:
            from pyspark.sql.connect.functions import udf as make
        else:
            from pyspark.sql.functions import udf as make
        uses_arrow = session.conf.get("spark.sql.execution.pythonUDF.arrow.enabled", "false") == "true"
        return make(
            self.func, self.return_type, useArrow=uses_arrow
        )  # Given, so that Spark does not guess it of hints.

    def get_hash(self, data: bytes | None = None) -> str:
        return hash_struct(["SparkFunction", get_func_source(self.func), str(self.return_type)])

    def __getstate__(self) -> dict[str, Any]:
        return {"module": self.func.__module__, "name": self.func.__qualname__, "hash": self.get_hash()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        try:
            found = attrgetter(state["name"])(import_module(state["module"]))
        except (ImportError, AttributeError) as error:
            raise InvalidValueError(f"the function for columns {state['name']} can't be found: {error}") from error
        if not isinstance(found, SparkFunction) or found.get_hash() != state["hash"]:
            raise InvalidValueError(f"the function for columns {state['module']}.{state['name']} is another one now")
        SparkFunction.__init__(self, found.func, found.return_type)


@overload
def udf(func: Callable[..., Any], return_type: Any = None) -> SparkFunction: ...


@overload
def udf(func: None = None, return_type: Any = None) -> Callable[[Callable[..., Any]], SparkFunction]: ...


def udf(func: Callable[..., Any] | None = None, return_type: Any = None) -> Any:
    """Turn a function into one for columns of Spark; a decorator, with or without arguments.

    Parameters
    ----------
    func
        The function, of values of one row.
    return_type
        What it returns, as Spark writes it (``"array<string>"``) or as one of its data types. Default is what its
        annotation says, if that is one of int, float, str, bool and bytes, otherwise a string.

    Examples
    --------
    >>> @udf
    ... def count_letters(word: str) -> int:
    ...     return len(word)
    >>> count_letters.return_type, count_letters.func("four")
    ('bigint', 4)
    """
    if func is None:
        return lambda decorated: SparkFunction(decorated, return_type)
    return SparkFunction(func, return_type)


@contextmanager
def watching_functions(call: Call) -> Iterator[None]:
    """Warn about functions for columns that a call uses in this block and its task's hash does not cover."""
    used: set[SparkFunction] = set()
    token = _watching.set(used)
    try:
        yield
    finally:
        _watching.reset(token)
        if used:
            _warn(call, used)


def _warn(call: Call, used: set[SparkFunction]) -> None:
    task = get_task_registry().get(call.task_name)
    if task is None:
        return
    covered = {getattr(item, "func", item) for item in task.hash_includes if callable(item)}
    missing = sorted(function.func.__name__ for function in used if function.func not in covered)
    if missing:
        logger.warning(
            "task %s uses %s, and would not run again when that is changed: add hash_includes=[%s] to the task",
            call.task_name,
            " and ".join(missing),
            ", ".join(missing),
        )


_TYPES = {"int": "bigint", "float": "double", "str": "string", "bool": "boolean", "bytes": "binary"}


def _infer_type(func: Callable[..., Any]) -> str:
    annotation = inspect.signature(func).return_annotation
    return _TYPES.get(getattr(annotation, "__name__", annotation), "string")
