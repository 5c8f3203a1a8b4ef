"""An outbox delivers what it can, and never holds up or fails who puts something in."""

import threading

import pytest

from redun_observers.outbox import Outbox, OutboxOptions


class Gate:
    """A destination that can be closed: what is delivered waits before it."""

    def __init__(self):
        self.delivered, self.is_open, self.reached = [], threading.Event(), threading.Event()
        self.passed = threading.Semaphore(0)

    def deliver(self, batch):
        self.reached.set()
        self.is_open.wait()
        self.delivered += batch
        self.passed.release()


@pytest.fixture
def gate():
    """A closed gate, that is opened in the end."""
    made = Gate()
    yield made
    made.is_open.set()


def test_everything_is_delivered_in_order(warned):
    """When an outbox is closed, everything has been delivered, in order, and nothing is said."""
    delivered = []
    outbox = Outbox("test", delivered.extend, OutboxOptions())

    for number in range(2_000):
        outbox.put(number)
    outbox.close()

    assert delivered == list(range(2_000))
    assert warned() == []


def test_an_outbox_can_be_used_again():
    """After it was closed, an outbox takes and delivers further items."""
    delivered = []
    outbox = Outbox("test", delivered.extend, OutboxOptions())
    outbox.put(1)
    outbox.close()

    outbox.put(2)
    outbox.close()

    assert delivered == [1, 2]


def test_an_unused_outbox_starts_no_thread():
    """Without anything to deliver there is no thread, and closing does nothing."""
    before = set(threading.enumerate())

    Outbox("test", print, OutboxOptions()).close()

    assert set(threading.enumerate()) <= before


def test_what_finds_no_room_is_dropped_and_counted(gate, warned):
    """Beyond its capacity an outbox drops items without waiting; the loss is said once, and its size in the end."""
    outbox = Outbox("test", gate.deliver, OutboxOptions(capacity=3), batch=1)
    outbox.put(0)
    gate.reached.wait()

    for number in range(1, 11):
        outbox.put(number)
    gate.is_open.set()
    outbox.close()

    assert gate.delivered == [0, 1, 2, 3]
    assert warned() == [
        "test drops events: 3 are waiting to be delivered, and there is no room for more",
        "test: 7 of 11 events were dropped",
    ]


def test_failures_are_counted_and_said_once(warned):
    """What can't be delivered is counted; the first problem is said, without secrets, and the number in the end."""

    def fail(batch):
        raise OSError("can't reach http://me:secret@host")

    outbox = Outbox("test", fail, OutboxOptions(), batch=1)
    for number in range(5):
        outbox.put(number)
    outbox.close()

    assert warned() == [
        "test drops events: OSError: can't reach http://me:***@host",
        "test: 5 of 5 events were dropped",
    ]


def test_delivery_goes_on_after_a_failure():
    """An item that can't be delivered does not keep later ones from it."""
    delivered = []

    def deliver(batch):
        if batch == [1]:
            raise ValueError("1 is no good")
        delivered.extend(batch)

    outbox = Outbox("test", deliver, OutboxOptions(), batch=1)
    for number in range(3):
        outbox.put(number)
    outbox.close()

    assert delivered == [0, 2]


def test_closing_waits_no_longer_than_it_may(gate, warned):
    """A destination that hangs costs the time that closing may take; what is under way counts as lost as well."""
    outbox = Outbox("test", gate.deliver, OutboxOptions(patience=0.05), batch=1)
    for number in range(3):
        outbox.put(number)
    gate.reached.wait()

    outbox.close()

    assert warned() == [
        "test drops events: after 0.05 seconds some were still not delivered",
        "test: 3 of 3 events were dropped",
    ]


def test_a_thread_that_hung_is_waited_for_by_the_next(gate):
    """What is put in after an outbox that hung was closed is delivered after what hung, as soon as that goes on."""
    outbox = Outbox("test", gate.deliver, OutboxOptions(patience=0.2), batch=1)
    outbox.put("old")
    gate.reached.wait()
    outbox.close()

    outbox.put("new")
    gate.is_open.set()

    assert all(gate.passed.acquire(timeout=60) for _ in range(2))
    assert gate.delivered == ["old", "new"]
    outbox.close()
