"""Tasks: functions whose calls are lazy, cached and recorded.

A task is registered under its full name. Calling it makes an expression that names the task; the definition is looked
up when the expression is reduced, so the newest one counts. A task is itself a value: it is passed, returned and
stored by name, and is valid as long as the definition of that name has the same hash.

The decorators that make tasks are in `redun.task`, which also is where stored pickles look for these classes.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar, cast, overload

from redun.arguments import Default, infer_length, list_defaults
from redun.coroutines import ASYNC_OPTIONS, check_async_options
from redun.expression import SchedulerExpression, TaskExpression
from redun.hashing import hash_struct
from redun.namespace import check_name, compute_namespace, join_name
from redun.options import CONTEXT_OPTION, EMPTY_OPTIONS, check_options, in_fixed_order, merge_options, normalize_options
from redun.registry import get_task_registry, undefined_task
from redun.source import read_task_source
from redun.values.base import Subtype, TaskSubtype, Value
from redun.values.nested import find_leaves
from redun.values.registry import get_type_registry

if TYPE_CHECKING:
    from redun.partial_task import PartialTask

P = ParamSpec("P")
R = TypeVar("R", covariant=True)
T = TypeVar("T")


class Task(Value, Generic[P, R]):
    """A function whose calls are expressions.

    Parameters
    ----------
    func
        The function.
    name, namespace
        The task's name and namespace; together they are its full name.
    version
        When given, the task is hashed by this text in place of its source.
    compat
        Hashes of earlier definitions to stand in for; the first becomes the task's hash.
    script
        Whether the function returns a shell script to run.
    source
        The source to hash and show in place of the function's own.
    hash_includes
        Values, functions for example, that are hashed along with the source.
    task_options_base
        Options from the definition.
    task_options_override
        Options added by `options`; they take part in the hash of the task as a value.
    export_options
        Names of options that jobs below a call inherit.

    Attributes
    ----------
    fullname : str
        ``namespace.name``, or the name alone.
    hash : str
        The task's address, 40 hexadecimal characters.

    Examples
    --------
    >>> from redun import Scheduler, task
    >>> @task(version="1", namespace="example")
    ... def double(x):
    ...     return 2 * x
    >>> double(21)
    example.double(21)
    >>> Scheduler().run(double(21)), double.func(21), double.fullname
    (42, 42, 'example.double')
    """

    __module__ = "redun.task"
    type_name = "redun.Task"

    def __class_getitem__(cls, types: Any) -> Any:  # Task[Func], with the type of the function alone, is older.
        return super().__class_getitem__(types if isinstance(types, tuple) else (..., types))  # type: ignore[misc]

    def __init__(
        self,
        func: Callable[..., Any],
        name: str | None = None,
        namespace: str | None = None,
        version: str | None = None,
        compat: Sequence[str] = (),
        script: bool = False,
        source: str | None = None,
        hash_includes: Sequence[Any] = (),
        task_options_base: Mapping[str, Any] = EMPTY_OPTIONS,
        task_options_override: Mapping[str, Any] = EMPTY_OPTIONS,
        export_options: Iterable[str] = (),
    ) -> None:
        self.func = func
        self._set_name(compute_namespace(func.__module__, namespace), name or func.__name__)
        self.version = version
        self.compat = list(compat)
        self.script = script
        self.hash_includes = list(hash_includes)
        self.task_options_base = normalize_options(task_options_base)
        if self.is_async():
            self.task_options_base = {**ASYNC_OPTIONS, **self.task_options_base}
        self.task_options_override = normalize_options(task_options_override)
        self.exported = frozenset(export_options)
        if self.has_task_option("prov"):
            self.exported |= {"prov"}
        self._source = source
        if source is None and not (version and func.__module__.startswith("redun.")):
            # A later look at the file might find other lines there; redun's own files do not change under it.
            self._source = self._read_source()
        self._check()
        self.hash = self._calc_hash()

    @property
    def source(self) -> str:
        """The source text that is hashed and recorded."""
        if self._source is None:
            self._source = self._read_source()
        return self._source

    @cached_property
    def signature(self) -> inspect.Signature:
        """The signature of the function, or of the wrapped one, unless option ``use_wrapper_signature`` is set."""
        wrapped = self.wrapped_task
        is_own = wrapped is None or self.get_task_option("use_wrapper_signature")
        return inspect.signature(self.func) if is_own else wrapped.signature  # type: ignore[union-attr]

    @property
    def wrapped_task(self) -> Task[..., Any] | None:
        """The task that this one wraps, if it wraps one. See `redun.wrapping`."""
        return cast("Task[..., Any] | None", self.task_options_base.get("wrapped_task"))

    @property
    def inner_task(self) -> Task[..., Any]:
        """The innermost task that this one wraps; itself, if it wraps none."""
        return self if self.wrapped_task is None else self.wrapped_task.inner_task

    @cached_property
    def defaults(self) -> tuple[Default, ...]:
        """The parameters that have defaults."""
        return list_defaults(self.signature)

    @cached_property
    def positional_only(self) -> tuple[str, ...]:
        """The parameters that can't be passed by name."""
        parameters = self.signature.parameters.values()
        return tuple(parameter.name for parameter in parameters if parameter.kind is parameter.POSITIONAL_ONLY)

    @cached_property
    def unhashed(self) -> frozenset[str | int]:
        """Names and positions of the parameters that option ``config_args`` keeps out of the cache key."""
        names = self.get_task_option("config_args") or ()
        parameters = list(self.signature.parameters)
        return frozenset([*names, *(parameters.index(name) for name in names)])

    @cached_property
    def load_module(self) -> str:
        """The module that another process imports to find the task."""
        return cast("str", self.get_task_option("load_module") or self.func.__module__)

    @cached_property
    def nout(self) -> int | None:
        """How many items a result has: option ``nout``, else what a tuple as return annotation says, else None."""
        nout = self.get_task_option("nout")
        return nout if nout is not None else infer_length(self.func)

    @overload
    def __call__(self: Task[P, Coroutine[Any, Any, T]], /, *args: P.args, **kwargs: P.kwargs) -> T: ...

    @overload
    def __call__(self, /, *args: P.args, **kwargs: P.kwargs) -> R: ...

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        """Return the expression that applies the task to arguments; nothing runs and nothing is checked yet."""
        return TaskExpression(self.fullname, args, kwargs, self.task_options_override, self.exported, self.nout)

    def options(self, **task_options: Any) -> Task[P, R]:
        """Return the task with options for calls made through the copy.

        Examples
        --------
        >>> from redun import task
        >>> @task(version="1")
        ... def double(x):
        ...     return 2 * x
        >>> double.options(memory=4)(21)
        double(21)
        """
        return self._copy({**self.task_options_override, **normalize_options(task_options)}, self.exported)

    def export_options(self, **task_options: Any) -> Task[P, R]:
        """Return the task with options that also hold for every job below a call made through the copy."""
        exported = normalize_options(task_options)
        names = self.exported | set(task_options) | set(exported)
        return self._copy({**self.task_options_override, **exported}, names)

    def update_context(self, context: Mapping[str, Any] = EMPTY_OPTIONS, **values: Any) -> Task[P, R]:
        """Return the task with values laid over the context of calls made through the copy and of all jobs below.

        Parameters
        ----------
        context
            A nested mapping; its values may be expressions.
        **values
            Further values of the outermost level.
        """
        from redun.utils import merge_dicts

        before = self.get_task_option(CONTEXT_OPTION, EMPTY_OPTIONS)
        return self.options(**{CONTEXT_OPTION: merge_dicts([before, context, values])})

    def partial(self, /, *args: Any, **kwargs: Any) -> PartialTask[..., R]:
        """Return a task that fills in some arguments of this one."""
        from redun.partial_task import PartialTask

        return PartialTask(self, args, kwargs)

    @cached_property
    def _options(self) -> Mapping[str, Any]:
        return merge_options(self.task_options_base, self.task_options_override)

    def get_task_options(self) -> Mapping[str, Any]:
        """Return all options of the task; not to be changed."""
        return self._options

    @cached_property
    def is_plain(self) -> bool:
        """Whether the task's options and defaults are plain data, so that they need not be looked through."""
        return not find_leaves([self.get_task_options(), [default.value for default in self.defaults]])

    def get_task_option(self, name: str, default: Any = None) -> Any:
        """Return one option of the task."""
        return self._options.get(name, default)

    def has_task_option(self, name: str) -> bool:
        """Whether the task sets an option."""
        return name in self._options

    @cached_property
    def is_coroutine(self) -> bool:
        """Whether the function is a coroutine function."""
        return self.is_async()

    def is_async(self) -> bool:
        """Whether the function is a coroutine function."""
        return inspect.iscoroutinefunction(self.func)

    def rename(self, namespace: str, name: str) -> None:
        """Give the task another name, and the hash that comes with it. For `TaskRegistry.rename`."""
        check_name(namespace, name)
        self._set_name(namespace, name)
        self.hash = self._calc_hash()

    def _set_name(self, namespace: str, name: str) -> None:
        self.namespace, self.name = namespace, name
        self.fullname = join_name(namespace, name)

    def get_hash(self, data: bytes | None = None) -> str:
        return self.hash

    def is_valid(self) -> bool:
        registered = get_task_registry().get(self.fullname)
        if registered is None:
            return False
        return self.hash == registered._copy(self.task_options_override, self.exported).hash

    def get_subtype(self) -> Subtype | None:
        return TaskSubtype(self.name, self.namespace, self.source)

    def _read_source(self) -> str:
        return read_task_source(self.func, self.fullname, is_needed=not (self.version or self.compat))

    def _calc_hash(self) -> str:
        if self.compat:
            return self.compat[0]
        encode = get_type_registry().encode
        kind, text = ("source", self.source) if self.version is None else ("version", self.version)
        includes = sorted(encode(included).value_hash for included in self.hash_includes)
        options = [encode(self.task_options_override).value_hash] if self.task_options_override else []
        return hash_struct(["Task", self.fullname, kind, text, *includes, *options])

    def _check(self) -> None:
        check_name(self.namespace, self.name)
        check_options(self._options, self.fullname, self.signature.parameters)
        if self.is_async():
            check_async_options(self._options, self.fullname)

    def _copy(self, override: Mapping[str, Any], exported: frozenset[str]) -> Task[P, R]:
        return type(self)(
            self.func,
            name=self.name,
            namespace=self.namespace,
            version=self.version,
            compat=self.compat,
            script=self.script,
            source=self._source,
            hash_includes=self.hash_includes,
            task_options_base=self.task_options_base,
            task_options_override=override,
            export_options=exported,
        )

    def __repr__(self) -> str:
        return f"Task(fullname={self.fullname}, hash={self.hash[:8]})"

    def __getstate__(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "namespace": self.namespace,
            "version": self.version,
            "hash": self.hash,
            "compat": self.compat,
            "script": self.script,
            "task_options": dict(self.task_options_override),
            "export_options": in_fixed_order(self.exported),
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._set_name(state["namespace"], state["name"])
        self.version, self.hash = state["version"], state["hash"]
        self.compat = state.get("compat") or []
        self.script = state.get("script", False)
        self.task_options_override = normalize_options(state.get("task_options") or {})
        self.exported = frozenset(state.get("export_options") or ())
        current = get_task_registry().get(self.fullname)
        self.func = current.func if current else undefined_task(self.fullname)
        self.task_options_base = current.task_options_base if current else {}
        self._source = current.source if current else ""
        self.hash_includes = current.hash_includes if current else []


class SchedulerTask(Task[P, R]):
    """A task that the scheduler runs itself, with its arguments unevaluated. See `scheduler_task`."""

    __module__ = "redun.task"
    type_name = "redun.SchedulerTask"

    def __call__(self, /, *args: P.args, **kwargs: P.kwargs) -> R:
        expression: SchedulerExpression[R] = SchedulerExpression(
            self.fullname, args, kwargs, self.task_options_override, length=self.nout
        )
        return cast("R", expression)
