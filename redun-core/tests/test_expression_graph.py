import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from redun import task
from redun.expression import ValueExpression, quote
from redun.hashing import hash_arguments, hash_struct, hash_value_bytes
from redun.values.base import pickle_dumps
from redun.values.codec import MIME_TYPE_GRAPH, list_children_first
from redun.values.registry import get_type_registry

DEPTH = 100_000


@task(namespace="test_expression_graph", version="1")
def call(*args, **kwargs):
    return args


LINKS = {
    "task": lambda inner: call(inner),
    "keyword": lambda inner: call(k=inner),
    "container": lambda inner: call([inner], k={"a": (1, 2)}),
    "options": lambda inner: call.options(memory=4)(inner),
    "exports": lambda inner: call.export_options(memory=4)(inner),
    "operator": lambda inner: inner + 1,
    "item": lambda inner: inner["k"],
    "attribute": lambda inner: inner.name,
    "call": lambda inner: inner(inner),
}


def build_chain(link, depth):
    expression = call(0)
    for _ in range(depth):
        expression = link(expression)
    return expression


def store_and_read(value):
    registry = get_type_registry()
    encoded = registry.encode(value)
    return registry.decode(encoded.type_name, encoded.format, encoded.data)


def build_graph(steps, hash_early):
    """Return the last of a row of expressions, each made of earlier ones by the link and the indices of a step."""
    nodes = [call(0), ValueExpression(1)]
    for link, first, second in steps:
        left, right = nodes[first % len(nodes)], nodes[second % len(nodes)]
        made = LINKS[link](left) if first % 2 else call(left, [right], k={"r": right})
        if hash_early:
            made.get_hash()
        nodes.append(made)
    return nodes[-1]


GRAPHS = st.lists(
    st.tuples(st.sampled_from(sorted(LINKS)), st.integers(0, 1000), st.integers(0, 1000)), min_size=1, max_size=60
)


@given(GRAPHS)
@settings(max_examples=50, deadline=None)
def test_hash_does_not_depend_on_when_it_is_computed(steps):
    """An expression has the same address whether its parts were addressed one by one before or all at once."""
    at_once = build_graph(steps, hash_early=False)

    actual = at_once.get_hash()

    assert actual == build_graph(steps, hash_early=True).get_hash()


@given(GRAPHS)
@settings(max_examples=50, deadline=None)
def test_storing_keeps_address_and_sharing(steps):
    """An expression that is stored and read has its address, its representation and as many nodes as before."""
    expression = build_graph(steps, hash_early=False)

    actual = store_and_read(expression)

    assert (actual.get_hash(), repr(actual)) == (expression.get_hash(), repr(expression))
    assert len(list_children_first([actual])) == len(list_children_first([expression]))


@given(GRAPHS)
@settings(max_examples=50, deadline=None)
def test_children_come_before_their_parents(steps):
    """Listing a graph children first names every node once, and each after all that it refers to."""
    root = build_graph(steps, hash_early=False)

    ordered = list_children_first([root])

    places = {id(node): place for place, node in enumerate(ordered)}
    assert len(places) == len(ordered)
    assert places[id(root)] == len(ordered) - 1
    assert all(places[id(child)] < places[id(node)] for node in ordered for child in node.iter_children())


def test_graph_is_stored_under_its_own_format():
    """A value that holds expressions is stored as a graph, plain data as a pickle."""
    registry = get_type_registry()

    actual = [registry.encode(value).format for value in (call(1), [call(1)], {"k": quote(call(1))})]

    assert actual == [MIME_TYPE_GRAPH] * 3


def test_shared_expression_is_stored_once():
    """The stored size of an expression that refers to shared ones grows with their number, not with the paths."""
    expression = call(0)
    for _ in range(100):
        expression = call(expression, expression)

    actual = store_and_read(expression)

    assert actual.args[0] is actual.args[1]
    assert len(get_type_registry().encode(expression).data) < 20_000


@pytest.mark.parametrize(
    ("name", "depth"), [("task", DEPTH), ("operator", 10_000), ("container", 3_000), ("keyword", 10_000)]
)
def test_deep_expression_is_addressed_stored_and_shown(name, depth):
    """A chain of 100,000 calls is hashed, stored, read, checked and shown at Python's default recursion limit."""
    expression = build_chain(LINKS[name], depth)

    actual = store_and_read(expression)

    assert actual.get_hash() == expression.get_hash()
    assert actual.is_valid()
    assert len(repr(actual)) < 10_000


def test_address_of_a_deep_expression_follows_the_formula():
    """The address of an expression is made from those of its arguments in the same way at any depth."""
    inner = build_chain(LINKS["operator"], 10_000)

    actual = (inner + 1).get_hash()

    args_hash = hash_arguments([inner.get_hash(), hash_value_bytes(pickle_dumps(1))], {})
    assert actual == hash_struct(["SimpleExpression", "add", args_hash])


def test_deep_expression_shows_its_outermost_calls():
    """The representation of a deep expression shows the outermost calls and marks what it leaves out."""
    expression = build_chain(LINKS["task"], 1000)

    actual = repr(expression)

    assert actual.startswith("test_expression_graph.call(" * 2)
    assert actual.endswith("(...)" + ")" * 19)


def test_deep_expression_is_released():
    """A chain of 100,000 calls is freed without exhausting the stack: a small one, where Python can free lists so.

    Since Python 3.13, freeing may go as deep as the stack of a main thread allows.
    """
    stack_size = 256 * 1024 if sys.version_info < (3, 13) else 0
    program = f"""
import threading
from redun import task

@task(namespace="released", version="1")
def call(*args):
    return args

def work():
    expression = call(0)
    for _ in range({DEPTH // 2}):
        expression = call([expression]) + 1
    del expression
    print("released")

threading.stack_size({stack_size})
thread = threading.Thread(target=work)
thread.start()
thread.join()
"""

    finished = subprocess.run([sys.executable, "-"], input=program, capture_output=True, text=True, check=False)

    assert (finished.returncode, finished.stdout, finished.stderr) == (0, "released\n", "")


@pytest.mark.parametrize("link", [lambda inner: quote(call(inner)), lambda inner: call(ValueExpression(inner))])
def test_depth_through_quotes_and_values_is_free(link):
    """Expressions inside quoted expressions and value expressions may be nested as deep as others."""
    expression = build_chain(link, 2_000)

    actual = store_and_read(expression)

    assert actual.get_hash() == expression.get_hash()


def test_depth_through_partial_tasks_is_free():
    """Expressions inside the arguments of partial tasks may be nested as deep as others."""
    expression = build_chain(lambda inner: call(call.partial(inner)), 2_000)

    actual = store_and_read(expression)

    assert actual.get_hash() == expression.get_hash()


def test_depth_through_options_is_free():
    """The value of an option may be an expression of any depth."""
    expression = call.options(memory=build_chain(LINKS["task"], 2_000))

    actual = expression(1)

    assert len(actual.get_hash()) == 40


def test_address_is_the_same_in_every_process():
    """A container of an expression that exports several options has one address, whatever Python's hash seed."""
    program = """
from redun.expression import TaskExpression
expression = TaskExpression("any.task", (), {}, {"a": 1, "b": 2, "c": 3}, ["a", "b", "c"])
print(TaskExpression("any.task", ([expression],), {}).get_hash())
"""
    command = [sys.executable, "-c", program]

    printed = {
        subprocess.run(command, env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True).stdout
        for seed in ("1", "2", "3", "4")
    }

    assert len(printed) == 1
