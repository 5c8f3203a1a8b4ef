"""Pickling sets in an order that is the same in every process.

The order in which a set of texts is iterated over differs from process to process, and so would the pickle, and the
address, of everything that holds one. Such sets are pickled in a fixed order instead. Sets whose order does not differ,
those of numbers, keep the pickle by which existing stores know them.
"""

from __future__ import annotations

import pickle
import re
from io import BytesIO
from typing import Any, ClassVar

_SEVERAL_ITEMS = re.compile(rb"(?:set\n(?:q.|r.{4})|h.|j.{4})\](?:q.|r.{4})\(", re.DOTALL)
"""A list of several items where a set has its own: after its class, or after what the memo has in place of it."""

_NUMBERS = (int, float, bool, complex)
_COLLECTIONS = (tuple, frozenset)


class _OrderedPickler(pickle._Pickler):  # The one in C can't be told how to pickle a set.
    dispatch: ClassVar[dict[Any, Any]] = dict(pickle._Pickler.dispatch)
    has_sorted = False

    def _save_in_order(self, items: Any) -> None:
        listed = list(items)
        if len(listed) > 1 and not all(map(_is_placed_by_value, listed)):
            listed.sort(key=_dump)
            self.has_sorted = True
        self.save_reduce(type(items), (listed,), obj=items)  # type: ignore[attr-defined]

    dispatch[set] = dispatch[frozenset] = _save_in_order


def _is_placed_by_value(item: Any) -> bool:
    """Whether the place of an item in a set depends on its value alone."""
    return type(item) in _NUMBERS or (type(item) in _COLLECTIONS and all(map(_is_placed_by_value, item)))


def _dump(value: Any) -> bytes:
    return put_sets_in_order(value, pickle.dumps(value, 3))


def may_have_unordered_sets(data: bytes) -> bool:
    """Whether a pickle of protocol 3 that names the class of sets may hold one of several items.

    Examples
    --------
    >>> may_have_unordered_sets(pickle.dumps([set(), {"a"}], 3)), may_have_unordered_sets(pickle.dumps({"a", "b"}, 3))
    (False, True)
    """
    return _SEVERAL_ITEMS.search(data) is not None


def put_sets_in_order(value: Any, data: bytes) -> bytes:
    """Return a pickle of a value in which every set is in a fixed order.

    Parameters
    ----------
    value
        The value.
    data
        Its pickle of protocol 3; it is returned if no set in it needs to be put in order, or all is nested too deep.

    Examples
    --------
    >>> one, other = [{"b", "a"}], [{"a", "b"}]
    >>> put_sets_in_order(one, pickle.dumps(one, 3)) == put_sets_in_order(other, pickle.dumps(other, 3))
    True
    """
    buffer = BytesIO()
    pickler = _OrderedPickler(buffer, 3)
    try:
        pickler.dump(value)
    except RecursionError:
        return data
    return buffer.getvalue() if pickler.has_sorted else data
