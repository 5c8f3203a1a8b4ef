"""Lazy operations: what Python's operators do on the values of expressions once these are known.

Each operation has a name, which is stored and hashed with the expressions that use it, and an optional symbol, by which
they are shown. ``&``, ``|`` and ``~`` are Python's ``and``, ``or`` and ``not`` on the values.
"""

from __future__ import annotations

import operator
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

F = TypeVar("F", bound=Callable[..., Any])

_MAX_NODES, _MAX_DEPTH = 200, 20
_nesting = threading.local()


class LazyOperators:
    """Python's operators, attribute and item access, and calls, all of which make expressions."""

    __slots__ = ()

    def _operate(self, name: str, *operands: Any) -> Any:
        """Return the expression that applies an operation to this one and to further operands."""
        raise NotImplementedError

    def __getitem__(self, key: Any) -> Any:
        if not isinstance(key, slice):
            return self._operate("getitem", key)
        bounds = key.start, key.stop, key.step
        if any(isinstance(bound, LazyOperators) for bound in bounds):
            return self._operate("getslice", *bounds)
        if _has_known_items(key):
            return [self[index] for index in range(key.start or 0, key.stop, key.step or 1)]
        return self._operate("getitem", key)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name.endswith("__"):
            raise AttributeError(name)
        return self._operate("getattr", name)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._operate("call", args, kwargs)

    def __await__(self) -> Any:
        from redun.awaiting import await_expression

        return await_expression(self)

    def __eq__(self, other: object) -> Any:
        return self._operate("eq", other)

    def __ne__(self, other: object) -> Any:
        return self._operate("ne", other)

    def __lt__(self, other: Any) -> Any:
        return self._operate("lt", other)

    def __le__(self, other: Any) -> Any:
        return self._operate("le", other)

    def __gt__(self, other: Any) -> Any:
        return self._operate("gt", other)

    def __ge__(self, other: Any) -> Any:
        return self._operate("ge", other)

    def __add__(self, other: Any) -> Any:
        return self._operate("add", other)

    def __radd__(self, other: Any) -> Any:
        return self._operate("radd", other)

    def __sub__(self, other: Any) -> Any:
        return self._operate("sub", other)

    def __rsub__(self, other: Any) -> Any:
        return self._operate("rsub", other)

    def __mul__(self, other: Any) -> Any:
        return self._operate("mul", other)

    def __rmul__(self, other: Any) -> Any:
        return self._operate("rmul", other)

    def __truediv__(self, other: Any) -> Any:
        return self._operate("div", other)

    def __rtruediv__(self, other: Any) -> Any:
        return self._operate("rdiv", other)

    def __floordiv__(self, other: Any) -> Any:
        return self._operate("floordiv", other)

    def __rfloordiv__(self, other: Any) -> Any:
        return self._operate("rfloordiv", other)

    def __mod__(self, other: Any) -> Any:
        return self._operate("mod", other)

    def __rmod__(self, other: Any) -> Any:
        return self._operate("rmod", other)

    def __pow__(self, other: Any) -> Any:
        return self._operate("pow", other)

    def __rpow__(self, other: Any) -> Any:
        return self._operate("rpow", other)

    def __matmul__(self, other: Any) -> Any:
        return self._operate("matmul", other)

    def __rmatmul__(self, other: Any) -> Any:
        return self._operate("rmatmul", other)

    def __and__(self, other: Any) -> Any:
        return self._operate("and", other)

    def __rand__(self, other: Any) -> Any:
        return self._operate("rand", other)

    def __or__(self, other: Any) -> Any:
        return self._operate("or", other)

    def __ror__(self, other: Any) -> Any:
        return self._operate("ror", other)

    def __neg__(self) -> Any:
        return self._operate("neg")

    def __pos__(self) -> Any:
        return self._operate("pos")

    def __abs__(self) -> Any:
        return self._operate("abs")

    def __invert__(self) -> Any:
        return self._operate("not")


def _has_known_items(key: slice) -> bool:
    """Whether the items of a slice can be told without the length of what is sliced."""
    start, stop = key.start, key.stop
    if not isinstance(stop, int) or stop < 0:
        return False
    if start is None:
        return key.step is None or key.step > 0
    return isinstance(start, int) and start >= 0


class LazyOperation(NamedTuple):
    """An operation on concrete values, with what is needed to show an expression that applies it."""

    name: str
    func: Callable[..., Any]
    symbol: str | None = None
    reverse: bool = False


_operations: dict[str, LazyOperation] = {}


def get_lazy_operation(name: str) -> LazyOperation:
    """Return an operation by name.

    Raises
    ------
    NotImplementedError
        When there is no such operation, as in an expression that another version stored.
    """
    try:
        return _operations[name]
    except KeyError:
        raise NotImplementedError(f"Lazy operation {name!r} does not exist") from None


