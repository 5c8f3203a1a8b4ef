"""Where stored values differ, told without unpickling them."""

import math
import pickle
from functools import reduce

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from redun.values.difference import find_changes
from redun.values.preview import read_inert

plain = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from([math.nan, 0.5]) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=12,
)


class Record:
    def __init__(self, **attributes):
        vars(self).update(attributes)


class Trap:
    def __reduce__(self):
        return pytest.fail, ("the value was unpickled",)


def compare(old, new):
    """Return the changes between two values as they are shown, as if they were stored."""
    stored = [read_inert(pickle.dumps(value, 3)) for value in (old, new)]
    return [change.format() for change in find_changes(*stored, "x")]


@pytest.mark.parametrize(
    ("old", "new", "changes"),
    [
        (1, 2, ["x: 1 --> 2"]),
        (1, True, ["x: 1 --> True"]),
        (1, 1.0, ["x: 1 --> 1.0"]),
        ("a", b"a", ["x: 'a' --> b'a'"]),
        ({"a": [1, 2, 3, 4]}, {"a": [1, 2, 3, 5]}, ["x['a'][3]: 4 --> 5"]),
        ({"a": 1}, {"b": 1}, ["x['a']: 1 --> (absent)", "x['b']: (absent) --> 1"]),
        ({"a": 1, "b": 2}, {"b": 3, "a": 4}, ["x['a']: 1 --> 4", "x['b']: 2 --> 3"]),
        ({1: 0}, {"1": 0}, ["x[1]: 0 --> (absent)", "x['1']: (absent) --> 0"]),
        ([[1], [2]], [[1], [3]], ["x[1][0]: 2 --> 3"]),
        ((1, 2), [1, 2], ["x: (1, 2) --> [1, 2]"]),
        ({1, 2}, {1, 3}, ["x: {1, 2} --> {1, 3}"]),
        (Record(a=1, b=[1]), Record(a=1, b=[2]), ["x.b[0]: 1 --> 2"]),
        (Record(a=1), Trap, ["x: Record(a=1) --> Trap"]),
        ("größe\n", "größer\n", ["x: 'größe\\n' --> 'größer\\n'"]),
    ],
)
def test_changes_are_named_by_their_place(old, new, changes):
    """A change is told by the place in the value as Python writes it, and what was and is there."""
    assert compare(old, new) == changes


@pytest.mark.parametrize(
    ("old", "new", "change"),
    [
        ([1, 2], [1, 2, 3], "x[2]: (absent) --> 3"),
        ([1, 2, 3], [2, 3], "x[0]: 1 --> (absent)"),
        ([1, 2, 3], [1, 9, 2, 3], "x[1]: (absent) --> 9"),
        ([1, 2, 3], [1, 7, 8, 3], "x[1:]: [2] --> [7, 8]"),
        ([], [5, 6], "x[0:]: (absent) --> [5, 6]"),
        ([0] * 1000, [0] * 999, "x[999]: 0 --> (absent)"),
        ([[1], [[2]]], [[1], [[3]], [[2]]], "x[1]: (absent) --> [[3]]"),
    ],
)
def test_longer_and_shorter_lists_are_told_by_what_came_and_went(old, new, change):
    """Of a list that changed its length, the items between those that stayed at both ends are shown."""
    assert compare(old, new) == [change]


def test_changed_file_is_told_by_its_path():
    """The same file with another content is one change that names it; of another file both paths are shown."""
    old, new = Record(path="a.csv", hash="1" * 40), Record(path="a.csv", hash="2" * 40)

    assert compare([old], [new]) == ["x[0]: file 'a.csv' changed (hash 11111111 --> 22222222)"]
    assert compare(old, Record(path="b.csv", hash="1" * 40)) == ["x: 'a.csv' --> 'b.csv'"]


def test_nothing_is_unpickled():
    """Values that would run code when they are unpickled are compared without that."""
    assert compare([Trap(), 1], [Trap(), 2]) == ["x[1]: 1 --> 2"]


@settings(max_examples=100, deadline=None)
@given(plain)
def test_a_value_does_not_differ_from_itself(value):
    """A value stored twice has no changes, not a number included."""
    assert compare(value, value) == []


@settings(max_examples=100, deadline=None)
@given(plain, plain)
def test_there_is_a_change_exactly_where_values_differ(old, new):
    """Values of different representation have a change, those of equal representation none."""

    def normal(value):
        if isinstance(value, dict):
            return {key: normal(value[key]) for key in sorted(value)}
        return [normal(item) for item in value] if isinstance(value, list) else value

    assert bool(compare(old, new)) == (repr(normal(old)) != repr(normal(new)))


def test_shared_data_is_compared_once():
    """Values whose unfolding is exponential are compared in no time."""
    old, new = (reduce(lambda inner, _: [inner, inner], range(50), [leaf]) for leaf in (1, 2))

    assert compare(old, new) == [f"x{'[0]' * 51}: 1 --> 2"]


def test_deep_and_cyclic_data_ends():
    """Cyclic data and data deeper than Python's stack are compared down to some depth."""
    cyclic = [1]
    cyclic.append(cyclic)
    deep = [read_inert(b"\x80\x03" + b"]" * 100_000 + b"a" * 99_999 + b".") for _ in range(2)]

    assert compare(cyclic, cyclic) == []
    assert list(find_changes(*deep)) == []
