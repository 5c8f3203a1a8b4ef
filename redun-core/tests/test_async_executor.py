"""Running coroutines: on one event loop, on one thread, whatever the mode."""

import asyncio
import threading
import time
import weakref

import pytest

from redun.errors import CancelledCallError
from redun.executors.base import Call
from redun.executors.local import LocalExecutor, LocalOptions


def make_call(func, *args, **options):
    """Return a call of a function."""
    return Call("test", func, args, {}, options, "e" * 40, "job", __name__, False)


@pytest.fixture
def executor():
    """An executor, stopped after the test."""
    made = LocalExecutor("default", LocalOptions(max_workers=1))
    made.start()
    yield made
    made.stop()


@pytest.mark.parametrize("mode", ["thread", "process"])
def test_coroutines_share_one_loop_and_one_thread(mode):
    """Coroutines run on one loop, on a daemon thread of its own, many more at a time than there are workers."""
    executor = LocalExecutor("default", LocalOptions(max_workers=1, mode=mode))
    arrived = []

    async def meet(count, everybody_there):
        arrived.append(None)
        if len(arrived) == count:
            everybody_there.set()
        await everybody_there.wait()
        return threading.current_thread(), asyncio.get_running_loop()

    async def make_event():
        return asyncio.Event()

    event = executor.submit(make_call(make_event)).result(10)
    futures = executor.submit_many([make_call(meet, 100, event, mode=mode) for _ in range(100)])

    ((thread, loop),) = {future.result(10) for future in futures}
    assert thread.daemon
    assert thread is not threading.current_thread()
    executor.stop()
    assert not thread.is_alive()
    assert loop.is_closed()


def test_calls_in_one_batch_run_where_they_belong(executor):
    """A batch may mix coroutines and functions, and their futures are in the order of the calls."""

    async def wait_for(event):
        while not event.is_set():
            await asyncio.sleep(0.001)
        return "coroutine"

    event = threading.Event()

    futures = executor.submit_many([make_call(wait_for, event), make_call(event.set), make_call(wait_for, event)])

    assert [future.result(10) for future in futures] == ["coroutine", None, "coroutine"]


def test_cancelled_coroutine_can_clean_up(executor):
    """A coroutine that is cancelled gets to know where it waits; what it does then is awaited by nobody."""
    started, cleaned = threading.Event(), threading.Event()

    async def wait_long():
        started.set()
        try:
            await asyncio.sleep(100)
        finally:
            cleaned.set()

    future = executor.submit(make_call(wait_long))
    started.wait(10)

    assert executor.cancel(future) is True
    assert cleaned.wait(10)
    assert isinstance(future.exception(10), CancelledCallError)


@pytest.mark.parametrize("is_blocking", [False, True])
def test_stop_leaves_stubborn_coroutines_behind(executor, is_blocking):
    """`stop` does not wait for a coroutine that goes on although it was cancelled, and a new loop serves new calls."""
    started, release = threading.Event(), threading.Event()

    async def ignore():
        started.set()
        while not release.is_set():
            try:
                release.wait(60) if is_blocking else await asyncio.sleep(0.001)
            except asyncio.CancelledError:
                continue

    async def get_thread():
        return threading.current_thread()

    busy = executor.submit(make_call(get_thread)).result(10)
    future = executor.submit(make_call(ignore))
    started.wait(10)
    executor.cancel(future)
    start = time.monotonic()

    executor.stop()

    assert time.monotonic() - start < 30
    assert busy.is_alive()
    assert executor.submit(make_call(get_thread)).result(10) is not busy
    release.set()
    busy.join(10)
    assert not busy.is_alive()


def test_background_tasks_end_with_the_loop(executor):
    """What a coroutine leaves running in the background is cancelled when the executor stops."""
    left = []

    async def leave_behind():
        left.append(asyncio.create_task(asyncio.sleep(100)))

    executor.submit(make_call(leave_behind)).result(10)
    executor.stop()

    assert left[0].cancelled()


def test_wrong_arguments_fail_the_call(executor):
    """A coroutine function that is called with wrong arguments fails its call and nothing else."""

    async def get_nothing():
        return None

    wrong, right = executor.submit_many([make_call(get_nothing, 1), make_call(get_nothing)])

    assert isinstance(wrong.exception(10), TypeError)
    assert right.result(10) is None


def test_idle_loop_keeps_nothing_alive(executor):
    """Arguments and results are released when a call is over, not when the next one comes."""

    class Thing:
        pass

    async def get_back(value):
        return value

    thing, released = Thing(), threading.Event()
    weakref.finalize(thing, released.set)
    future = executor.submit(make_call(get_back, thing))
    assert future.result(10) is thing

    del thing, future

    assert released.wait(60)
