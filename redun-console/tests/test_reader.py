"""The thread that asks the database."""

import asyncio
import threading
import time
from contextlib import closing

import pytest

from redun.errors import BackendError
from redun_console.reader import Reader

ENDLESS = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n"


@pytest.fixture
def reader(backend):
    reader = Reader(backend)
    yield reader
    assert reader.close()


def run(coroutine):
    return asyncio.run(asyncio.wait_for(coroutine, 60))


def test_questions_are_answered_in_a_thread_of_their_own(reader):
    """Questions are answered one after the other by one thread, which is not that of the screens."""

    async def ask():
        return await asyncio.gather(*(reader.ask(lambda store: threading.get_ident()) for _ in range(3)))

    threads = set(run(ask()))

    assert len(threads) == 1
    assert threads != {threading.get_ident()}


def test_errors_are_those_of_the_question(reader):
    """What goes wrong in a question is raised where it was asked, and the next one is answered."""

    async def ask():
        with pytest.raises(BackendError, match="no such table"):
            await reader.ask(lambda store: store.database.select("SELECT * FROM nowhere"))
        return await reader.ask(lambda store: store.database.select("SELECT 1"))

    assert run(ask()) == [(1,)]


def test_query_that_nobody_waits_for_is_interrupted(reader):
    """A query without an end ends when whoever asked gives up, and the thread is free again."""

    async def ask():
        started = asyncio.Event()
        loop = asyncio.get_running_loop()

        def never_end(store):
            loop.call_soon_threadsafe(started.set)
            return store.database.select(ENDLESS)

        asking = asyncio.create_task(reader.ask(never_end))
        await started.wait()
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        return await reader.ask(lambda store: "free")

    assert run(ask()) == "free"


def test_question_that_nobody_waits_for_is_not_asked(reader):
    """A question that is given up while others are asked is never asked."""
    asked, may_end = [], threading.Event()

    async def ask():
        first = asyncio.create_task(reader.ask(lambda store: may_end.wait(60)))
        second = asyncio.create_task(reader.ask(lambda store: asked.append("second")))
        await asyncio.sleep(0)
        second.cancel()
        with pytest.raises(asyncio.CancelledError):
            await second
        may_end.set()
        await first
        await reader.ask(lambda store: asked.append("third"))

    run(ask())

    assert asked == ["third"]


def test_closing_ends_a_query(open_backend):
    """Closing does not wait for a query without an end."""
    with closing(open_backend()) as backend:
        reader, started = Reader(backend), threading.Event()

        def never_end(store):
            started.set()
            store.database.select(ENDLESS)

        async def ask():
            asking = asyncio.ensure_future(reader.ask(never_end))
            await asyncio.to_thread(started.wait)
            is_closed = await asyncio.to_thread(reader.close)
            with pytest.raises(BackendError, match="interrupted"):
                await asking
            return is_closed

        assert run(ask())


def test_closing_gives_up_on_what_cannot_be_interrupted(open_backend, monkeypatch):
    """A question that does not end, whatever is tried, is left behind after some seconds."""
    monkeypatch.setattr("redun_console.reader._TRIES", 2)
    may_end = threading.Event()
    with closing(open_backend()) as backend:
        reader = Reader(backend)

        async def ask():
            asking = asyncio.ensure_future(reader.ask(lambda store: may_end.wait(60)))
            await asyncio.sleep(0)
            start = time.monotonic()
            is_closed = await asyncio.to_thread(reader.close)
            may_end.set()
            await asking
            return is_closed, time.monotonic() - start

        is_closed, seconds = run(ask())
        reader._thread.join()

    assert not is_closed
    assert seconds < 30
