import os
import pickle
import subprocess
import sys
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redun.values.base import pickle_dumps
from redun.values.order import may_have_unordered_sets
from redun.values.registry import get_type_registry

_PROGRAM = """
import sys
sys.path.insert(0, {folder!r})
from redun import task
from redun.values.registry import get_type_registry
from test_order import make_values
f = task(name="f", namespace="test_order", version="1")(lambda *args: args)
print(*[get_type_registry().get_hash(value) for value in make_values()], f({{"a", "b", "c", "d"}}).get_hash())
"""

numbers = st.integers() | st.floats(allow_nan=False) | st.booleans()
nested_numbers = st.recursive(
    numbers | st.frozensets(numbers | st.tuples(numbers)),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=3),
)


@dataclass
class Holder:
    names: set


def make_values():
    """Return values that hold sets whose order differs from process to process."""
    names = {"alpha", "beta", "gamma", "delta", "epsilon"}
    return [
        [names],
        {"names": names, "again": names},
        (frozenset(names), 1),
        Holder(names),
        [frozenset([frozenset(names), frozenset(["beta"]), ("gamma", 1)])],
        [{None, "alpha", 1, b"beta", ("gamma", 2.0)}],
        [{f"first {number}", f"second {number}"} for number in range(10)],
        [{frozenset({f"{letter} {number}" for letter in "abcdef"}) for number in range(6)}],
    ]


def test_sets_inside_values_have_one_address_in_every_process():
    """A value that holds sets, and an expression with one as argument, has one address whatever Python's hash seed."""
    code = _PROGRAM.format(folder=os.path.dirname(__file__))

    printed = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2", "3", "4")
    }

    assert len(printed) == 1
    assert len(printed.pop().split()) == len(make_values()) + 1


@pytest.mark.parametrize("value", make_values(), ids=range(len(make_values())))
def test_value_with_sets_is_read_as_it_was(value):
    """What is pickled in a fixed order is the same value when it is read."""
    registry = get_type_registry()

    actual = registry.deserialize(registry.get_type_name(type(value)), registry.serialize(value))

    assert actual == value


@given(nested_numbers)
def test_sets_of_numbers_keep_their_pickle(value):
    """A value whose sets are of numbers has the pickle, and so the address, that existing stores know."""
    assert pickle_dumps(value) == pickle.dumps(value, 3)


@pytest.mark.parametrize("value", [[{1}] * 1001, [{3, 1, 2}], ["a text with set\n in it"], {"set\n": [set(), {"a"}]}])
def test_what_needs_no_order_keeps_its_pickle(value):
    """A value without a set that needs to be put in order is pickled as it always was."""
    assert pickle_dumps(value) == pickle.dumps(value, 3)


def test_equal_sets_in_one_value_stay_one_object():
    """A set that a value refers to twice is read as one."""
    names = {"alpha", "beta"}

    first, second = pickle.loads(pickle_dumps([names, names]))

    assert first is second


def test_value_nested_too_deep_for_it_is_pickled_all_the_same():
    """A value that is too deep for putting its sets in order can be stored."""
    value = {"alpha", "beta"}
    for _ in range(300):
        value = [value]

    assert pickle.loads(pickle_dumps(value)) == value


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (set(), False),
        ([set(), frozenset(), {1}], False),
        ({1, 2}, True),
        (frozenset("ab"), True),
        ([set(), {"a", "b"}], True),
        ([{"a"}, [set()], {"x": {"a", "b"}}], True),
        ([*map(str, range(300)), set(), {"a", "b"}], True),
        ([*map(str, range(300)), set(), {"a"}], False),
        ([*map(str, range(300)), {"a", "b"}], True),
        (pickle.dumps({1, 2}, 3), True),
        ("text with set\n in it", False),
    ],
)
def test_sets_of_several_items_are_seen_in_their_pickle(value, expected):
    """Whether a pickle holds a set of several items is told from its bytes, also inside pickles inside it."""
    assert may_have_unordered_sets(pickle.dumps(value, 3)) == expected
