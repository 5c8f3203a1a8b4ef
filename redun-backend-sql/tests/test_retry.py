"""Trying again: how often, after which pauses, and what is told."""

import logging
import sqlite3
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redun.errors import BackendError
from redun_backend_sql.retry import NEVER, Retries, Trouble
from redun_backend_sql.sqlite import SqliteDatabase

QUICK = Retries(count=3, backoff=0.001, backoff_max=0.002, patience=0.0)


class Flaky:
    """Fails so many times, then works."""

    def __init__(self, failures):
        self.failures, self.tries = failures, 0

    def __call__(self):
        self.tries += 1
        if self.tries <= self.failures:
            raise OSError(f"failure {self.tries}")
        return "done"


def explain(error):
    return BackendError(f"it can't be done: {error}")


@given(st.integers(0, 200))
def test_pauses_double_up_to_the_longest(done):
    """Each pause is up to twice as long as the one before, at least half of that, and never longer than the longest."""
    pause = Retries(backoff=1.0, backoff_max=60.0).pause(done)

    longest = min(2.0**done, 60.0)
    assert longest / 2 <= pause <= longest


@pytest.mark.parametrize(
    ("retries", "trouble", "done", "seconds", "expected"),
    [
        (Retries(), Trouble.COLLISION, 2, 500.0, False),
        (Retries(), Trouble.COLLISION, 3, 0.0, True),
        (Retries(), Trouble.UNREACHED, 3, 0.0, True),
        (Retries(), Trouble.AWAY, 3, 0.0, False),
        (Retries(), Trouble.AWAY, 9, 59.9, False),
        (Retries(), Trouble.AWAY, 9, 60.0, True),
        (Retries(count=10), Trouble.AWAY, 9, 300.0, False),
        (NEVER, Trouble.AWAY, 0, 0.0, True),
        (NEVER, Trouble.COLLISION, 0, 0.0, True),
    ],
)
def test_a_server_that_is_away_is_waited_for(retries, trouble, done, seconds, expected):
    """A collision is tried again a few times; for a server that is away a minute has to pass too, unless told never."""
    assert retries.is_over(trouble, done, seconds) is expected


@pytest.mark.parametrize("failures", [0, 1, 3])
def test_what_fails_for_a_while_works_in_the_end(failures):
    """What works after some failures returns what it returns then."""
    action = Flaky(failures)

    assert QUICK.run(action, lambda error: Trouble.COLLISION, explain) == "done"
    assert action.tries == failures + 1


def test_what_fails_too_often_is_explained():
    """After the last retry the explained error is raised, and the driver's one is its cause."""
    action = Flaky(9)

    with pytest.raises(BackendError, match="it can't be done: failure 4") as caught:
        QUICK.run(action, lambda error: Trouble.COLLISION, explain)

    assert (action.tries, type(caught.value.__cause__)) == (4, OSError)


def test_what_does_not_pass_is_not_tried_again():
    """A failure that trying again does not help is raised at once."""
    action = Flaky(1)

    with pytest.raises(BackendError, match="failure 1"):
        QUICK.run(action, lambda error: None, explain)

    assert action.tries == 1


def test_errors_of_others_pass():
    """What is no error of the driver is raised as it is."""
    with pytest.raises(OSError, match=r"^failure 1$") as caught:
        QUICK.run(Flaky(1), lambda error: None, lambda error: error)

    assert caught.value.__cause__ is None


def test_every_retry_is_told(caplog):
    """Each retry is logged with the reason and when it comes."""
    with caplog.at_level(logging.WARNING, "redun"):
        QUICK.run(Flaky(2), lambda error: Trouble.COLLISION, explain)

    assert [record.getMessage() for record in caplog.records] == [
        f"it can't be done: failure {number}; trying again in 0.0 s" for number in (1, 2)
    ]


def test_locked_sqlite_database_is_tried_again(tmp_path, caplog):
    """A transaction that another process kept from starting is tried again, and then takes place."""
    path = str(tmp_path / "test.db")
    holder = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    holder.execute("BEGIN IMMEDIATE")

    class Release(logging.Handler):
        def emit(self, record):
            holder.rollback()

    logger, release = logging.getLogger("redun"), Release()
    with closing(holder), closing(SqliteDatabase(path, QUICK)) as database:
        database.connection.execute("PRAGMA busy_timeout = 0")
        logger.addHandler(release)
        try:
            with database.transaction():
                database.execute("CREATE TABLE item (key)")
        finally:
            logger.removeHandler(release)

        assert database.tables() == {"item"}
    assert "another process kept it locked" in caplog.text
