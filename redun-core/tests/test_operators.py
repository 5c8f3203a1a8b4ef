import operator
import pickle
from dataclasses import dataclass

import pytest

from redun import Scheduler, task
from redun.expression import SimpleExpression, ValueExpression
from redun.operators import LazyOperators, format_operation, get_lazy_operation, lazy_operation

BINARY = [
    ("eq", "==", operator.eq, 3, 3),
    ("ne", "!=", operator.ne, 3, 4),
    ("lt", "<", operator.lt, 3, 4),
    ("le", "<=", operator.le, 3, 3),
    ("gt", ">", operator.gt, 4, 3),
    ("ge", ">=", operator.ge, 3, 4),
    ("add", "+", operator.add, "left", "right"),
    ("sub", "-", operator.sub, 7, 2),
    ("mul", "*", operator.mul, "ab", 3),
    ("div", "/", operator.truediv, 7, 2),
    ("floordiv", "//", operator.floordiv, 7, 2),
    ("mod", "%", operator.mod, 7, 4),
    ("pow", "**", operator.pow, 2, 5),
]
REFLECTED = [
    ("radd", "+", operator.add, "left", "right"),
    ("rsub", "-", operator.sub, 7, 2),
    ("rmul", "*", operator.mul, "ab", 3),
    ("rdiv", "/", operator.truediv, 7, 2),
    ("rfloordiv", "//", operator.floordiv, 7, 2),
    ("rmod", "%", operator.mod, 7, 4),
    ("rpow", "**", operator.pow, 2, 5),
]
UNARY = [
    ("neg", operator.neg, 3, "(-ValueExpression(3))"),
    ("pos", operator.pos, -3, "(+ValueExpression(-3))"),
    ("abs", abs, -3, "abs(ValueExpression(-3))"),
]
OPEN_SLICES = [
    (slice(None), ":"),
    (slice(2, None), "2:"),
    (slice(None, None, 2), "::2"),
    (slice(-1), ":-1"),
    (slice(-3, -1), "-3:-1"),
    (slice(-3, 5), "-3:5"),
    (slice(None, 2, -1), ":2:-1"),
]
MIRRORED = [
    ("eq", operator.eq),
    ("ne", operator.ne),
    ("gt", operator.lt),
    ("ge", operator.le),
    ("lt", operator.gt),
    ("le", operator.ge),
]
TRUTHS = [(0, 5), (5, 0), (5, 6), (0, ""), ([], {})]


@task(namespace="test_operators", version="1")
def give(value):
    return value


@dataclass(frozen=True)
class Scaling:
    factor: int

    def __matmul__(self, other):
        return Scaling(self.factor * other.factor) if isinstance(other, Scaling) else NotImplemented


@pytest.fixture
def own_operation():
    """Let a test define operation `power`, written ``^``, and take it away afterwards."""
    yield lazy_operation(method="__xor__", name="test_operators.power", symbol="^")
    del LazyOperators.__xor__


@pytest.mark.parametrize(("name", "symbol", "func", "left", "right"), BINARY)
def test_operator_on_an_expression_makes_a_simple_expression(name, symbol, func, left, right):
    """A binary operator with an expression on its left makes an expression with the operator's name and operands."""
    expression = ValueExpression(left)

    made = func(expression, right)

    assert (type(made), made.func_name, made.kwargs) == (SimpleExpression, name, {})
    assert made.args[0] is expression
    assert made.args[1] == right


@pytest.mark.parametrize(("name", "symbol", "func", "left", "right"), BINARY)
def test_operator_shows_as_it_is_written(name, symbol, func, left, right):
    """The representation of a binary operator has the symbol between the operands, in parentheses."""
    actual = repr(func(ValueExpression(left), right))

    assert actual == f"(ValueExpression({left!r}) {symbol} {right!r})"


