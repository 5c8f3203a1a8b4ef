"""Functions for columns, as far as they need no Spark."""

import pickle
import textwrap

import pytest

from redun.errors import InvalidValueError
from redun_executor_spark import SparkFunction, udf
from redun_executor_spark.errors import SparkSessionError


def test_decorator_needs_no_session():
    """A module can define functions for columns without a session, and call them as plain functions."""

    @udf
    def add_one(number: int) -> int:
        return number + 1

    assert add_one.func(1) == 2
    with pytest.raises(SparkSessionError, match="no Spark session here"):
        add_one("n")


@pytest.mark.parametrize(
    ("made", "return_type"),
    [
        (udf(lambda n: n), "string"),
        (udf(lambda n: n, "array<int>"), "array<int>"),
        (udf(return_type="double")(lambda n: n), "double"),
    ],
)
def test_return_type_is_given_or_guessed(made, return_type):
    """What a function returns is said by its decorator; by default it is a text."""
    assert made.return_type == return_type


def test_hash_is_of_source_and_return_type():
    """Two functions for columns are the same if their sources and what they return are."""
    one = udf(lambda n: n + 1)
    other = udf(lambda n: n + 2)

    hashes = {one.get_hash(), other.get_hash(), SparkFunction(one.func, "int").get_hash()}

    assert len(hashes) == 3
    assert SparkFunction(one.func).get_hash() == one.get_hash()


def test_one_that_is_gone_is_a_miss():
    """A stored function for columns that can't be found any more is no value."""
    data = pickle.dumps(SparkFunction(textwrap.dedent, "string"))

    with pytest.raises(InvalidValueError, match="is another one now"):
        pickle.loads(data)
