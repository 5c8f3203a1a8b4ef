import collections
import enum
import math
import pickle
import uuid
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from functools import reduce
from pathlib import PurePosixPath

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from profiles import count_calls

from redun.expression import SimpleExpression, TaskExpression
from redun.values.base import MIME_TYPE_PICKLE
from redun.values.codec import MIME_TYPE_GRAPH
from redun.values.preview import MAX_BYTES, MAX_LENGTH, format_inert, preview, read_inert
from redun.values.registry import get_type_registry

moments = st.dates() | st.datetimes() | st.times() | st.timedeltas()
atoms = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=20)
    | st.binary(max_size=20)
    | st.complex_numbers(allow_nan=False)
    | moments
)
keys = st.integers() | st.text(max_size=5) | st.tuples(st.integers(), st.text(max_size=3))
plain = st.recursive(
    atoms,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner)
        | st.tuples(inner, inner)
        | st.dictionaries(keys, inner, max_size=3)
        | st.frozensets(st.integers(), max_size=1).map(set)
    ),
    max_leaves=10,
)


unquoted = st.recursive(
    st.integers() | st.text("ab\n", max_size=300) | st.binary(max_size=0),
    lambda inner: st.lists(inner, max_size=9) | st.dictionaries(st.integers(), inner, max_size=9),
)


class Color(enum.Enum):
    """Members that are pickled by their values, as all are but those of Python 3.11.0 to 3.11.3."""

    RED = 1

    def __reduce_ex__(self, protocol):
        return Color, (self.value,)


class Named(collections.namedtuple("Named", "x y")):
    __slots__ = ()


class Record:
    def __init__(self, **attributes):
        vars(self).update(attributes)


class OldFashioned(Record):
    def __reduce_ex__(self, protocol):
        return object.__reduce_ex__(self, 1)


class Slotted:
    __slots__ = ("a", "b")

    def __init__(self):
        self.a, self.b = 1, "two"


def show(value, max_length=MAX_LENGTH, protocol=3):
    kind = type(value)
    return preview(f"{kind.__module__}.{kind.__name__}", MIME_TYPE_PICKLE, pickle.dumps(value, protocol), max_length)


def show_bytes(data, max_length=MAX_LENGTH):
    return preview("demo.Kind", MIME_TYPE_PICKLE, data, max_length)


def make_deep_list(depth):
    """Return the pickle of a list in a list in a list..., which pickle itself could not write."""
    return b"\x80\x03" + b"]" * depth + b"a" * (depth - 1) + b"."


@settings(max_examples=50, deadline=None)
@given(plain)
def test_plain_data_is_shown_as_its_representation(value):
    """Plain data that is short is shown as `repr` shows it, whatever it is nested in."""
    stored = pickle.loads(pickle.dumps(value, 3))

    assert show(value, max_length=10_000) == repr(stored)


@settings(max_examples=50, deadline=None)
@given(unquoted, st.integers(3, 300))
def test_long_data_is_cut(value, max_length):
    """What would be longer than allowed is cut, and ends in three dots."""
    whole = repr(pickle.loads(pickle.dumps(value, 3)))
    expected = whole if len(whole) <= max_length else f"{whole[: max_length - 3]}..."

    assert show(value, max_length) == expected


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (math.nan, "nan"),
        (slice(1, None), "slice(1, None, None)"),
        (bytearray(b"ab"), "bytearray(b'ab')"),
        (Decimal("1.50"), "Decimal('1.50')"),
        (PurePosixPath("b"), "PurePosixPath('b')"),
        (collections.OrderedDict(a=1), "OrderedDict(('a', 1))"),
        (collections.deque([1, 2]), "deque(1, 2)"),
        (collections.defaultdict(list, a=[1]), "defaultdict(list, ('a', [1]))"),
        (Named(1, "b"), "Named(1, 'b')"),
        (Color.RED, "Color(1)"),
        (Record(), "Record()"),
        (Record(a=1, _hidden=2, b=[Record(c="d")]), "Record(a=1, b=[Record(c='d')])"),
        (Slotted(), "Slotted(a=1, b='two')"),
        (ValueError("no", 1), "ValueError('no', 1)"),
        (Record, "Record"),
        (show, "show"),
        (Record(hash="0123456789abcdef" * 2 + "01234567"), "Record(hash='01234567')"),
        ({Record: {Color.RED}}, "{Record: {Color(1)}}"),
        (datetime(2020, 1, 1, tzinfo=timezone.utc), repr(datetime(2020, 1, 1, tzinfo=timezone.utc))),
        ([date(2020, 1, 1), time(1, 2), timedelta(1)], repr([date(2020, 1, 1), time(1, 2), timedelta(1)])),
    ],
    ids=lambda value: type(value).__name__,
)
@pytest.mark.parametrize("protocol", [3, 4, 5])
def test_other_objects_are_shown_by_class_and_content(value, shown, protocol):
    """An object is shown by the name of its class, what it was made of, and its public attributes; hashes are cut."""
    assert show(value, protocol=protocol) == shown


