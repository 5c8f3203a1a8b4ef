import logging
import threading
from concurrent.futures import Future

import pytest

from redun import Scheduler, task
from redun.backends.memory import MemoryBackend
from redun.executors.local import LocalExecutor
from redun.hashing import hash_struct
from redun.values.external import ExternalValue, PlaceValue, Watched, find_changed, looking_at

redun_namespace = "test_external"

STATES = {}
LOOKS = []


class Page(ExternalValue):
    """A page somewhere else, that can be looked at together with others."""

    type_name = "test_external.Page"

    def __init__(self, url):
        self.url = url
        self._hash = None

    def describe_place(self):
        return self.url

    def get_known_hash(self):
        return self._hash

    def get_hash(self, data=None):
        if self._hash is None:
            self._hash = self.take_hash()
        return self._hash

    def take_hash(self):
        if STATES.get(self.url) == "forbidden":
            raise PermissionError(self.url)
        return hash_struct([self.url, STATES.get(self.url, "")])

    @classmethod
    def look_at_all(cls, values):
        if len(values) > 1:
            LOOKS.append(len(values))
        return super().look_at_all(values)

    def is_valid(self):
        return self.get_hash() == self.look()

    def __getstate__(self):
        return {"url": self.url, "hash": self.get_hash()}

    def __setstate__(self, state):
        self.url, self._hash = state["url"], state["hash"]


@task
def follow(page):
    return {"found": Page(f"{page.url}/next")}


@task
def follow_all(count):
    return [follow(Page(f"web://{number}")) for number in range(count)]


@pytest.fixture(autouse=True)
def nothing_known():
    STATES.clear()
    LOOKS.clear()


def test_recorded_results_are_looked_at_together():
    """What recorded results refer to is looked at together, whether it is in expressions or in values."""
    backend = MemoryBackend()
    first = Scheduler(backend=backend).run(follow_all(20))
    LOOKS.clear()

    second = Scheduler(backend=backend).run(follow_all(20))

    assert [item["found"].url for item in second] == [item["found"].url for item in first]
    assert LOOKS == [20, 20]
    assert all(job.cached for job in list(backend.jobs.values())[-20:])


def test_look_at_many_sees_each_change():
    """A page among many that has changed makes the one call run again that gave it."""
    backend = MemoryBackend()
    Scheduler(backend=backend).run(follow_all(20))
    known = set(backend.jobs)
    STATES["web://7/next"] = "new"

    Scheduler(backend=backend).run(follow_all(20))

    ran = [job for key, job in backend.jobs.items() if key not in known and not job.cached]
    assert len(ran) == 1


def test_places_are_looked_at_once_and_for_the_block_only():
    """In a block every place is looked at once; after it, it is looked at again."""
    pages = [Page("web://a"), Page("web://b"), Page("web://a")]
    hashes = [page.get_hash() for page in pages]

    with looking_at(pages):
        STATES["web://a"] = "new"
        inside = [page.look() == known for page, known in zip(pages, hashes, strict=True)]

    outside = [page.look() == known for page, known in zip(pages, hashes, strict=True)]
    assert (inside, outside) == ([True, True, True], [False, True, False])


def test_what_can_not_be_looked_at_has_changed():
    """A value that can't be looked at any more counts as changed."""
    watched = [Watched(page, page.get_hash()) for page in (Page("web://a"), Page("web://b"))]
    STATES["web://b"] = "forbidden"

    assert find_changed(watched) == ["web://b"]


def test_other_threads_look_for_themselves():
    """What one thread has looked at says nothing to another one."""
    page = Page("web://a")
    page.get_hash()
    seen = []

    with looking_at([page]):
        STATES["web://a"] = "new"
        thread = threading.Thread(target=lambda: seen.append(page.is_valid()))
        thread.start()
        thread.join()

    assert seen == [False]


class AtOnceExecutor(LocalExecutor):
    """Has run every call when it returns."""

    def submit_many(self, calls):
        futures = [Future() for _ in calls]
        for future, call in zip(futures, calls, strict=True):
            future.set_result(call.func(*call.args, **call.kwargs))
        return futures


def test_calls_that_end_together_are_looked_at_together(caplog):
    """What calls took is looked at again when they have ended, together for those that ended meanwhile."""
    caplog.set_level(logging.WARNING, logger="redun")

    with Scheduler(backend=MemoryBackend(), executor=AtOnceExecutor()) as scheduler:
        scheduler.run([follow(Page(f"web://{number}")) for number in range(50)])

    assert LOOKS == [50]
    assert [record.getMessage() for record in caplog.records] == []


class Board(PlaceValue):
    """A board whose text is its state."""

    type_name = "test_external.Board"

    def describe_place(self):
        return "the wall"

    def take_hash(self):
        if "the wall" not in STATES:
            raise FileNotFoundError("the wall")
        return hash_struct([STATES["the wall"]])


def test_state_is_kept_from_when_it_was_first_asked_for(monkeypatch):
    """The state is that in which the hash was first asked for, until it is taken anew; in another it is not valid."""
    monkeypatch.setitem(STATES, "the wall", "one")
    board = Board()
    unasked = board.get_known_hash()
    first = board.hash

    STATES["the wall"] = "two"

    assert (unasked, board.hash, board.get_known_hash(), board.is_valid()) == (None, first, first, False)
    board.update_hash()
    assert (board.get_hash() == first, board.is_valid(), Board().is_valid()) == (False, True, True)


def test_place_that_cannot_be_looked_at_is_not_valid():
    """What can't be looked at is not valid, whether it was looked at before or not."""
    STATES["the wall"] = "one"
    seen = Board()
    seen.update_hash()
    del STATES["the wall"]

    assert (seen.is_valid(), Board().is_valid()) == (False, False)
