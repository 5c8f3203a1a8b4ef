import threading
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from redun.promise import Promise, wait_promises

LENGTH = 100_000
ERROR = KeyError("k")


def resolved(value):
    promise = Promise()
    promise.do_resolve(value)
    return promise


def rejected(error):
    promise = Promise()
    promise.do_reject(error)
    return promise


def describe(promise):
    """Return a promise's state and what it was settled with."""
    if promise.is_pending:
        return ("pending",)
    return ("fulfilled" if promise.is_fulfilled else "rejected", promise.value)


def raise_error(error):
    raise error


def test_promise_is_pending_at_first():
    """A new promise has neither a value nor an error, and asking for one raises ValueError."""
    promise = Promise()

    actual = promise.is_pending, promise.is_fulfilled, promise.is_rejected, repr(promise)

    assert actual == (True, False, False, "<Promise pending>")
    with pytest.raises(ValueError, match="pending"):
        _ = promise.value
    with pytest.raises(ValueError, match="not rejected"):
        _ = promise.error


def test_fulfilled_promise_has_a_value():
    """A fulfilled promise has its value and no error."""
    promise = resolved(5)

    actual = promise.is_pending, promise.is_fulfilled, promise.is_rejected, promise.value, repr(promise)

    assert actual == (False, True, False, 5, "<Promise fulfilled>")
    with pytest.raises(ValueError, match="not rejected and has no error"):
        _ = promise.error


def test_rejected_promise_has_an_error():
    """A rejected promise has its error, which also is its value."""
    error = KeyError("k")
    promise = rejected(error)

    actual = promise.is_pending, promise.is_fulfilled, promise.is_rejected, promise.error, promise.value, repr(promise)

    assert actual == (False, False, True, error, error, "<Promise rejected>")


@pytest.mark.parametrize("first", [resolved, rejected])
def test_first_settling_wins(first):
    """A settled promise stays as it is, whatever it is told later."""
    error = KeyError("first")
    promise = first(error)
    before = describe(promise)

    promise.do_resolve(1)
    promise.do_reject(ValueError())
    promise.do_resolve(resolved(2))

    assert describe(promise) == before


def test_constructor_calls_the_function_at_once():
    """The function given to the constructor gets the two ways to settle the promise."""
    kept = []
    pending = Promise(lambda resolve, reject: kept.append((resolve, reject)))
    was_pending = pending.is_pending
    kept[0][0](5)

    actual = [pending, Promise(lambda resolve, reject: resolve(6)), Promise(lambda resolve, reject: reject(kept))]

    assert was_pending
    assert [describe(promise) for promise in actual] == [("fulfilled", 5), ("fulfilled", 6), ("rejected", kept)]


def test_error_in_the_constructors_function_rejects():
    """What the function given to the constructor raises rejects the promise, unless it is settled already."""
    error = ValueError("wrong")

    def settle_and_raise(resolve, reject):
        resolve(1)
        raise error

    actual = [Promise(lambda resolve, reject: raise_error(error)), Promise(settle_and_raise)]

    assert [describe(promise) for promise in actual] == [("rejected", error), ("fulfilled", 1)]


@pytest.mark.parametrize("early", [True, False])
def test_then_makes_a_promise_of_what_its_function_returns(early):
    """`then` calls its function with the value, whether the promise is settled before or after."""
    promise = resolved(20) if early else Promise()

    follower = promise.then(lambda value: value + 1).then(lambda value: 2 * value)
    if not early:
        promise.do_resolve(20)

    assert describe(follower) == ("fulfilled", 42)


@pytest.mark.parametrize("early", [True, False])
def test_function_may_return_a_promise(early):
    """When the function of `then` returns a promise, the follower is settled as that one is."""
    error = ValueError("inner")
    inner = [resolved(1), rejected(error)] if early else [Promise(), Promise()]

    followers = [resolved(0).then(lambda _, promise=promise: promise) for promise in inner]
    inner[0].do_resolve(1)
    inner[1].do_reject(error)

    assert [describe(promise) for promise in followers] == [("fulfilled", 1), ("rejected", error)]


@pytest.mark.parametrize(
    ("promise", "then", "expected"),
    [
        (resolved(1), (), ("fulfilled", 1)),
        (resolved(1), (None, lambda _: 2), ("fulfilled", 1)),
        (rejected(ERROR), (), ("rejected", ERROR)),
        (rejected(ERROR), (lambda _: 2,), ("rejected", ERROR)),
        (rejected(ERROR), (None, lambda _: 2), ("fulfilled", 2)),
        (rejected(ERROR), (lambda _: 3, lambda error: [error]), ("fulfilled", [ERROR])),
        (resolved(1), (lambda _: raise_error(ERROR), lambda _: 2), ("rejected", ERROR)),
        (rejected(ValueError()), (lambda _: 2, lambda _: raise_error(ERROR)), ("rejected", ERROR)),
    ],
)
def test_then_passes_on_what_has_no_function(promise, then, expected):
    """A value or error without a function of its own passes on; what a function raises rejects the follower."""
    actual = describe(promise.then(*then))

    assert actual == expected


def test_catch_recovers_from_errors_only():
    """`catch` makes a value of an error and lets values pass."""
    recovered, passed = rejected(KeyError("k")).catch(str), resolved(5).catch(str)

    actual = describe(recovered), describe(passed)

    assert actual == (("fulfilled", "'k'"), ("fulfilled", 5))


def test_later_followers_run_after_an_error_in_an_earlier_one():
    """An error in one follower's function does not keep another follower from its value."""
    promise = Promise()
    failing = promise.then(lambda _: raise_error(ValueError("mine")))
    working = promise.then(lambda value: value)

    promise.do_resolve(1)

    assert (failing.is_rejected, describe(working)) == (True, ("fulfilled", 1))