def test_objects_rebuilt_by_copyreg_are_shown_as_themselves():
    """A class whose objects are rebuilt as in old protocols is shown by its own name."""
    assert show(OldFashioned(a=1)) == "OldFashioned(a=1)"


def test_uuids_are_shown_by_their_state():
    """A class whose state is a plain dictionary is shown with it, whatever class that is."""
    assert show(uuid.UUID(int=5)) == "UUID(int=5)"


@pytest.mark.parametrize("make", [list, tuple, lambda items: dict(enumerate(items)), lambda items: [Record(a=items)]])
def test_only_what_is_shown_is_visited(make):
    """The cost of showing a large value is that of showing what is seen of it."""
    small, large = (read_inert(pickle.dumps(make(range(size)), 3)) for size in (500, 50_000))

    assert count_calls(format_inert, large) == count_calls(format_inert, small)


def test_shared_data_is_not_unfolded():
    """A value whose unfolding is exponential is shown at the cost of what is seen of it."""
    value = reduce(lambda inner, _: [inner, inner], range(100), [])

    shown = show(value)

    assert (shown[:67], len(shown)) == (f"{'[' * 60}..., ..", MAX_LENGTH)


def test_cyclic_data_is_cut():
    """A list that holds itself is shown until there is no more room."""
    value = []
    value.append(value)

    assert show(value, 10) == "[[[[[[[..."


def test_deep_data_is_cut_where_room_ends():
    """A value of any depth is shown as far as there is room."""
    assert show_bytes(make_deep_list(100_000), 10) == "[[[[[[[..."


@pytest.mark.parametrize("max_length", [MAX_LENGTH, 5_000])
def test_deep_data_is_cut_below_some_levels(max_length):
    """However much room there is, what lies deeper than some levels is left out."""
    assert show_bytes(make_deep_list(100_000), max_length) == f"{'[' * 60}...{']' * 60}"


@pytest.mark.parametrize(
    ("type_name", "data_format", "data", "shown"),
    [
        ("a.b.Kind", MIME_TYPE_PICKLE, b"." * (MAX_BYTES + 1), f"Kind(size={MAX_BYTES + 1})"),
        ("a.b.Kind", MIME_TYPE_PICKLE, b"", "Kind(size=0)"),
        ("Kind", "image/png", b"abc", "Kind(size=3)"),
        ("a.Kind", MIME_TYPE_PICKLE, b"junk", "Kind(unreadable, size=4)"),
        ("a.Kind", MIME_TYPE_GRAPH, b"junk", "Kind(unreadable, size=4)"),
        ("builtins.list", MIME_TYPE_PICKLE, pickle.dumps([1, 2], 3)[:-1], "list(unreadable, size=11)"),
    ],
)
def test_what_is_no_readable_pickle_is_shown_by_type_and_size(type_name, data_format, data, shown):
    """Values that are large, damaged, absent or in another format are shown by type and size."""
    assert preview(type_name, data_format, data) == shown


@settings(max_examples=50, deadline=None)
@given(plain, st.data())
def test_truncated_data_is_unreadable(value, data):
    """A pickle that was stored only in part is shown as unreadable, never as something else."""
    stored = pickle.dumps(value, 3)
    end = data.draw(st.integers(1, len(stored) - 1))

    assert show_bytes(stored[:end]) == f"Kind(unreadable, size={end})"


@pytest.mark.parametrize(
    ("expression", "shown"),
    [
        (TaskExpression("ns.f", (1, "a"), {"z": 2, "k": [3]}), "ns.f(1, 'a', k=[3], z=2)"),
        (TaskExpression("f", (), {}), "f()"),
        (TaskExpression("f", (TaskExpression("g", (), {"x": Color.RED}),), {}), "f(g(x=Color(1)))"),
        (SimpleExpression("add", (1, 2)), "SimpleExpression('add', (1, 2), {})"),
        ([TaskExpression("f", (1,), {}), 2], "[f(1), 2]"),
    ],
    ids=repr,
)
def test_expressions_are_shown_as_calls(expression, shown):
    """The application of a task is shown as the call it is, its keywords sorted."""
    encoded = get_type_registry().encode(expression)

    assert preview(encoded.type_name, encoded.format, encoded.data) == shown


def test_expressions_of_old_stores_are_shown_as_calls():
    """An expression that was pickled whole, with its arguments pickled inside, is shown as a call too."""
    expression = TaskExpression("ns.f", (1, TaskExpression("g", ([2],), {})), {"k": 3})

    assert show(expression) == "ns.f(1, g([2]), k=3)"


def test_frozen_sets_are_shown_as_such():
    """A frozenset is shown as `repr` shows it."""
    assert show(frozenset([1])) == repr(frozenset([1]))


@pytest.mark.parametrize("max_length", [0, 1, 2])
def test_tiny_lengths_are_kept(max_length):
    """A line is never longer than it may be."""
    assert len(show([1] * 100, max_length)) <= max_length
