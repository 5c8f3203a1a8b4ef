import pytest
from golden_tasks import add, addv
from nested_types import Perishable

from redun import task
from redun.expression import (
    Expression,
    QuotedExpression,
    SchedulerExpression,
    TaskExpression,
    ValueExpression,
    add_upstreams,
    derive_expression,
    quote,
)
from redun.hashing import hash_arguments, hash_bytes, hash_struct, hash_value_bytes
from redun.operators import LazyOperators
from redun.task import scheduler_task
from redun.values.base import pickle_dumps
from redun.values.registry import get_type_registry


@task(namespace="test_expression", version="1")
def call(*args, **kwargs):
    return args


@scheduler_task(namespace="test_expression")
def choose(scheduler, parent_job, sexpr, *args):
    return scheduler.evaluate(args[0], parent_job)


NESTED = add(1, b=addv(3))


@pytest.mark.parametrize(
    ("expression", "golden"),
    [
        (NESTED, "dc1963b8cee511989fe5f6348954ec29b5cbc680"),
        (NESTED + 1, "e996b1067269dd10adb4ee4cd5227905b02c50ff"),
        (ValueExpression(10), "8ce63809f39a33d99358ccb2b18c8761d6764aea"),
        (SchedulerExpression("redun.catch", (1, 2), {}), "8cd10cf67b4d4fa96af8d9288e65456c1f2b093e"),
    ],
)
def test_hash_is_golden(expression, golden):
    """Expressions have the addresses that existing stores know."""
    actual = expression.get_hash()

    assert actual == golden


def test_hash_formula_of_a_task_expression():
    """A task expression is addressed by task name, arguments and the pickle of the options of the call."""
    args_hash = hash_arguments([hash_value_bytes(pickle_dumps(1))], {})
    options_hash = hash_bytes(pickle_dumps({"memory": 4}))

    actual = call.options(memory=4)(1).get_hash()

    assert actual == hash_struct(["TaskExpression", "test_expression.call", args_hash, options_hash])


def test_hash_formula_with_exported_options():
    """Names of exported options make a fifth element of the address; without any there are four."""
    args_hash = hash_arguments([hash_value_bytes(pickle_dumps(1))], {})
    options = {"queue": "q", "memory": 4, "image": "i", "vcpus": 2, "gpus": 1, "timeout": 60}
    options_hash = hash_bytes(pickle_dumps(options))
    exports_hash = hash_struct(["gpus", "image", "memory", "queue", "timeout", "vcpus"])

    actual = call.export_options(**options)(1).get_hash()

    assert actual == hash_struct(["TaskExpression", "test_expression.call", args_hash, options_hash, exports_hash])


def test_hash_of_a_scheduler_expression_ignores_options():
    """Options given to a scheduler task do not take part in the address of its expression."""
    expression = choose(1)

    actual = choose.options(memory=4)(1).get_hash()

    assert actual == expression.get_hash()


def test_hash_does_not_depend_on_the_order_of_keywords():
    """The same keyword arguments in another order make an expression of the same address."""
    expression = call(a=1, b=2)

    actual = call(b=2, a=1).get_hash()

    assert actual == expression.get_hash()


@pytest.mark.parametrize(
    "other", [call(2), call(a=1), call(), call([1]), add(1), call.options(memory=1)(1), choose(1), call(1)[0]]
)
def test_hash_tells_expressions_apart(other):
    """Another task, other arguments, other options, and passing by name instead of position make other addresses."""
    expression = call(1)

    actual = other.get_hash()

    assert actual != expression.get_hash()


def test_hash_of_a_quoted_expression_is_that_of_its_pickle():
    """A quoted expression is addressed by its pickle, like any value without a formula of its own."""
    quoted = quote(NESTED)

    actual = quoted.get_hash()

    assert actual == hash_value_bytes(pickle_dumps(quoted))


@pytest.mark.parametrize(
    ("expression", "shown"),
    [
        (NESTED, "gold.add(1, b=gold.addv(3))"),
        (call("x", c=1, b=[2]), "test_expression.call('x', b=[2], c=1)"),
        (choose(call(), 2), "test_expression.choose(test_expression.call(), 2)"),
        (ValueExpression("v"), "ValueExpression('v')"),
        (quote(call(1)), "QuotedExpression(test_expression.call(1))"),
        (call([call(1)], d={"k": (call(2),)}), None),
    ],
)
def test_repr_is_the_call_as_written(expression, shown):
    """Expressions show as the calls that made them, keywords sorted."""
    nested = "test_expression.call([test_expression.call(1)], d={'k': (test_expression.call(2),)})"

    actual = repr(expression)

    assert actual == (shown or nested)