def test_exit_of_the_program_is_no_rejection():
    """What is no Exception, such as SystemExit, leaves a callback as it is and rejects nothing."""
    promise = Promise()
    follower = promise.then(lambda _: raise_error(SystemExit(3)))

    with pytest.raises(SystemExit):
        promise.do_resolve(1)

    assert follower.is_pending


@pytest.mark.parametrize("together", [Promise.all, wait_promises])
def test_nothing_to_wait_for_is_fulfilled_at_once(together):
    """The promise of no promises is fulfilled with an empty list at once."""
    actual = describe(together([]))

    assert actual == ("fulfilled", [])


def test_all_has_the_values_in_order():
    """The promise of all is fulfilled with all values, in the order given, when the last one comes."""
    promises = [Promise() for _ in range(3)]
    together = Promise.all(promises)
    promises[2].do_resolve("c")
    promises[0].do_resolve("a")
    before = describe(together)

    promises[1].do_resolve("b")

    assert (before, describe(together)) == (("pending",), ("fulfilled", ["a", "b", "c"]))


def test_all_is_rejected_by_the_first_error():
    """The promise of all is rejected by the first error at once, and later ones change nothing."""
    error = KeyError("first")
    promises = [Promise() for _ in range(3)]
    together = Promise.all(promises)

    promises[1].do_reject(error)
    at_once = describe(together)
    promises[0].do_reject(ValueError("second"))
    promises[2].do_resolve(1)

    assert (at_once, describe(together)) == (("rejected", error),) * 2


def test_all_takes_a_promise_twice():
    """The same promise may be given several times."""
    promise = Promise()
    together = Promise.all([promise, promise])

    promise.do_resolve(1)

    assert describe(together) == ("fulfilled", [1, 1])


def test_waiting_ends_when_each_is_settled():
    """`wait_promises` is fulfilled with the promises themselves once each one is settled, either way."""
    promises = [Promise() for _ in range(3)]
    together = wait_promises(promises)
    promises[0].do_reject(KeyError("k"))
    promises[2].do_resolve(1)
    before = describe(together)

    promises[1].do_reject(ValueError("v"))

    assert (before, describe(together)) == (("pending",), ("fulfilled", promises))


@given(st.permutations(range(6)), st.sets(st.integers(0, 5)))
@settings(max_examples=50, deadline=None)
def test_order_of_settling_does_not_matter(order, failing):
    """Values and the end of waiting do not depend on the order of settling; the first error does reject all."""
    promises = [Promise() for _ in order]
    every, waited = Promise.all(promises), wait_promises(promises)
    errors = {index: KeyError(index) for index in failing}

    for index in order:
        if index in failing:
            promises[index].do_reject(errors[index])
        else:
            promises[index].do_resolve(index)

    first = next((index for index in order if index in failing), None)
    assert describe(every) == (("fulfilled", list(range(6))) if first is None else ("rejected", errors[first]))
    assert describe(waited) == ("fulfilled", promises)


def test_callbacks_run_in_order_and_never_inside_one_another():
    """Settling inside a callback queues the callbacks of that promise until the running one has returned."""
    log = []
    outer, inner = Promise(), Promise()

    def settle_inner(value):
        log.append("start")
        inner.do_resolve(value)
        resolved(value).then(lambda _: log.append("settled before"))
        log.append("end")

    outer.then(settle_inner)
    outer.then(lambda _: log.append("next"))
    inner.then(lambda _: log.append("inner"))

    outer.do_resolve(1)

    assert log == ["start", "end", "next", "inner", "settled before"]


def test_callbacks_run_before_settling_returns():
    """Outside of callbacks, settling a promise and following a settled one run the callbacks at once."""
    log = []
    promise = Promise()
    promise.then(log.append)

    promise.do_resolve(1)
    promise.then(lambda value: log.append(value + 1))

    assert log == [1, 2]


def test_threads_have_callbacks_of_their_own():
    """While a callback runs on one thread, promises of another thread are worked off there."""
    seen = []

    def work(value):
        thread = threading.Thread(target=lambda: seen.append(describe(resolved(value).then(lambda x: x + 1))))
        thread.start()
        thread.join()
        return list(seen)

    actual = resolved(1).then(work)

    assert describe(actual) == ("fulfilled", [("fulfilled", 2)])


def test_long_chain_of_followers():
    """A chain of 100,000 followers settles without recursion."""
    first = last = Promise()
    for _ in range(LENGTH):
        last = last.then(lambda value: value + 1)

    first.do_resolve(0)

    assert describe(last) == ("fulfilled", LENGTH)


def test_long_chain_of_promises_that_follow_one_another():
    """100,000 promises resolved with one another settle without recursion, from either end."""
    promises = [Promise() for _ in range(LENGTH)]
    for follower, leader in pairwise(promises):
        follower.do_resolve(leader)

    promises[-1].do_resolve(1)

    assert describe(promises[0]) == ("fulfilled", 1)


def test_long_chain_of_returned_promises():
    """Functions that return promises of further steps, 100,000 deep, settle without recursion."""

    def step(count):
        return count if count == LENGTH else resolved(count + 1).then(step)

    actual = resolved(0).then(step)

    assert describe(actual) == ("fulfilled", LENGTH)


def test_long_chain_is_released():
    """A chain of 100,000 pending promises is freed without recursion."""
    first = last = Promise()
    for _ in range(LENGTH):
        last = last.then(lambda value: value)

    del first

    assert last.is_pending


def test_only_rejected_promises_have_errors():
    """Asking a promise that is pending or fulfilled for its error is an error itself."""
    for promise in (Promise(), resolved(1)):
        with pytest.raises(ValueError, match="not rejected"):
            _ = promise.error
