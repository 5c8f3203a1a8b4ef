"""Queries that are ended from another thread."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from redun.errors import BackendError

ENDLESS = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n"


def test_query_is_interrupted(database):
    """A query without an end is ended by another thread with an error, and the next one is answered."""
    with ThreadPoolExecutor(1) as threads:
        asking = threads.submit(database.select, ENDLESS)
        while not asking.done():
            database.interrupt()

    with pytest.raises(BackendError, match=r"interrupted|cancel"):
        asking.result()
    assert database.select("SELECT 1") == [(1,)]


def test_interrupting_nothing_does_nothing(database):
    """An interruption that comes between two queries ends neither."""
    before = database.select("SELECT 1")

    database.interrupt()

    assert (before, database.select("SELECT 2")) == ([(1,)], [(2,)])


def test_closed_database_can_be_interrupted(open_uri, make_uri):
    """Whoever interrupts may come too late."""
    database = open_uri(make_uri())
    database.close()

    database.interrupt()
