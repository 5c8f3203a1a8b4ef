"""What a walk has found: each id once, and in an order in which every one comes after those that it needs."""

from contextlib import closing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from redun.errors import BackendError
from redun_backend_sql.sync.kinds import Kind, Order
from redun_backend_sql.sync.plan import Plan


@pytest.fixture
def plan():
    """An empty plan."""
    with closing(Plan()) as made:
        yield made


def test_ids_are_taken_once(plan):
    """What is found again is not taken again; what is found later is."""
    plan.add(Kind.VALUE, ["a", "b"])
    first = plan.take(Kind.VALUE, 10)
    plan.add(Kind.VALUE, ["b", "c"])

    assert [*first, *plan.take(Kind.VALUE, 1), *plan.take(Kind.VALUE, 1)] == ["a", "b", "c"]
    assert plan.take(Kind.CALL, 1) == []


def test_only_what_is_wanted_is_written(plan):
    """Ids are wanted, changed, or neither; a task and its value count as one record."""
    plan.add(Kind.VALUE, ["a", "b", "c"])
    plan.add(Kind.TASK, ["a"])
    plan.want(Kind.VALUE, ["c", "a"])
    plan.want(Kind.TASK, ["a"])
    plan.change(Kind.VALUE, ["b"])

    assert list(plan.pages(Kind.VALUE, 1)) == [["a"], ["c"]]
    assert list(plan.changed_pages(Kind.VALUE, 5)) == [["b"]]
    assert plan.total() == 3


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12), st.booleans()), max_size=40), st.integers(1, 5))
def test_everything_comes_after_what_it_needs(edges, size):
    """Whatever needs what, all come once, after what they need; soft needs only where they go in no circle."""
    ids = [f"{number:02}" for number in range(13)]
    hard = [(ids[max(a, b)], ids[min(a, b)]) for a, b, soft in edges if not soft and a != b]
    soft = [(ids[a], ids[b]) for a, b, is_soft in edges if is_soft]
    with closing(Plan()) as plan:
        plan.add(Kind.CALL, reversed(ids))
        plan.need(Kind.CALL, hard, Order.FIRST)
        plan.need(Kind.CALL, soft, Order.SOFT)
        plan.want(Kind.CALL, ids)

        pages = list(plan.pages(Kind.CALL, size))
        late = set(plan.late(Kind.CALL))

    order = [key for page in pages for key in page]
    assert sorted(order) == ids
    assert all(len(page) <= size for page in pages)
    kept = {pair for pair in [*hard, *soft] if pair not in late and pair[0] != pair[1]}
    assert [pair for pair in kept if order.index(pair[0]) < order.index(pair[1])] == []
    assert late <= set(soft) - set(hard)
    if not soft:
        assert late == set()


def test_order_depends_on_nothing_but_what_was_found(plan):
    """Whatever is found first, what can be written at the same time is sorted."""
    plan.add(Kind.CALL, ["c", "a", "b"])
    plan.want(Kind.CALL, ["b", "c", "a"])
    plan.need(Kind.CALL, [("a", "c")], Order.FIRST)

    assert list(plan.pages(Kind.CALL, 10)) == [["b", "c", "a"]]


def test_what_is_not_wanted_is_waited_for_by_nobody(plan):
    """What the destination has already needs no place in the order."""
    plan.add(Kind.CALL, ["a", "b"])
    plan.need(Kind.CALL, [("a", "b"), ("b", "a")], Order.FIRST)
    plan.want(Kind.CALL, ["a"])

    assert list(plan.pages(Kind.CALL, 10)) == [["a"]]


def test_circle_of_what_cannot_be_one_is_an_error(plan):
    """Damaged records may refer to one another in a circle; that is noticed."""
    plan.add(Kind.JOB, ["a", "b"])
    plan.need(Kind.JOB, [("a", "b"), ("b", "a")], Order.FIRST)
    plan.want(Kind.JOB, ["a", "b"])

    with pytest.raises(BackendError, match="records of kind Job refer to one another in a circle"):
        list(plan.pages(Kind.JOB, 10))