@pytest.mark.parametrize(("name", "symbol", "func", "left", "right"), BINARY)
def test_operator_is_reduced_to_what_python_computes(name, symbol, func, left, right):
    """Reducing an operator applies it to the values of both operands."""
    expression = func(give(left), give(right))

    actual = Scheduler().run(expression)

    assert actual == func(left, right)


@pytest.mark.parametrize(("name", "symbol", "func", "left", "right"), REFLECTED)
def test_reflected_operator_has_its_own_name(name, symbol, func, left, right):
    """An arithmetic operator with an expression on its right only is named with an ``r`` and holds it first."""
    expression = ValueExpression(right)

    made = func(left, expression)

    assert made.func_name == name
    assert made.args[0] is expression
    assert made.args[1] == left


@pytest.mark.parametrize(("name", "symbol", "func", "left", "right"), REFLECTED)
def test_reflected_operator_shows_operands_in_the_order_written(name, symbol, func, left, right):
    """The representation of a reflected operator has the plain value on the left, where the user wrote it."""
    actual = repr(func(left, ValueExpression(right)))

    assert actual == f"({left!r} {symbol} ValueExpression({right!r}))"


@pytest.mark.parametrize(("name", "symbol", "func", "left", "right"), REFLECTED)
def test_reflected_operator_is_reduced_in_the_order_written(name, symbol, func, left, right):
    """Reducing a reflected operator computes ``left op right``."""
    expression = func(left, give(right))

    actual = Scheduler().run(expression)

    assert actual == func(left, right)


@pytest.mark.parametrize(("name", "func"), MIRRORED)
def test_comparison_from_the_right_is_mirrored(name, func):
    """Python turns a comparison with an expression on the right around, so ``1 < x`` is stored as ``x > 1``."""
    made = func(1, ValueExpression(2))

    assert (made.func_name, made.args[1]) == (name, 1)


@pytest.mark.parametrize(("left", "right"), TRUTHS)
def test_ampersand_is_pythons_and(left, right):
    """``&`` is the logical ``and`` of the values, from either side, not the bitwise operation."""
    from_left = Scheduler().run(give(left) & right)
    from_right = Scheduler().run(left & give(right))

    assert (from_left, from_right) == (left and right, left and right)


@pytest.mark.parametrize(("left", "right"), TRUTHS)
def test_bar_is_pythons_or(left, right):
    """``|`` is the logical ``or`` of the values, from either side, not the bitwise operation."""
    from_left = Scheduler().run(give(left) | right)
    from_right = Scheduler().run(left | give(right))

    assert (from_left, from_right) == (left or right, left or right)


@pytest.mark.parametrize(
    ("made", "name", "shown"),
    [
        (ValueExpression(1) & 2, "and", "(ValueExpression(1) & 2)"),
        (2 & ValueExpression(1), "rand", "(2 & ValueExpression(1))"),
        (ValueExpression(1) | 2, "or", "(ValueExpression(1) | 2)"),
        (2 | ValueExpression(1), "ror", "(2 | ValueExpression(1))"),
    ],
)
def test_logical_operators_have_names_and_symbols(made, name, shown):
    """``&`` and ``|`` are stored as ``and``, ``or``, ``rand`` and ``ror``, and show as they are written."""
    actual = made.func_name, repr(made)

    assert actual == (name, shown)


def test_logical_operators_evaluate_both_sides():
    """``&`` does not stop at a false left side: an error on its right is raised."""
    expression = give(0) & (give(1) / 0)

    with pytest.raises(ZeroDivisionError):
        Scheduler().run(expression)


@pytest.mark.parametrize(
    ("access", "name", "rest", "shown"),
    [
        (lambda x: x["k"], "getitem", ("k",), "ValueExpression(7)['k']"),
        (lambda x: x.real, "getattr", ("real",), "ValueExpression(7).real"),
        (lambda x: x(1, b=2, a=3), "call", ((1,), {"b": 2, "a": 3}), "ValueExpression(7)(1, a=3, b=2)"),
        (lambda x: x(), "call", ((), {}), "ValueExpression(7)()"),
    ],
)
def test_access_makes_a_simple_expression(access, name, rest, shown):
    """Item access, attribute access and calls are operations; a call holds its arguments as a tuple and a dict."""
    made = access(ValueExpression(7))

    assert (made.func_name, made.args[1:], made.kwargs, repr(made)) == (name, rest, {}, shown)


