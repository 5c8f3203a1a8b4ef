import os
import subprocess
import sys
from collections import OrderedDict, defaultdict, deque
from dataclasses import dataclass
from functools import reduce

import pytest
from nested_types import Frozen, KeywordOnly, Leaf, Pair, Plain, Slotted
from profiles import count_calls

from redun.values.base import ProxyValue, Value
from redun.values.nested import (
    find_leaves,
    find_proxy,
    iter_nested_value,
)

PLUGIN = {
    "foreign.py": "class Thing: pass\n",
    "redun_thing/__init__.py": "",
    "redun_thing/plugin.py": (
        "from redun.plugins import Provider\nfrom redun.plugins.specs import hookimpl\nredun_api = 1\n"
        "@hookimpl\ndef redun_values():\n"
        "    yield Provider('foreign.Thing', 'redun_thing.value:ThingValue', 'Things')\n"
    ),
    "redun_thing/value.py": (
        "from foreign import Thing\nfrom redun.values.base import ProxyValue\n"
        "class ThingValue(ProxyValue):\n    type = Thing\n    def is_valid(self): return False\n"
    ),
    "redun_thing-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: redun-thing\nVersion: 1.0\n",
    "redun_thing-1.0.dist-info/entry_points.txt": "[redun]\nthing = redun_thing.plugin\n",
}


@dataclass
class Record(Value):
    """A dataclass that is a value is a leaf."""

    a: object

    def __getstate__(self):
        return {}

    def __setstate__(self, state):
        pass


leaf, other = Leaf("leaf"), Leaf("other")
shared = [leaf]
cyclic = [leaf, 1]
cyclic.append({"again": cyclic})
plain_cyclic = [1]
plain_cyclic.append(plain_cyclic)


class ListKind(list):
    pass


class DictKind(dict):
    pass


class SetKind(set):
    pass


class TupleKind(tuple):
    __slots__ = ()


@pytest.mark.parametrize(
    ("value", "leaves"),
    [
        (leaf, [leaf]),
        ([leaf, other], [leaf, other]),
        ((1, leaf, "a", (other,)), [leaf, other]),
        ({leaf}, [leaf]),
        ({leaf: 1, "k": other}, [leaf, other]),
        (Pair(leaf, [other]), [leaf, other]),
        (Plain([other], leaf), [other, leaf]),
        (Frozen(leaf), [leaf, leaf]),
        (Slotted(leaf), [leaf]),
        (KeywordOnly(a=leaf), [leaf]),
        ([leaf, leaf], [leaf, leaf]),
        ([shared, shared], [leaf]),
        ([Record(leaf)], [Record(leaf)]),
        (cyclic, [leaf]),
        ([[[1]], [(), {}], leaf, {"k": [other]}], [leaf, other]),
    ],
    ids=repr,
)
def test_leaves_are_found_in_every_kind_of_container(value, leaves):
    """Values are found in containers of every kind, in order of appearance; each container is entered once."""
    assert list(find_leaves(value)) == leaves


@pytest.mark.parametrize(
    "value",
    [
        1,
        "text",
        None,
        [],
        [1, [2, (3, {4})], {"k": b"b"}],
        Pair(1, 2),
        Plain(1),
        Plain,
        Leaf,
        plain_cyclic,
        OrderedDict(a=leaf),
        defaultdict(list, a=[leaf]),
        deque([leaf]),
        frozenset([leaf]),
        ListKind([leaf]),
        DictKind(a=leaf),
        SetKind([leaf]),
        TupleKind([leaf]),
    ],
    ids=repr,
)
def test_plain_data_and_kinds_of_containers_have_no_leaves(value):
    """Plain data is passed over, and subclasses of containers are not looked into."""
    assert list(find_leaves(value)) == []


def test_attributes_beside_the_fields_are_looked_into():
    """What was set on a dataclass instance beside its fields is part of it."""
    value = Plain(1)
    value.extra = [leaf]

    assert list(find_leaves(value)) == [leaf]


def test_deeply_nested_containers_are_walked_without_recursion():
    """Depth does not matter to finding leaves."""
    value = reduce(lambda inner, _: [inner], range(100_000), leaf)

    assert list(find_leaves(value)) == [leaf]


@pytest.mark.parametrize("make", [list, tuple, set, lambda items: dict.fromkeys(items, "v"), lambda items: [items]])
def test_plain_data_is_dismissed_without_visiting_it(make):
    """Whether a large container of plain data holds leaves is found out at the cost of a small one."""
    small, large = make(range(10)), make(range(100_000))
    find_leaves([small, large])

    assert count_calls(find_leaves, large) == count_calls(find_leaves, small)


def test_shared_containers_are_entered_once():
    """A structure whose unfolding is exponential is walked in the size of its graph."""
    value = reduce(lambda inner, _: [inner, inner], range(200), leaf)

    assert list(find_leaves(value)) == [leaf, leaf]
    assert list(iter_nested_value(value)) == [leaf, leaf]


def test_a_proxy_may_be_defined_while_a_value_is_walked():
    """A walk goes on when, on the way or in another thread, a proxy is defined, as importing a plugin does."""

    class Lazy(Pair):
        def __iter__(self):
            type("ForeignValue", (ProxyValue,), {"type": type("Foreign", (), {})})
            return super().__iter__()

    assert list(find_leaves([Lazy(1, []), leaf])) == [leaf]


def test_a_value_type_that_a_plugin_provides_is_loaded_while_a_value_is_walked(tmp_path):
    """The first value of a type that an installed plugin looks after is found inside containers."""
    for name, text in PLUGIN.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    program = (
        "from foreign import Thing\nfrom redun.values.registry import get_type_registry\n"
        "print(get_type_registry().is_valid_nested([1, 'a', Thing()]))"
    )

    ran = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (ran.stdout.strip(), ran.stderr) == ("False", "")


def test_types_without_a_proxy_have_none():
    """A type that nobody looks after has no proxy."""
    assert find_proxy(type("Unknown", (), {})) is None


@pytest.mark.parametrize(
    ("value", "items"),
    [
        (1, [1]),
        ([], []),
        ([1, [2, (3,)], {"k": 4}], [1, 2, 3, "k", 4]),
        (Pair(1, Plain(2, 3)), [1, 2, 3]),
        ([ListKind([1]), frozenset([2])], [ListKind([1]), frozenset([2])]),
        (cyclic, [leaf, 1, "again"]),
    ],
    ids=repr,
)
def test_iteration_yields_every_leaf(value, items):
    """All leaves are yielded in order, plain ones too."""
    assert list(iter_nested_value(value)) == items
