"""Evaluating aside: `fork_thread` and `join_thread`."""

import threading

import pytest

from redun import Scheduler, task
from redun.scheduler import Thread, fork_thread, join_thread
from redun.values.codec import MIME_TYPE_GRAPH
from redun.values.registry import get_type_registry

redun_namespace = "test_threads"


@task(version="1")
def double(x):
    return 2 * x


def test_forking_does_not_wait():
    """The thread is there before its expression has a value."""
    release = threading.Event()

    @task(version="1")
    def slow():
        release.wait(30)
        return 1

    @task(version="1", cache=False)
    def go_on(thread):
        release.set()
        return join_thread(thread)

    assert Scheduler().run(go_on(fork_thread(slow()))) == 1


def test_thread_is_joined_as_often_as_wanted():
    """Several joins of a thread give the same value; the expression is evaluated once."""
    runs = []

    @task(version="1", cache=False)
    def noted():
        runs.append(1)
        return len(runs)

    @task(version="1")
    def main(thread):
        return [join_thread(thread), [join_thread(thread)]]

    assert Scheduler().run(main(fork_thread(noted()))) == [1, [1]]


def test_error_is_raised_where_the_thread_is_joined():
    """A thread that fails does no harm before it is joined."""

    @task(version="1")
    def fail():
        raise ValueError("broken")

    assert isinstance(Scheduler().run(fork_thread(fail())), Thread)
    with pytest.raises(ValueError, match="broken"):
        Scheduler().run(join_thread(fork_thread(fail())))


def test_thread_from_the_cache_is_evaluated_again():
    """A thread of an earlier execution is joined by evaluating its expression, which the cache answers."""

    @task(version="1")
    def main():
        return fork_thread(double(4))

    with Scheduler() as scheduler:
        thread = scheduler.run(main())
        encoded = get_type_registry().encode(thread)
        restored = get_type_registry().decode(encoded.type_name, encoded.format, encoded.data)

        assert encoded.format == MIME_TYPE_GRAPH
        assert scheduler.run(join_thread(restored)) == 8
        assert restored.id == thread.id