def shorten(format_node: Callable[[], str]) -> str:
    """Return what a function makes of a node of a graph, or ``...`` for nodes that are too deep or too many.

    Parameters
    ----------
    format_node
        Returns the representation of a node, for which it asks those of the nodes below.
    """
    state = _nesting.__dict__
    depth, room = state.get("depth", 0), state.get("room", 0) if state.get("depth") else _MAX_NODES
    if depth >= _MAX_DEPTH or not room:
        return "..."
    state["depth"], state["room"] = depth + 1, room - 1
    try:
        return format_node()
    finally:
        state["depth"] = depth


def format_operation(name: str, args: Sequence[Any]) -> str:
    """Return an operation applied to arguments as it is written in Python."""
    if name == "getitem":
        return f"{args[0]!r}[{_format_key(args[1])}]"
    if name == "getslice":
        return f"{args[0]!r}[{_format_slice(args[1:])}]"
    if name == "getattr":
        return f"{args[0]!r}.{args[1]}"
    if name == "call":
        called, positional, keyword = args
        return f"{called!r}({format_arguments(positional, keyword)})"
    operation = _operations.get(name)
    if operation is None or operation.symbol is None or len(args) not in (1, 2):
        return f"{name}({format_arguments(args, {})})"
    if len(args) == 1:
        return f"({operation.symbol}{args[0]!r})"
    left, right = reversed(args) if operation.reverse else args
    return f"({left!r} {operation.symbol} {right!r})"


def _format_key(key: Any) -> str:
    return _format_slice((key.start, key.stop, key.step)) if isinstance(key, slice) else repr(key)


def _format_slice(bounds: Sequence[Any]) -> str:
    start, stop, step = ("" if bound is None else repr(bound) for bound in bounds)
    return f"{start}:{stop}:{step}" if step else f"{start}:{stop}"


def format_arguments(args: Sequence[Any], kwargs: Mapping[str, Any]) -> str:
    """Return arguments as they are written in a call, the keywords sorted.

    Examples
    --------
    >>> format_arguments((1,), {"c": 3, "b": 2})
    '1, b=2, c=3'
    """
    return ", ".join([*map(repr, args), *(f"{key}={kwargs[key]!r}" for key in sorted(kwargs))])


def lazy_operation(
    method: str | None = None, name: str | None = None, symbol: str | None = None, reverse: bool = False
) -> Callable[[F], F]:
    """Register a function on values as an operation on expressions.

    Parameters
    ----------
    method
        The method of `Expression` to define, such as ``__matmul__``; without one, the function's name.
    name
        The name that is stored and hashed; without one, the function's name.
    symbol
        How the operation is written between its operands.
    reverse
        Whether the operands are swapped, as in ``__radd__``.

    Examples
    --------
    >>> from redun.expression import ValueExpression
    >>> @lazy_operation(method="__xor__", symbol="^")
    ... def xor(a, b):
    ...     return a ^ b
    >>> ValueExpression(6) ^ 3
    (ValueExpression(6) ^ 3)
    """

    def register(func: F) -> F:
        operation = LazyOperation(name or func.__name__, func, symbol, reverse)
        _operations[operation.name] = operation

        def apply(self: LazyOperators, *operands: Any) -> Any:
            return self._operate(operation.name, *operands)

        setattr(LazyOperators, method or func.__name__, apply)
        return func

    return register


def _call(func: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
    return func(*args, **kwargs)


def _both(left: Any, right: Any) -> Any:
    return left and right


def _either(left: Any, right: Any) -> Any:
    return left or right


def _slice(value: Any, start: Any, stop: Any, step: Any) -> Any:
    return value[start:stop:step]


def _register_builtin() -> None:
    binary: tuple[tuple[str, str, Callable[[Any, Any], Any]], ...] = (
        ("==", "eq", operator.eq),
        ("!=", "ne", operator.ne),
        ("<", "lt", operator.lt),
        ("<=", "le", operator.le),
        (">", "gt", operator.gt),
        (">=", "ge", operator.ge),
        ("+", "add", operator.add),
        ("-", "sub", operator.sub),
        ("*", "mul", operator.mul),
        ("/", "div", operator.truediv),
        ("//", "floordiv", operator.floordiv),
        ("%", "mod", operator.mod),
        ("**", "pow", operator.pow),
        ("@", "matmul", operator.matmul),
        ("&", "and", _both),
        ("|", "or", _either),
    )
    for symbol, name, func in binary:
        _operations[name] = LazyOperation(name, func, symbol)
        reverse = f"r{name}"
        _operations[reverse] = LazyOperation(reverse, _swapped(func), symbol, reverse=True)
    others: tuple[tuple[str | None, str, Callable[..., Any]], ...] = (
        ("-", "neg", operator.neg),
        ("+", "pos", operator.pos),
        ("~", "not", operator.not_),
        (None, "abs", abs),
        (None, "getitem", operator.getitem),
        (None, "getslice", _slice),
        (None, "getattr", getattr),
        (None, "call", _call),
    )
    for shown, name, func in others:
        _operations[name] = LazyOperation(name, func, shown)


def _swapped(func: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    return lambda left, right: func(right, left)


_register_builtin()
