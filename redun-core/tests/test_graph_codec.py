from functools import reduce
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from profiles import count_calls

from redun.errors import InvalidValueError
from redun.expression import QuotedExpression, SimpleExpression, TaskExpression, ValueExpression
from redun.hashing import hash_value_bytes
from redun.values.base import pickle_dumps
from redun.values.codec import (
    MIME_TYPE_GRAPH,
    SMALL_GRAPH_DEPTH,
    SMALL_GRAPH_NODES,
    dump_graph,
    list_children_first,
    load_graph,
)
from redun.values.nested import find_leaves
from redun.values.registry import get_type_registry

registry = get_type_registry()


class Pair(NamedTuple):
    first: object
    second: object


def leaf(value=0):
    return SimpleExpression("add", (value, 1))


def chain(depth, grow=lambda inner: SimpleExpression("add", (inner, 1)), start=0):
    return reduce(lambda inner, _: grow(inner), range(depth - 1), leaf(start))


def round_trip(value):
    encoded = registry.encode(value)
    return registry.decode(encoded.type_name, encoded.format, encoded.data)


def test_children_are_listed_before_the_nodes_that_refer_to_them():
    """Every node appears once, after all it refers to, the roots in order."""
    a, b = leaf(1), leaf(2)
    c = SimpleExpression("add", ([a, b], {"k": a}))
    d = SimpleExpression("mul", (c, b))

    assert list(map(id, list_children_first([d, a]))) == list(map(id, [a, b, c, d]))
    assert list_children_first([]) == []


def test_an_exponential_unfolding_is_listed_in_the_size_of_the_graph():
    """A node that is referred to twice on every level is listed once."""
    graph = reduce(lambda inner, _: SimpleExpression("add", (inner, inner)), range(200), leaf())

    assert len(list_children_first([graph])) == 201


@pytest.mark.parametrize(
    ("value", "type_name"),
    [
        (chain(3), "redun.expression.SimpleExpression"),
        (TaskExpression("f", (1,), {"k": leaf()}, {"memory": 1}, ["memory"], 2), "redun.expression.TaskExpression"),
        (ValueExpression([1]), "redun.expression.ValueExpression"),
        (QuotedExpression(chain(2)), "redun.expression.QuotedExpression"),
        ([1, leaf(), {"k": (leaf(),)}], "builtins.list"),
        (Pair(leaf(), 1), f"{__name__}.Pair"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_values_with_expressions_are_stored_as_graphs(value, type_name):
    """Expressions, and containers of them, have the graph format, and come back the same."""
    encoded = registry.encode(value)

    restored = registry.decode(encoded.type_name, encoded.format, encoded.data)

    assert (encoded.type_name, encoded.format) == (type_name, MIME_TYPE_GRAPH)
    assert repr(restored) == repr(value)
    assert registry.encode(restored) == encoded


def test_all_of_a_task_expression_comes_back():
    """Options, exported options and length of a task's expression are stored with it."""
    restored = round_trip(TaskExpression("f", (1,), {"a": 2}, {"memory": 1, "vcpus": 2}, ["vcpus"], 3))

    kept = (restored.task_options, restored.export_options, restored.length, restored.args, restored.kwargs)
    assert kept == ({"memory": 1, "vcpus": 2}, {"vcpus"}, 3, (1,), {"a": 2})


GROW = {
    "operation": lambda inner: SimpleExpression("add", (inner, 1)),
    "containers": lambda inner: TaskExpression("f", ([inner],), {"k": {"inner": inner}}),
    "quoted": lambda inner: QuotedExpression(SimpleExpression("add", (inner, 1))),
    "options": lambda inner: TaskExpression("f", (), {}, {"memory": inner}),
    "value": ValueExpression,
}


@pytest.mark.parametrize(
    ("kind", "depth"),
    [("operation", 100_000), ("containers", 1_500), ("quoted", 3_000), ("options", 3_000), ("value", 800)],
)
def test_depth_costs_no_recursion(kind, depth):
    """A graph of any depth is addressed, stored, read and released, whatever way its nodes refer to one another."""
    value = [chain(depth, GROW[kind])]

    encoded = registry.encode(value)
    nodes, restored = load_graph(encoded.data)

    assert len(nodes) == len(list_children_first(value))
    assert restored[0] is nodes[-1]
    assert restored[0].get_hash() == value[0].get_hash()


@pytest.mark.parametrize(
    "kind",
    [
        "operation",
        "containers",
        "quoted",
        "options",
        "value",
    ],
)
def test_cost_grows_with_depth_and_not_faster(kind):
    """Twice the depth takes about twice the work to address and store."""
    single, double = (count_calls(registry.encode, [chain(depth, GROW[kind])]) for depth in (200, 400))

    assert double < 2.5 * single


def test_shared_nodes_and_arguments_stay_shared():
    """What was one object before storing is one object afterwards."""
    inner, argument = leaf(), [1, 2]
    value = [SimpleExpression("add", (inner, argument)), SimpleExpression("mul", (inner, argument)), inner]

    first, second, third = round_trip(value)

    assert first.args[0] is second.args[0] is third
    assert first.args[1] is second.args[1]


@pytest.mark.parametrize("is_small", [True, False])
@pytest.mark.parametrize(
    "make",
    [
        lambda is_small: [chain(SMALL_GRAPH_DEPTH if is_small else SMALL_GRAPH_DEPTH + 1)],
        lambda is_small: [leaf(index) for index in range(SMALL_GRAPH_NODES + (not is_small))],
        lambda is_small: {"k": reduce(lambda e, _: SimpleExpression("add", (e, e)), range(7 - is_small), leaf())},
    ],
    ids=["depth", "width", "unfolded"],
)
def test_only_small_graphs_are_addressed_by_their_plain_pickle(make, is_small):
    """Up to a depth and a number of nodes, unfolded, a container's address is its pickle's, as in existing stores."""
    value = make(is_small)

    address = registry.encode(value).value_hash

    assert (address == hash_value_bytes(pickle_dumps(value))) is is_small
    assert address == registry.encode(make(is_small)).value_hash


def test_what_counts_as_small_is_part_of_the_formula():
    """Addresses in existing stores depend on how large a small graph is, so these numbers never change."""
    assert (SMALL_GRAPH_NODES, SMALL_GRAPH_DEPTH) == (200, 20)


def test_large_graphs_are_told_apart_by_what_they_hold():
    """Containers of large graphs differ when an expression deep inside differs, or its place does."""
    one, two = chain(100, start=1), chain(100, start=2)

    addresses = {registry.encode(value).value_hash for value in ([one], [two], [one, two], [two, one], (one,))}

    assert len(addresses) == 5


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_truncated_graphs_are_invalid_values(data):
    """A graph that was stored only in part can't be read, and the message names its type."""
    encoded = registry.encode([chain(3), {"k": 1}])
    end = data.draw(st.integers(0, len(encoded.data) - 1))

    with pytest.raises(InvalidValueError, match=r"a stored builtins\.list can't be read: "):
        registry.decode(encoded.type_name, MIME_TYPE_GRAPH, encoded.data[:end])


def test_graphs_are_read_from_what_was_dumped():
    """Dumping and loading a graph give the nodes, children first, and the value."""
    inner = leaf(7)
    value = {"k": SimpleExpression("add", (inner, 1))}

    nodes, restored = load_graph(dump_graph(value, find_leaves(value)))

    assert [repr(node) for node in nodes] == [repr(inner), repr(value["k"])]
    assert restored["k"] is nodes[-1]
