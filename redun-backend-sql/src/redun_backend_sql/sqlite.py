"""A SQLite database as redun uses it: opened so that many processes can share it, and written in whole transactions.

The driver is used directly. The connection is in autocommit mode, so that a transaction is just what lies between
``BEGIN IMMEDIATE`` and ``COMMIT``. Writers wait for one another; readers never wait, because the database keeps a
write-ahead log.

Foreign keys are not enforced on this connection: a batch is consistent by construction, and checking each row again
costs half as much as writing it. The schema declares them, so other tools can enforce them and a check of the whole
database can be made at any time with ``PRAGMA foreign_key_check``.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from redun.errors import BackendError

MEMORY = ":memory:"
_BUSY_SECONDS = 60
_CACHE_KIB = 128 * 1024
_MAX_PARAMETERS = 500


class SqliteDatabase:
    """An open SQLite database.

    Parameters
    ----------
    path
        The file, or ``":memory:"``.

    Raises
    ------
    BackendError
        When the file can't be opened or is no database.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.connection = _connect(path)

    def prepare(self) -> None:
        """Set the connection up for work, once the tables exist."""
        with translating_errors(self.path):
            self.connection.execute("PRAGMA journal_mode = WAL")
            self.connection.execute("PRAGMA synchronous = NORMAL")
            self.connection.execute(f"PRAGMA cache_size = {-_CACHE_KIB}")

    def close(self) -> None:
        """Close the connection."""
        self.connection.close()

    def tables(self) -> set[str]:
        """Return the names of all tables."""
        with translating_errors(self.path):
            rows = self.connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            return {name for (name,) in rows}

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Make everything that happens inside happen together or not at all; waits for other writers."""
        with translating_errors(self.path):
            self.connection.execute("BEGIN IMMEDIATE")
            try:
                yield self.connection
                self.connection.execute("COMMIT")
            except BaseException:
                self.connection.rollback()
                raise

    def select(self, statement: str, *parameters: Any) -> Sequence[Any]:
        """Return the rows of a query."""
        try:
            return self.connection.execute(statement, parameters).fetchall()
        except sqlite3.Error as error:
            raise explain_error(self.path, error) from error

    def select_in(self, statement: str, keys: Sequence[str], *first: Any) -> Sequence[Any]:
        """Return the rows of a query over some keys, asked for in chunks.

        Parameters
        ----------
        statement
            The query, with ``{keys}`` where the list of parameters belongs.
        keys
            The keys; repeats are asked for once.
        *first
            Parameters that come before the keys.
        """
        if len(keys) == 1:
            return self.select(_fill_keys(statement, 1), *first, keys[0])
        rows: list[Any] = []
        distinct = list(dict.fromkeys(keys))
        with translating_errors(self.path):
            for start in range(0, len(distinct), _MAX_PARAMETERS):
                chunk = distinct[start : start + _MAX_PARAMETERS]
                length = _padded_length(len(chunk))
                padded = chunk + chunk[-1:] * (length - len(chunk))
                rows.extend(self.connection.execute(_fill_keys(statement, length), (*first, *padded)))
        return rows

    def write(self, statements: Iterable[tuple[str, Sequence[tuple[Any, ...]]]]) -> None:
        """Execute statements, each for all of its rows, in one transaction."""
        with self.transaction() as connection:
            for statement, rows in statements:
                if rows:
                    connection.executemany(statement, rows)


@lru_cache(maxsize=64)
def _fill_keys(statement: str, length: int) -> str:
    return statement.format(keys=",".join("?" * length))


def _padded_length(count: int) -> int:
    """Return the next of a few lengths, so that the driver's cache of prepared statements is hit."""
    return next(length for length in (1, 4, 20, 100, _MAX_PARAMETERS) if count <= length)


def _connect(path: str) -> sqlite3.Connection:
    folder = Path(path).parent
    if path != MEMORY and not folder.is_dir():
        raise BackendError(f"the database {path} can't be opened: there is no folder {folder}")
    with translating_errors(path):
        connection = sqlite3.connect(
            path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False, cached_statements=64
        )
        try:
            connection.execute("PRAGMA schema_version")
        except BaseException:
            connection.close()
            raise
    return connection


@contextmanager
def translating_errors(path: str) -> Iterator[None]:
    """Turn errors of the driver into one sentence that names the database and says what may help."""
    try:
        yield
    except sqlite3.Error as error:
        raise explain_error(path, error) from error


def explain_error(path: str, error: sqlite3.Error) -> BackendError:
    """Return an error of the driver as one sentence that names the database and says what may help."""
    text = str(error)
    if "not a database" in text or "malformed" in text:
        advice = "; it is no SQLite database, or it is damaged: restore a copy, or move it away to start a new one"
    elif "locked" in text or "busy" in text:
        advice = f"; another process kept it locked for {_BUSY_SECONDS} seconds: try again when that is done"
    elif "readonly" in text or "read-only" in text or "unable to open" in text:
        advice = "; check that the file and its folder exist and may be written"
    elif "full" in text:
        advice = "; the disk is full: free some space and run again, finished work is kept"
    else:
        advice = ""
    return BackendError(f"the database {path} can't be used: {text}{advice}")