def test_repr_of_shared_expressions_stays_short():
    """The representation of an expression that refers to shared ones many times does not grow exponentially."""
    expression = call()
    for _ in range(10):
        expression = call(expression, expression, expression)

    actual = len(repr(expression))

    assert actual < 100_000


def test_iteration_yields_items_up_to_the_known_length():
    """An expression whose length is known unpacks into its items."""
    first, second = TaskExpression("test_expression.call", (), {}, length=2)

    actual = [(item.func_name, item.args[1]) for item in (first, second)]

    assert actual == [("getitem", 0), ("getitem", 1)]


def test_iteration_of_length_zero_yields_nothing():
    """An expression of length 0 unpacks into nothing."""
    expression = TaskExpression("test_expression.call", (), {}, length=0)

    actual = list(expression)

    assert actual == []


@pytest.mark.parametrize(
    ("expression", "valid"),
    [
        (call(1), True),
        (TaskExpression("test_expression.unknown", (), {}), False),
        (SchedulerExpression("test_expression.unknown", (), {}), False),
        (choose(1), True),
        (call(Perishable(True)), True),
        (call(Perishable(False)), False),
        (call(k={"a": [Perishable(False)]}), False),
        (call(1) + Perishable(False), False),
        (call(Perishable(False))["k"], False),
        (call([call(call(Perishable(False)))]), False),
        (call(TaskExpression("test_expression.unknown", (), {})), False),
        (ValueExpression(1), True),
        (ValueExpression([Perishable(False)]), False),
        (call(ValueExpression(Perishable(False))), False),
        (quote(call(Perishable(False))), False),
        (quote(call(Perishable(True))), True),
    ],
)
def test_validity_is_that_of_everything_inside(expression, valid):
    """A stored expression is valid if its tasks exist and every value in its arguments, at any depth, still holds."""
    actual = expression.is_valid(), get_type_registry().is_valid_nested({"k": [expression]})

    assert actual == (valid, valid)


def test_hash_table_works_by_identity():
    """Expressions can be keys although ``==`` is lazy: each one is its own."""
    first, second = call(1), call(1)

    table = {first: "first", second: "second"}

    assert (table[first], table[second]) == ("first", "second")


def test_quote_gives_the_expression_back():
    """A quoted expression is data until `eval` gives it back."""
    expression = call(1)

    quoted = quote(expression)

    assert type(quoted) is QuotedExpression
    assert quoted.eval() is expression


def test_derived_expression_remembers_its_source():
    """An expression made from another one lists that one as upstream, and is returned."""
    source, derived = call(1), call(2)

    actual = derive_expression(source, derived)

    assert actual is derived
    assert [upstream is source for upstream in derived._upstreams] == [True]


def test_derived_value_passes():
    """Deriving something that is no expression returns it as it is."""
    actual = derive_expression(call(1), 5)

    assert actual == 5


def test_upstreams_are_expressions_only():
    """Only expressions are remembered as sources; plain values are passed over."""
    first, second, derived = call(1), call(2), call(3)

    add_upstreams(derived, first, 7, [first], second)

    assert [id(upstream) for upstream in derived._upstreams] == [id(first), id(second)]


def test_lazy_operation_is_found_where_workflows_import_it():
    """`lazy_operation` can be imported from `redun.expression`, beside `get_lazy_operation`."""
    from redun.expression import lazy_operation

    assert callable(lazy_operation)


def test_names_beyond_ascii_are_addressed_by_the_same_formula():
    """An expression of a task with any name is addressed by the structure that the formula names."""
    expression = TaskExpression("größe", (), {})
    parts = ["TaskExpression", "größe", hash_arguments([], {}), hash_bytes(pickle_dumps({}))]

    assert expression.get_hash() == hash_struct(parts)


@pytest.mark.parametrize(
    "use", [lambda: repr(Expression()), lambda: LazyOperators() + 1], ids=["expression", "operators"]
)
def test_bases_have_no_meaning(use):
    """The base of expressions has no text, and that of operators makes no expressions; their subclasses do."""
    with pytest.raises(NotImplementedError):
        use()
