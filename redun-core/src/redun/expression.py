"""Expressions: what calling a task returns, and what a scheduler reduces to a value.

An expression is a node of a graph. A `TaskExpression` applies a task to arguments, a `SchedulerExpression` a task
that the scheduler itself runs, a `SimpleExpression` a cheap operation such as ``+`` or item access. Arguments may be
expressions or hold some in containers, so the graph may be of any depth, and nothing here recurses over it.

Expressions are immutable. Python's operators, attribute and item access and calls on an expression make further
expressions, which is why an expression can't be compared, tested or looped over where a workflow is written.
"""

from __future__ import annotations

import pickle
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Generic, NoReturn, TypeVar

from redun.arguments import EncodedArguments, encode_arguments, encode_lazily, encode_values, find_argument_leaves
from redun.errors import InvalidValueError
from redun.hashing import hash_bytes, hash_strings, hash_struct, hash_task_expression
from redun.operators import (
    LazyOperators,
    format_arguments,
    format_operation,
    get_lazy_operation,
    lazy_operation,
    shorten,
)
from redun.options import EMPTY_OPTIONS, in_fixed_order
from redun.quoting import QuotedExpression, quote
from redun.registry import get_task_registry
from redun.unstorable import name_argument
from redun.values.base import MIME_TYPE_PICKLE, GraphValue, pickle_dumps
from redun.values.codec import dump_for_hash
from redun.values.nested import find_leaves
from redun.values.registry import get_type_registry

R = TypeVar("R", covariant=True)

_NO_KEYWORDS: Mapping[str, Any] = {}
_NO_NAMES: frozenset[str] = frozenset()
_NO_OPTIONS_HASH = hash_bytes(pickle_dumps({}))


_ENDLESS = (
    "Expressions of unknown length cannot be iterated. Use map_(), iterate in a task that is given the value, or say "
    "how many items there are with option nout."
)


class Expression(LazyOperators, GraphValue, Generic[R]):
    """Base of all lazy values; the type parameter is the type of the value it stands for."""

    __slots__ = ()

    def _operate(self, name: str, *operands: Any) -> SimpleExpression[Any]:
        return SimpleExpression(name, (self, *operands))

    __hash__ = object.__hash__

    def __bool__(self) -> NoReturn:
        raise TypeError(
            "Expressions cannot be coerced to bool. Use cond(), or decide in a task that is given the value."
        )

    def __iter__(self) -> Iterator[Any]:
        raise TypeError(_ENDLESS)

    def __repr__(self) -> str:
        """Return the expression as it is written, with ``...`` for what is too deep or too much."""
        return shorten(self._format)

    def _format(self) -> str:
        raise NotImplementedError


