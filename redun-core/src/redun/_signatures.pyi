"""What type checkers know of tasks whose signatures ``@scheduler_task`` and ``@task`` can't tell.

There is no module of this name when programs run. An expression has the type of the value that it stands for.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, ParamSpec, Protocol, TypeVar, overload

from redun.task_value import SchedulerTask, Task
from redun.threads import Thread

A = TypeVar("A")
E = TypeVar("E", bound=BaseException)
E2 = TypeVar("E2", bound=BaseException)
P = ParamSpec("P")
R = TypeVar("R")
S = TypeVar("S")
T = TypeVar("T")
U = TypeVar("U")

_Tags = Iterable[tuple[str, Any]]

class TaskWrapper(Protocol):
    """What `wraps_task` makes: the task that comes out has the signature of what goes in."""

    def __call__(self, decorated: Callable[P, R], /) -> Task[P, R]: ...

class Cond(SchedulerTask[..., Any]):
    """``cond(c1, v1, c2, v2, ..., otherwise)``."""

    @overload
    def __call__(self, condition: Any, then: T, /) -> T: ...
    @overload
    def __call__(self, condition: Any, then: T, otherwise: S, /) -> T | S: ...
    @overload
    def __call__(self, condition: Any, then: T, condition2: Any, then2: S, otherwise: U, /) -> T | S | U: ...
    @overload
    def __call__(self, condition: Any, then: Any, condition2: Any, then2: Any, /, *rest: Any) -> Any: ...

class Catch(SchedulerTask[..., Any]):
    """``catch(expr, Error1, recover1, Error2, recover2, ...)``."""

    @overload
    def __call__(self, expr: T, /) -> T: ...
    @overload
    def __call__(self, expr: T, error: type[E] | tuple[type[E], ...], recover: Callable[[E], S], /) -> T | S: ...
    @overload
    def __call__(
        self,
        expr: T,
        error: type[E] | tuple[type[E], ...],
        recover: Callable[[E], S],
        error2: type[E2] | tuple[type[E2], ...],
        recover2: Callable[[E2], U],
        /,
    ) -> T | S | U: ...
    @overload
    def __call__(
        self,
        expr: Any,
        error: Any,
        recover: Callable[[Any], Any],
        error2: Any,
        recover2: Callable[[Any], Any],
        error3: Any,
        recover3: Callable[[Any], Any],
        /,
        *rest: Any,
    ) -> Any: ...

class CatchAll(SchedulerTask[..., Any]):
    """``catch_all(exprs, error_class, recover)``."""

    @overload
    def __call__(self, exprs: T, *, on_error: str = ...) -> T: ...
    @overload
    def __call__(self, exprs: T, error_class: Any, recover: Callable[[Any], S], *, on_error: str = ...) -> T | S: ...

class ApplyTags(SchedulerTask[..., Any]):
    """``apply_tags(value, tags)``."""

    def __call__(self, value: T, tags: _Tags = ..., job_tags: _Tags = ..., execution_tags: _Tags = ...) -> T: ...

class Map(SchedulerTask[..., Any]):
    """``map_(task, values)``."""

    def __call__(self, a_task: Callable[[A], T], values: Iterable[A]) -> list[T]: ...

class Seq(SchedulerTask[..., Any]):
    """``seq(exprs)``."""

    def __call__(self, exprs: Sequence[T]) -> list[T]: ...

class MergeHandles(SchedulerTask[..., Any]):
    """``merge_handles(handles)``."""

    def __call__(self, handles: Sequence[T]) -> T: ...

class GetContext(SchedulerTask[..., Any]):
    """``get_context(path, default)``."""

    def __call__(self, var_path: str, default: Any = ...) -> Any: ...

class ForkThread(SchedulerTask[..., Any]):
    """``fork_thread(expr)``."""

    def __call__(self, expr: Any) -> Thread: ...

class JoinThread(SchedulerTask[..., Any]):
    """``join_thread(thread)``."""

    def __call__(self, thread: Thread) -> Any: ...
