"""Quoting: expressions as data."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Generic, TypeVar

from redun.arguments import encode_lazily
from redun.hashing import hash_strings, hash_value_bytes
from redun.values.base import GraphValue, pickle_dumps
from redun.values.codec import is_small_graph
from redun.values.nested import find_leaves

R = TypeVar("R", covariant=True)


class QuotedExpression(GraphValue, Generic[R]):
    """An expression treated as data: evaluation leaves it alone."""

    __module__ = "redun.expression"
    __slots__ = ("_expr",)

    def __init__(self, expr: Any) -> None:
        self._expr = expr
        self._hash = None

    def eval(self) -> Any:
        """Return the quoted expression, which evaluation then reduces."""
        return self._expr

    def iter_children(self) -> Iterator[GraphValue]:
        return iter([leaf for leaf in find_leaves(self._expr) if isinstance(leaf, GraphValue)])

    def reduce_node(self) -> tuple[Any, ...]:
        return QuotedExpression, (self._expr,)

    def _calc_hash(self) -> str:
        if is_small_graph(self.iter_children()):
            return hash_value_bytes(pickle_dumps(self))
        return hash_strings("QuotedExpression", encode_lazily(self._expr).value_hash)

    def __repr__(self) -> str:
        return f"QuotedExpression({self._expr!r})"

    def __getstate__(self) -> dict[str, Any]:
        return {"expr": self._expr}

    def __setstate__(self, state: dict[str, Any]) -> None:
        QuotedExpression.__init__(self, *state.values())


def quote(expr: Any) -> QuotedExpression[Any]:
    """Return an expression as data, to be passed around and evaluated later by `QuotedExpression.eval`."""
    return QuotedExpression(expr)
