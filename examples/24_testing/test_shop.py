"""Tests of a workflow: of functions, of results, of failures, and of what is computed again."""

import pytest
from shop import order, price, total

from redun.pytest import assert_cached, assert_ran


def test_price():
    """The body of a task is tested as a function."""
    assert price.func("pear") == 40


def test_order(scheduler):
    """A workflow gives the right result."""
    assert scheduler.run(order(["pear", "fig"])) == 70


def test_order_without_a_name(scheduler):
    """What a task raises, the run raises."""
    with pytest.raises(ValueError, match="no name"):
        scheduler.run(order(["pear", ""]))


def test_prices_are_known_the_second_time(scheduler):
    """Another order of the same items computes the total only."""
    scheduler.run(order(["pear", "fig"]))

    scheduler.run(order(["pear", "pear", "fig"]))

    assert_cached(scheduler, price)
    assert_ran(scheduler, total)
