from collections import OrderedDict
from dataclasses import InitVar, dataclass, make_dataclass
from functools import reduce

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nested_types import Frozen, KeywordOnly, Leaf, Pair, Plain, Slotted

from redun.values.nested import map_nested_value, substitute

leaf, other = Leaf("leaf"), Leaf("other")
plain_cyclic = [1]
plain_cyclic.append(plain_cyclic)


@pytest.mark.parametrize(
    ("value", "mapped"),
    [
        (1, "1"),
        ([1, [2]], ["1", ["2"]]),
        ((1, (2,)), ("1", ("2",))),
        ({1}, {"1"}),
        ({1: 2, (3,): [4]}, {"1": "2", ("3",): ["4"]}),
        (Pair(1, [2]), Pair("1", ["2"])),
        (Plain(1, [2]), Plain("1", ["2"])),
        (Frozen(1), Frozen("1")),
        (Slotted(1), Slotted("1")),
        (KeywordOnly(a=1), KeywordOnly(a="1")),
        ([frozenset([1]), OrderedDict(a=1)], [str(frozenset([1])), str(OrderedDict(a=1))]),
    ],
    ids=repr,
)
def test_mapping_rebuilds_containers_of_the_same_type(value, mapped):
    """Every leaf is replaced by what the function makes of it, in containers of the same type."""
    result = map_nested_value(lambda item: None if item is None else str(item), value)

    assert (type(result), repr(result)) == (type(mapped), repr(mapped))


few_plain = st.recursive(
    st.integers() | st.text(max_size=5) | st.none(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.builds(Pair, inner, inner)
        | st.builds(Plain, inner, inner)
        | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
)


@settings(max_examples=50, deadline=None)
@given(few_plain)
def test_mapping_the_identity_makes_an_equal_value(value):
    """Mapping every leaf to itself copies the containers and changes nothing."""
    assert map_nested_value(lambda item: item, value) == value


def test_mapping_copies_containers():
    """The containers of the result are new, also where nothing was replaced."""
    value = [[1], {"k": (2,)}]

    mapped = map_nested_value(lambda item: item, value)

    assert (mapped is value, mapped[0] is value[0], mapped[1] is value[1]) == (False, False, False)


def test_mapping_keeps_attributes_beside_the_fields():
    """Attributes beside a dataclass's fields, and fields that its constructor does not take, are kept."""
    value = Frozen(1)
    object.__setattr__(value, "total", [5])
    object.__setattr__(value, "extra", 6)

    mapped = map_nested_value(str, value)

    assert vars(mapped) == {"a": "1", "total": ["5"], "extra": "6"}


def test_mapping_leaves_fields_unset_that_never_were_set():
    """A field without a value has none in the copy."""
    assert vars(map_nested_value(str, KeywordOnly(a=1))) == {"a": "1"}


def test_dataclass_that_its_fields_do_not_make_is_an_error():
    """What the constructor took and no field keeps can't be given to it again; the error names it."""
    with_init_only = make_dataclass("WithInitOnly", [("a", object), ("scale", InitVar[int])])

    with pytest.raises(TypeError, match="scale"):
        map_nested_value(str, with_init_only(1, scale=2))


def test_dataclasses_that_are_lists_keep_their_items():
    """A subclass of a list is a leaf, also when it is a dataclass; its items are never lost."""
    value = dataclass(type("Fresh", (list,), {}))()
    value.append(1)

    assert list(map_nested_value(lambda item: item, value)) == [1]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (leaf, "new"),
        (other, other),
        ([leaf, other], ["new", other]),
        ([1, [leaf], (leaf, {"k": leaf})], [1, ["new"], ("new", {"k": "new"})]),
        ({leaf: leaf}, {"new": "new"}),
        ({leaf}, {"new"}),
        (Pair(leaf, 1), Pair("new", 1)),
        (Plain(leaf), Plain("new")),
        (Slotted(leaf), Slotted("new")),
    ],
    ids=repr,
)
def test_substitution_replaces_leaves_by_identity(value, expected):
    """Leaves that are named by their id are replaced wherever they are; the others stay."""
    assert substitute(value, {id(leaf): "new"}) == expected


def test_substitution_does_not_touch_the_original():
    """The value given keeps its leaves."""
    value = [leaf, {"k": (leaf,)}]

    substitute(value, {id(leaf): 1})

    assert value == [leaf, {"k": (leaf,)}]


def test_substitution_of_items_makes_a_tuple():
    """The items of an argument list are substituted one by one."""
    assert substitute((leaf, [leaf], 3), {id(leaf): "new"}) == ("new", ["new"], 3)


@pytest.mark.parametrize("value", [(1, 2), {"k": [1]}, Plain(1), Pair(1, 2), {1}, "text"], ids=repr)
def test_substitution_returns_plain_data_itself(value):
    """Data without leaves is not copied."""
    assert substitute(value, {id(leaf): "new"}) is value


@pytest.mark.parametrize(
    "value", [plain_cyclic, reduce(lambda inner, _: [inner], range(100_000), 1)], ids=["cyclic", "deep"]
)
def test_substitution_leaves_plain_data_alone_however_it_is_nested(value):
    """Plain lists beside an expression may be cyclic or deep; they hold nothing to replace."""
    assert substitute((leaf, value), {id(leaf): "new"})[0] == "new"
