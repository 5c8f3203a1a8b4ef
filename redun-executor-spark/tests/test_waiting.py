"""Calls that wait for workers, without any."""

import threading

import pytest

from redun.errors import CancelledCallError
from redun.executors.base import Call
from redun_executor_spark.engines import Needs
from redun_executor_spark.errors import SparkError
from redun_executor_spark.waiting import MAX_LOSSES, WaitingCalls

CALL = Call("demo.call", dict, (), {}, {}, "e", "job", "demo", False)


@pytest.fixture
def calls():
    """Calls of which ten may have workers that are still to come."""
    return WaitingCalls(lambda: 10)


def add(calls, count, needs=Needs()):
    return calls.add([(CALL, needs)] * count)


def test_partitions_are_wanted_for_calls_up_to_a_limit(calls):
    """As many partitions are wanted as calls wait, up to the limit, and for each kind of needs."""
    add(calls, 3)
    add(calls, 30, Needs(vcpus=2))

    assert [tuple(wanted) for wanted in calls.list_wanted()] == [(Needs(), 3), (Needs(vcpus=2), 10)]


def test_partitions_are_wanted_many_at_a_time(calls):
    """Further partitions are wanted when half of those that were to come have come, not for each."""
    add(calls, 100)
    [wanted] = calls.list_wanted()
    job = calls.start_job(wanted, "job")

    found = []
    for partition in range(6):
        calls.see(job.number, partition)
        found.append([wanted.size for wanted in calls.list_wanted()])

    assert found == [[], [], [], [], [5], [6]]


def test_partition_that_is_started_again_counts_once(calls):
    """A partition that Spark starts again is not another one that has come."""
    add(calls, 2)
    job = calls.start_job(calls.list_wanted()[0], "job")

    for _ in range(3):
        calls.see(job.number, 0)

    assert job.unseen == 1


def test_lost_call_is_the_next_and_fails_at_last(calls):
    """A call whose worker was lost goes before all others, until that has happened too often."""
    [first, _] = add(calls, 2)
    for number in range(MAX_LOSSES):
        entry = calls.take(Needs(), 0)
        assert entry.future is first
        calls.give_back(entry, SparkError(f"lost {number}"))

    assert str(first.exception(0)) == f"lost {MAX_LOSSES - 1}"
    assert calls.take(Needs(), 0).future is not first


def test_cancelled_calls_are_not_taken(calls):
    """A call that was cancelled while it waits, also after its worker was lost, is not taken."""
    [lost, waiting, kept] = add(calls, 3)
    calls.give_back(calls.take(Needs(), 0), SparkError("lost"))

    assert [calls.cancel(lost), calls.cancel(waiting)] == [True, True]

    assert calls.take(Needs(), 0).future is kept
    assert isinstance(lost.exception(0), CancelledCallError)
    assert waiting.cancelled()


def test_waiting_ends_when_all_are_cancelled(calls):
    """Nobody waits for calls that were cancelled, even if no worker ever comes."""
    futures = add(calls, 2)
    waiter = threading.Thread(target=calls.wait_until_settled)
    waiter.start()

    for future in futures:
        calls.cancel(future)

    waiter.join(60)
    assert not waiter.is_alive()


def test_spark_job_without_workers_fails_what_waits(calls):
    """When a Spark job fails before any worker has come, calls of its needs fail with it; others wait on."""
    [failing] = add(calls, 1)
    [other] = add(calls, 1, Needs(vcpus=2))
    job = calls.start_job(calls.list_wanted()[0], "job")

    calls.end_job(job, SparkError("no room"))

    assert str(failing.exception(0)) == "no room"
    assert not other.done()


def test_worker_without_calls_waits_for_more(calls):
    """A worker that has nothing to do takes a call that comes a moment later."""
    taken = []
    worker = threading.Thread(target=lambda: taken.append(calls.take(Needs(), 60)))
    worker.start()

    [future] = add(calls, 1)
    worker.join(60)

    assert taken[0].future is future