class ApplyExpression(Expression[R]):
    """Base of expressions that apply something to arguments.

    Attributes
    ----------
    args, kwargs
        The arguments, which may be or hold expressions.
    call_hash
        The address of the call node that the expression was reduced by, once it was.
    """

    __slots__ = ("_encoded", "_leaves", "_upstreams", "args", "call_hash", "kwargs")

    def __init__(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        self.args = args
        self.kwargs = kwargs or _NO_KEYWORDS
        self.call_hash: str | None = None
        self._hash: str | None = None
        self._encoded: EncodedArguments | None = None
        self._leaves: Sequence[Any] | None = None
        self._upstreams: Sequence[Expression[Any]] = ()

    @property
    def argument_leaves(self) -> Sequence[Any]:
        """Whatever in the arguments behaves, expressions and other values, in order; nothing if they are plain data."""
        leaves = self._leaves
        if leaves is None:
            leaves = self._leaves = self._find_leaves()
        return leaves

    def _find_leaves(self) -> Sequence[Any]:
        return find_argument_leaves(self.args, self.kwargs)

    def iter_children(self) -> Iterator[GraphValue]:
        return iter([leaf for leaf in self.argument_leaves if isinstance(leaf, GraphValue)])

    def get_hash(self, data: bytes | None = None) -> str:
        known = self._hash
        if known is None and not self.argument_leaves:
            known = self._hash = self._calc_hash()
        return known or super().get_hash(data)

    def get_key(self) -> Hashable:
        """Return what tells the expression from others: its address, or something that takes less to compute."""
        return self.get_hash()

    def encode_arguments(self) -> EncodedArguments:
        """Return the encoded arguments; computed once, and given up by `forget_arguments`."""
        encoded = self._encoded
        if encoded is None:
            encode = encode_arguments if self.argument_leaves else encode_values
            try:
                encoded = self._encoded = encode(self.args, self.kwargs)
            except InvalidValueError as error:
                raise name_argument(error, self) from error.__cause__
        return encoded

    def forget_arguments(self) -> None:
        """Drop the encoded arguments, which are not needed once the call is recorded."""
        self._encoded = None

    def is_valid_node(self) -> bool:
        registry = get_type_registry()
        return all(registry.is_valid(leaf) for leaf in self.argument_leaves if not isinstance(leaf, GraphValue))

    def _set_arguments(self, state: Mapping[str, Any]) -> None:
        ApplyExpression.__init__(self, pickle.loads(state["args"]), pickle.loads(state["kwargs"]))


class TaskExpression(ApplyExpression[R]):
    """The application of a task, named by its full name, to arguments.

    Attributes
    ----------
    task_name : str
        The task's full name; the definition is looked up when the expression is reduced.
    task_options : Mapping[str, Any]
        Options given for this call.
    export_options : frozenset[str]
        Names of options that the jobs below this call inherit.
    length : int or None
        How many items the result has, when that is known; the expression can then be unpacked.
    """

    __slots__ = ("export_options", "length", "task_name", "task_options")

    def __init__(
        self,
        task_name: str,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        task_options: Mapping[str, Any] | None = None,
        export_options: Iterable[str] = (),
        length: int | None = None,
    ) -> None:
        ApplyExpression.__init__(self, args, kwargs)
        self.task_name = task_name
        self.task_options = task_options or EMPTY_OPTIONS
        self.export_options = frozenset(export_options) if export_options else _NO_NAMES
        self.length = length

    def _find_leaves(self) -> Sequence[Any]:
        leaves = find_leaves(self.args)
        rest = self.kwargs or self.task_options
        return [*leaves, *find_leaves(self.kwargs), *find_leaves(self.task_options)] if rest else leaves

    def __iter__(self) -> Iterator[Any]:
        if self.length is None:
            raise TypeError(_ENDLESS)
        return (self[index] for index in range(self.length))

    def is_valid_node(self) -> bool:
        is_defined = get_task_registry().get(self.task_name) is not None
        return is_defined and (not self.argument_leaves or super().is_valid_node())

    def reduce_node(self) -> tuple[Any, ...]:
        exported = sorted(self.export_options)
        return type(self), (self.task_name, self.args, self.kwargs, self.task_options, exported, self.length)

    def get_key(self) -> Hashable:
        if self.argument_leaves or self.task_options or self.export_options:
            return self.get_hash()
        return f"{self.task_name} {self.encode_arguments().args_hash}"

    def _calc_hash(self) -> str:
        args_hash = self.encode_arguments().args_hash
        options_hash = hash_bytes(dump_for_hash(self.task_options)) if self.task_options else _NO_OPTIONS_HASH
        if not self.export_options:
            return hash_task_expression(self.task_name, args_hash, options_hash)
        exports_hash = hash_struct(sorted(self.export_options))
        return hash_strings("TaskExpression", self.task_name, args_hash, options_hash, exports_hash)

    def _format(self) -> str:
        return f"{self.task_name}({format_arguments(self.args, self.kwargs)})"

    def __getstate__(self) -> dict[str, Any]:
        return {
            "task_name": self.task_name,
            "args": pickle_dumps(self.args),
            "kwargs": pickle_dumps(self.kwargs),
            "task_options": self.task_options or {},
            "export_options": in_fixed_order(self.export_options),
            "length": self.length,
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._set_arguments(state)
        self.task_name = state["task_name"]
        self.task_options = state.get("task_options") or {}
        self.export_options = frozenset(state.get("export_options") or ())
        self.length = state.get("length")


class SchedulerExpression(TaskExpression[R]):
    """The application of a scheduler task, which the scheduler runs itself and which gets its arguments unevaluated."""

    __slots__ = ()

    def _calc_hash(self) -> str:
        return hash_strings("SchedulerExpression", self.task_name, self.encode_arguments().args_hash)


class SimpleExpression(ApplyExpression[R]):
    """The application of a lazy operation, such as an operator or item access, to arguments.

    Attributes
    ----------
    func_name : str
        The operation's name; see `redun.operators`.
    """

    __slots__ = ("func_name",)

    def __init__(self, func_name: str, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None) -> None:
        ApplyExpression.__init__(self, args, kwargs or {})
        self.func_name = func_name

    def reduce_node(self) -> tuple[Any, ...]:
        return SimpleExpression, (self.func_name, self.args, self.kwargs)

    def _calc_hash(self) -> str:
        return hash_strings("SimpleExpression", self.func_name, self.encode_arguments().args_hash)

    def _format(self) -> str:
        return format_operation(self.func_name, self.args)

    def __getstate__(self) -> dict[str, Any]:
        return {
            "func_name": self.func_name,
            "args": pickle_dumps(self.args),
            "kwargs": pickle_dumps(self.kwargs),
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._set_arguments(state)
        self.func_name = state["func_name"]


class ValueExpression(Expression[R]):
    """A concrete value in the shape of an expression."""

    __slots__ = ("_upstreams", "value")

    def __init__(self, value: R) -> None:
        self.value = value
        self._hash = None
        self._upstreams: Sequence[Expression[Any]] = ()

    def iter_children(self) -> Iterator[GraphValue]:
        return iter([leaf for leaf in find_leaves(self.value) if isinstance(leaf, GraphValue)])

    def is_valid_node(self) -> bool:
        registry = get_type_registry()
        return all(registry.is_valid(leaf) for leaf in find_leaves(self.value) if not isinstance(leaf, GraphValue))

    def reduce_node(self) -> tuple[Any, ...]:
        return ValueExpression, (self.value,)

    def _calc_hash(self) -> str:
        return hash_strings("ValueExpression", encode_lazily(self.value).value_hash)

    def _format(self) -> str:
        return f"ValueExpression({self.value!r})"

    def __getstate__(self) -> dict[str, Any]:
        encoded = get_type_registry().encode(self.value)
        data = encoded.data if encoded.format == MIME_TYPE_PICKLE else pickle_dumps(self.value)
        return {"value_type": encoded.type_name, "value": data}

    def __setstate__(self, state: dict[str, Any]) -> None:
        ValueExpression.__init__(self, get_type_registry().deserialize(state["value_type"], state["value"]))


def add_upstreams(expression: ApplyExpression[Any] | ValueExpression[Any], *sources: Any) -> None:
    """Record that an expression's value was made from those of others, so that dataflow can be followed through it."""
    found = [source for source in sources if isinstance(source, Expression)]
    expression._upstreams = [*expression._upstreams, *found]


def derive_expression(original: Expression[Any], derived: Any) -> Any:
    """Return an expression after recording that its value was made from that of another one."""
    if isinstance(derived, ApplyExpression | ValueExpression):
        add_upstreams(derived, original)
    return derived


__all__ = [
    "ApplyExpression",
    "Expression",
    "QuotedExpression",
    "SchedulerExpression",
    "SimpleExpression",
    "TaskExpression",
    "ValueExpression",
    "add_upstreams",
    "derive_expression",
    "format_arguments",
    "get_lazy_operation",
    "lazy_operation",
    "quote",
]
