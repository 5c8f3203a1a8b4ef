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

_SET_CLASS = re.compile(rb"set\n(?:q(.)|r(.{4}))", re.DOTALL)
"""The class of a set where a pickle names it first, with its place in the memo, from where it is taken later."""

_SEVERAL_ITEMS = rb"\](?:q.|r.{4})\("
"""The list of a set's items, memoised, followed by the mark that stands before several of them."""

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
    """Whether a pickle of protocol 3 may hold a set of several items; a set of fewer has no order.

    Examples
    --------
    >>> may_have_unordered_sets(pickle.dumps([set(), {"a"}], 3)), may_have_unordered_sets(pickle.dumps({"a", "b"}, 3))
    (False, True)
    """
    for named in _SET_CLASS.finditer(data):
        later = b"h" + named[1] if named[1] is not None else b"j" + named[2]
        if re.search(b"(?:%b|%b)%b" % (re.escape(named[0]), re.escape(later), _SEVERAL_ITEMS), data, re.DOTALL):
            return True
    return False


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