def test_access_is_reduced_to_what_python_gives():
    """Items, attributes and calls of an expression are those of its value."""
    text = give({"k": "a,b"})["k"]

    actual = Scheduler().run([text.split(",", maxsplit=give(1))[1], give(7).real])

    assert actual == ["b", 7]


@pytest.mark.parametrize(
    ("key", "indices"),
    [
        (slice(3), [0, 1, 2]),
        (slice(1, 3), [1, 2]),
        (slice(1, 6, 2), [1, 3, 5]),
        (slice(3, 0, -1), [3, 2, 1]),
        (slice(1, 3, None), [1, 2]),
        (slice(2, 2), []),
    ],
)
def test_slice_is_a_list_of_items(key, indices):
    """A slice with an end is a list of item expressions for ``range(start or 0, stop, step or 1)``."""
    items = ValueExpression("abcdef")[key]

    actual = [(item.func_name, item.args[1]) for item in items]

    assert actual == [("getitem", index) for index in indices]


@pytest.mark.parametrize(("key", "shown"), OPEN_SLICES)
def test_slice_that_needs_the_length_is_one_item_access(key, shown):
    """A slice without an end, or with a bound that counts from the end, is a lazy item access with the slice."""
    made = ValueExpression("abcdef")[key]

    assert (made.func_name, made.args[1], repr(made)) == ("getitem", key, f"ValueExpression('abcdef')[{shown}]")


@pytest.mark.parametrize(("key", "shown"), OPEN_SLICES)
def test_slice_that_needs_the_length_is_reduced_to_what_python_gives(key, shown):
    """Reducing a lazy slice slices the value."""
    expression = give("abcdef")[key]

    actual = Scheduler().run(expression)

    assert actual == "abcdef"[key]


def test_slice_may_have_expressions_as_bounds():
    """A slice whose bounds are expressions is lazy, and shows as it is written."""
    made = give("abcdef")[give(1) : -give(1) : 2]

    assert repr(made) == "test_operators.give('abcdef')[test_operators.give(1):(-test_operators.give(1)):2]"
    assert Scheduler().run(made) == "bd"


def test_slice_of_a_mapping_is_an_error_when_reduced():
    """A slice by something other than numbers is left to the value, which may know it or not."""
    made = give([1, 2])["a":"b"]

    with pytest.raises(TypeError, match="slice indices must be integers"):
        Scheduler().run(made)


def test_lazy_slice_is_stored_and_addressed():
    """An expression with a slice has one address on every Python, by which it is found, and is read as it was."""
    made = ValueExpression("abc")[1:]

    read = pickle.loads(pickle.dumps(made, 3))

    assert made.get_hash() == read.get_hash() == "f3a1c816beee1d7300a6dea9a3ecf6569f2e03cf"
    assert (read.func_name, read.args[1]) == ("getitem", slice(1, None))


@pytest.mark.parametrize(("name", "func", "value", "shown"), UNARY)
def test_unary_operator_is_lazy(name, func, value, shown):
    """A sign and `abs` make expressions, which are reduced to what Python computes."""
    made = func(ValueExpression(value))

    assert (made.func_name, made.args[1:], repr(made)) == (name, (), shown)
    assert Scheduler().run(func(give(value))) == func(value)


@pytest.mark.parametrize("value", [0, 5, "", [1]])
def test_tilde_is_pythons_not(value):
    """``~`` is the logical ``not`` of the value, beside ``&`` and ``|``, not the bitwise operation."""
    made = ~give(value)

    assert (made.func_name, repr(made)) == ("not", f"(~test_operators.give({value!r}))")
    assert Scheduler().run(made) is (not value)


