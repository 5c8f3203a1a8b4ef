"""Tasks in a module whose annotations are texts, as ``from __future__ import annotations`` makes them."""

from __future__ import annotations

import typing
from typing import TYPE_CHECKING, NamedTuple, Tuple  # noqa: UP035

import pytest

from redun import task

if TYPE_CHECKING:
    from decimal import Decimal

redun_namespace = "test_annotations"


class Pair(NamedTuple):
    first: int
    second: str


def give_tuple() -> tuple[int, str, int]: ...


def give_old_tuple() -> Tuple[int, str]: ...  # noqa: UP006


def give_qualified_tuple() -> typing.Tuple[int, str]: ...  # noqa: UP006


def give_named_tuple() -> Pair: ...


def give_nothing() -> tuple[()]: ...


def give_any_number() -> tuple[int, ...]: ...


def give_bare_tuple() -> tuple: ...


def give_number() -> int: ...


def give_unknown() -> tuple[Decimal, Decimal]: ...


def give_pair_of_unknown(x: Decimal) -> tuple[int, int]: ...


async def give_later() -> tuple[int, int]: ...


LENGTHS = [
    (give_tuple, 3),
    (give_old_tuple, 2),
    (give_qualified_tuple, 2),
    (give_named_tuple, 2),
    (give_nothing, 0),
    (give_any_number, None),
    (give_bare_tuple, None),
    (give_number, None),
    (give_unknown, None),
    (give_pair_of_unknown, 2),
    (give_later, 2),
]


@pytest.mark.parametrize(("func", "length"), LENGTHS, ids=lambda value: getattr(value, "__name__", None))
def test_length_is_read_from_annotations_that_are_texts(func, length):
    """The number of results is inferred from a return annotation that is a text, whatever the parameters have."""
    made = task(version="1")(func)

    assert made.nout == length


def test_call_with_an_annotation_that_is_a_text_unpacks(scheduler):
    """A call of a task whose module has annotations that are texts can be unpacked into its results."""

    @task(version="1")
    def split(text: str) -> tuple[str, str]:
        return tuple(text.split("-"))

    first, second = split("a-b")

    assert scheduler.run([second, first]) == ["b", "a"]


def test_parameters_are_those_of_the_function():
    """Annotations that are texts do not change the signature's names, places and defaults."""

    @task(version="1", config_args=["b"])
    def add(a: Decimal, b: int = 2) -> int:
        return a + b

    assert list(add.signature.parameters) == ["a", "b"]
    assert [(default.name, default.value) for default in add.defaults] == [("b", 2)]
