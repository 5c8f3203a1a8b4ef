import inspect
import typing
from collections import namedtuple
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from redun import Scheduler, task
from redun.arguments import (
    Default,
    add_defaults,
    encode_arguments,
    encode_values,
    find_argument_leaves,
    infer_length,
    list_defaults,
)
from redun.errors import InvalidValueError
from redun.expression import format_arguments, quote
from redun.hashing import hash_arguments, hash_struct, hash_value_bytes
from redun.values.base import pickle_dumps
from redun.values.codec import MIME_TYPE_GRAPH
from redun.values.registry import get_type_registry

Pair = namedtuple("Pair", "left right")


class Triple(NamedTuple):
    a: int
    b: int
    c: int


class Unpickled:
    def __reduce__(self):
        raise TypeError("not to be pickled")


@task(namespace="test_arguments", version="1")
def call(*args, **kwargs):
    return args


def value_hash(value):
    return hash_value_bytes(pickle_dumps(value))


def annotated(annotation):
    def func():
        return None

    func.__annotations__["return"] = annotation
    return func


def test_address_is_golden():
    """The address of arguments is the one that existing stores know."""
    actual = encode_arguments((1,), {"b": 2}).args_hash

    assert actual == "16230118d6fc2c5f6345a6fad065b1423764b81d"


@given(st.lists(st.integers() | st.text()), st.dictionaries(st.text(), st.integers() | st.text()))
@settings(max_examples=50, deadline=None)
def test_address_follows_the_formula(args, kwargs):
    """Arguments are addressed by a struct of the addresses of their values, by position and by name."""
    positional = [value_hash(value) for value in args]
    keyword = {key: value_hash(value) for key, value in kwargs.items()}

    actual = encode_arguments(args, kwargs).args_hash

    assert actual == hash_struct(["TaskArguments", positional, keyword])
    assert actual == encode_values(args, kwargs, {}).args_hash


def test_plain_arguments_are_encoded_in_order():
    """Encoded arguments keep positions and names, each with its address, type and bytes."""
    encoded = encode_arguments((1, "a"), {"z": 2, "b": 3})

    actual = [item.data for item in encoded.positional], [(key, item.data) for key, item in encoded.keyword.items()]

    assert actual == (
        [pickle_dumps(1), pickle_dumps("a")],
        [("z", pickle_dumps(2)), ("b", pickle_dumps(3))],
    )


def test_lazy_arguments_count_by_address_only():
    """Of an argument that is or holds an expression only the address is computed; it has no bytes."""
    expression = call(1)

    encoded = encode_arguments((expression, [expression]), {"k": quote(expression)})

    lazy = [*encoded.positional, *encoded.keyword.values()]
    assert [(item.format, item.data) for item in lazy] == [(MIME_TYPE_GRAPH, b"")] * 3
    assert encoded.positional[0].value_hash == expression.get_hash()
    assert encoded.positional[1].value_hash == get_type_registry().get_hash([expression])


def test_container_of_few_expressions_is_addressed_by_its_pickle():
    """A small container of expressions has the address of its pickle, as in existing stores."""
    container = [call(1), {"k": call(2)}]

    actual = encode_arguments((container,), {}).positional[0].value_hash

    assert actual == value_hash(container)


def test_container_of_many_expressions_is_addressed_by_theirs():
    """A large container of expressions is told apart from one that differs in a single expression deep inside."""
    many = [call(index) for index in range(300)]
    other = [*many[:-1], call(0)]

    actual = encode_arguments((many,), {}).args_hash

    assert actual == encode_arguments(([call(index) for index in range(300)],), {}).args_hash
    assert actual != encode_arguments((other,), {}).args_hash


def test_argument_that_cannot_be_pickled_is_named():
    """An argument that can't be stored raises InvalidValueError with its type and the reason."""
    with pytest.raises(InvalidValueError, match=r"Unpickled can't be stored: not to be pickled"):
        encode_arguments((Unpickled(),), {})


def test_excluded_arguments_are_encoded_but_do_not_count():
    """Arguments excluded by position or by name are still encoded, and the address is that without them."""
    encoded = encode_values((1, 2), {"b": 3, "c": 4}, {}, frozenset([1, "c"]))

    actual = encoded.args_hash, len(encoded.positional), list(encoded.keyword)

    assert actual == (hash_arguments([value_hash(1)], {"b": value_hash(3)}), 2, ["b", "c"])


def test_known_encodings_are_reused():
    """A value whose encoding is known already is not encoded again."""
    value = Unpickled()
    known = get_type_registry().encode("stand-in")

    encoded = encode_values((value,), {"k": value}, {id(value): known})

    assert (list(encoded.positional), dict(encoded.keyword)) == ([known], {"k": known})