def test_matrix_product_is_lazy_from_both_sides():
    """``@`` is an operation, whichever side the expression is on."""
    from_left, from_right = give(Scaling(2)) @ Scaling(3), Scaling(2) @ give(Scaling(3))

    actual = (from_left.func_name, from_right.func_name), Scheduler().run([from_left, from_right])

    assert actual == (("matmul", "rmatmul"), [Scaling(6), Scaling(6)])


@pytest.mark.parametrize(
    "use",
    [
        lambda x: x ^ 1,
        lambda x: x << 1,
        lambda x: x >> 1,
        len,
        lambda x: 1 in x,
        round,
        int,
        float,
    ],
)
def test_what_is_no_operation_is_a_type_error(use):
    """Operators that are not lazy raise TypeError, as they do on any object without them."""
    with pytest.raises(TypeError, match="Expression"):
        use(ValueExpression(3))


@pytest.mark.parametrize(
    "use", [bool, lambda x: not x, lambda x: 1 if x else 2, lambda x: x and 1, lambda x: 0 < x < 3, lambda x: x in [1]]
)
def test_expression_has_no_truth(use):
    """Whatever asks an expression for its truth raises TypeError."""
    with pytest.raises(TypeError, match=r"^Expressions cannot be coerced to bool\. Use cond\(\)"):
        use(ValueExpression(3))


@pytest.mark.parametrize("use", [iter, list, tuple, lambda x: [*x], lambda x: max(*x)])
def test_expression_of_unknown_length_is_not_iterable(use):
    """Iterating over an expression whose length is not known raises TypeError."""
    with pytest.raises(TypeError, match=r"^Expressions of unknown length cannot be iterated\. Use map_\(\)"):
        use(give(1))


def test_every_attribute_exists_except_protocols():
    """Any attribute of an expression exists lazily, but names of Python's protocols do not, so that copying works."""
    expression = give(1)

    actual = hasattr(expression, "anything"), hasattr(expression, "_private"), hasattr(expression, "__deepcopy__")

    assert actual == (True, True, False)


def test_real_attributes_are_not_lazy():
    """The attributes of the expression itself shadow those of its value."""
    expression = give(1)

    actual = expression.args, expression.kwargs, expression.task_name, expression.call_hash, expression.is_valid()

    assert actual == ((1,), {}, "test_operators.give", None, True)


def test_helpers_of_expressions_hide_no_plausible_attribute():
    """What the kernel needs on expressions beyond the known attributes does not hide those of users' values."""
    tree = give("a tree")

    actual = type(tree.leaves)

    assert actual is SimpleExpression


def test_unknown_operation_is_an_error_that_names_it():
    """An operation that does not exist, as one stored by another version, raises NotImplementedError with its name."""
    with pytest.raises(NotImplementedError, match="Lazy operation 'divmod' does not exist"):
        get_lazy_operation("divmod")


def test_expression_with_an_unknown_operation_can_be_shown():
    """The representation of an expression never fails, even if another version stored its operation."""
    actual = repr(SimpleExpression("divmod", (1, 2)))

    assert actual == "divmod(1, 2)"


def test_lazy_operation_defines_an_operator(own_operation):
    """A function registered for a method becomes that operator of all expressions, under a name of its own."""
    own_operation(lambda base, exponent: base**exponent)

    made = give(2) ^ give(10)

    assert (made.func_name, repr(made)) == (
        "test_operators.power",
        "(test_operators.give(2) ^ test_operators.give(10))",
    )
    assert Scheduler().run(made) == 1024


def test_lazy_operation_returns_the_function(own_operation):
    """The decorator gives the function back unchanged."""

    def power(base, exponent):
        return base**exponent

    actual = own_operation(power)

    assert actual is power


def test_operation_without_symbol_shows_as_a_call():
    """An operation with no symbol, or with more than two operands, shows as a call of its name."""
    actual = format_operation("add", (1, 2, 3))

    assert actual == "add(1, 2, 3)"