def test_defaults_are_listed_with_their_places():
    """The defaults of a signature come with name and place; parameters without one are passed over."""

    def func(a, b=2, *args, c, d=None, **kwargs):
        return a

    actual = list_defaults(inspect.signature(func))

    assert actual == (Default(1, "b", 2), Default(4, "d", None))


@pytest.mark.parametrize(
    ("args", "kwargs", "completed"),
    [
        ((1,), {}, {"b": 2, "c": 3}),
        ((1, 5), {}, {"c": 3}),
        ((1, 5, 6), {}, {}),
        ((1,), {"b": 5}, {"b": 5, "c": 3}),
        ((), {"c": 6, "a": 1}, {"c": 6, "a": 1, "b": 2}),
        ((1,), {"b": None}, {"b": None, "c": 3}),
        ((), {}, {"b": 2, "c": 3}),
    ],
)
def test_defaults_fill_what_is_not_given(args, kwargs, completed):
    """A default is added as keyword argument when its parameter is given neither by position nor by name."""
    defaults = (Default(1, "b", 2), Default(2, "c", 3))

    actual = add_defaults(defaults, args, kwargs)

    assert actual == completed


def test_defaults_leave_the_given_keywords_alone():
    """Adding defaults makes a new mapping and does not change the one that was given."""
    given_keywords = {"a": 1}

    add_defaults((Default(1, "b", 2),), (), given_keywords)

    assert given_keywords == {"a": 1}


def test_default_after_variable_arguments_counts_as_given_by_place():
    """A keyword-only default behind ``*args`` is passed over once as many positions are filled, as it always was."""

    def func(*args, b=1):
        return args

    defaults = list_defaults(inspect.signature(func))

    actual = add_defaults(defaults, (1,), {}), add_defaults(defaults, (1, 2), {})

    assert actual == ({"b": 1}, {})


def test_default_of_a_positional_only_parameter_can_be_left_out():
    """A task whose function has a positional-only parameter with a default can be called without it."""

    @task(namespace="test_arguments", version="1")
    def positional_only(a, b=2, /):
        return a + b

    actual = Scheduler().run(positional_only(1))

    assert actual == 3


@pytest.mark.parametrize(
    ("annotation", "length"),
    [
        (tuple[int, str], 2),
        (typing.Tuple[int, str, float], 3),  # noqa: UP006
        (tuple[int], 1),
        (tuple[()], 0),
        (typing.Tuple[()], 0),  # noqa: UP006
        (tuple[int, ...], None),
        (typing.Tuple[int, ...], None),  # noqa: UP006
        (tuple, None),
        (Pair, 2),
        (Triple, 3),
        (list[int], None),
        (int, None),
        (None, None),
        (tuple[int, int] | None, None),
        ("tuple[int, str]", 2),
        ("tuple[int, ...]", None),
        ("Triple", 3),
        ("typing.Tuple[int, str]", 2),
        ("Unknown", None),
        ("tuple[Unknown, int]", None),
        ("not python", None),
    ],
)
def test_length_follows_the_return_annotation(annotation, length):
    """A tuple of known length in a function's return annotation, also one given as text, says how many items come."""
    actual = infer_length(annotated(annotation))

    assert actual == length


@pytest.mark.parametrize("annotation", [typing.Tuple, "typing.Tuple"])  # noqa: UP006
def test_length_of_a_bare_tuple_is_unknown(annotation):
    """``typing.Tuple`` without items says nothing about the length, like ``tuple``."""
    actual = infer_length(annotated(annotation))

    assert actual is None


@pytest.mark.parametrize("func", [len, lambda: None, print, int])
def test_length_without_annotation_is_unknown(func):
    """A callable without a return annotation has no known length."""
    actual = infer_length(func)

    assert actual is None


def test_formatted_arguments_read_as_a_call():
    """Arguments are formatted as in a call, the keywords sorted."""
    actual = format_arguments(("x", call(1)), {"c": [2], "b": None})

    assert actual == "'x', test_arguments.call(1), b=None, c=[2]"


def test_behaving_leaves_are_found_in_order():
    """Expressions and other values are found at any depth of containers, in order, but not inside one another."""
    first, second, third = call(call(0)), quote(call(1)), call.partial(2)

    actual = find_argument_leaves((1, [first, {"k": (second,)}]), {"z": {"y": third}, "x": "text"})

    assert [id(value) for value in actual] == [id(first), id(second), id(third)]


def test_plain_arguments_have_no_behaving_leaves():
    """Plain data has no leaves to find."""
    actual = find_argument_leaves((1, [2, {"k": (3,)}]), {"z": None})

    assert list(actual) == []


def test_name_of_a_positional_only_parameter_can_be_a_keyword_too():
    """A keyword that has the name of a parameter given by position is one of the function's further keywords."""

    @task(version="1")
    def collect(a, /, **others):
        return [a, others]

    assert Scheduler().run(collect(1, a=2)) == [1, {"a": 2}]
