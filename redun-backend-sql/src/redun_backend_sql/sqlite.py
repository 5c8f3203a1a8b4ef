"""A SQLite database as redun uses it: opened so that many processes can share it, and written in whole transactions.

The driver is used directly. The connection is in autocommit mode, so that a transaction is just what lies between
``BEGIN IMMEDIATE`` and ``COMMIT``. Writers wait for one another, a moment at a time, so that signals are noticed and
other work goes on; readers never wait, because the database keeps a write-ahead log.

Foreign keys are not enforced on this connection: a batch is consistent by construction, and checking each row again
costs half as much as writing it. The schema declares them, so other tools can enforce them and a check of the whole
database can be made at any time with ``PRAGMA foreign_key_check``.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import lru_cache
from itertools import chain
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import finalize

from redun.errors import BackendError
from redun.logging import logger
from redun_backend_sql.database import Database, Insert, Row, Update, Write, log_statement, log_statements
from redun_backend_sql.location import MEMORY
from redun_backend_sql.retry import NEVER, Retries, Trouble

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

T = TypeVar("T")

_BUSY_SECONDS = 60
_WAIT_MILLISECONDS = 100
_SLICE = 5_000
_MAX_VALUES = 500
_MAX_BYTES = 1024 * 1024
_CACHE_KIB = 128 * 1024
_LAST_CHARACTER = "\U0010ffff"


class SqliteDatabase(Database):
    """An open SQLite database.

    Parameters
    ----------
    path
        The file, or ``":memory:"``.
    retries
        How often is tried again what failed because another process kept the database locked.

    Raises
    ------
    BackendError
        When the file can't be opened or is no database.
    """

    dialect = "sqlite"
    row_order = "rowid"

    def __init__(self, path: str, retries: Retries = NEVER) -> None:
        self.name = self.path = path
        self._retries = retries
        self.connection = _connect(path)
        # Schedulers need not be closed: the driver says from Python 3.13 on that a connection should have been.
        finalize(self, self.connection.close).atexit = False
        self._place = os.path.abspath(path)
        self._file = _identify(self._place)

    @property
    def is_writable(self) -> bool:
        if self.path == MEMORY:
            return True
        return _may_write(self.path) and _may_write(Path(self.path).parent)

    def prepare(self) -> None:
        with translating_errors(self.path):
            self.connection.execute("PRAGMA journal_mode = WAL")
            self.connection.execute("PRAGMA synchronous = NORMAL")

    def interrupt(self) -> None:
        with suppress(sqlite3.ProgrammingError):  # It is closed.
            self.connection.interrupt()

    def close(self) -> None:
        self.connection.close()

    def tables(self) -> set[str]:
        with translating_errors(self.path):
            rows = self.connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            return {name for (name,) in rows}

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        log_statement("BEGIN IMMEDIATE")
        self._retrying(lambda: self._waiting(lambda: self.connection.execute("BEGIN IMMEDIATE")))
        with translating_errors(self.path):
            try:
                yield self.connection
                self.connection.execute("COMMIT")
            except BaseException:
                self.connection.rollback()
                raise

    def select(self, statement: str, *parameters: Any) -> Sequence[Any]:
        log_statement(statement)
        return self._retrying(lambda: self.connection.execute(statement, parameters).fetchall())

    def iterate(self, statement: str, *parameters: Any) -> Iterator[Any]:
        log_statement(statement)
        with translating_errors(self.path):
            yield from self.connection.execute(statement, parameters)

    @contextmanager
    def snapshot(self) -> Iterator[sqlite3.Connection]:
        self.execute("BEGIN")
        try:
            yield self.connection
        finally:
            self.connection.rollback()

    def execute(self, statement: str, *parameters: Any) -> int:
        log_statement(statement)
        return self._retrying(lambda: self._waiting(lambda: self.connection.execute(statement, parameters).rowcount))

    def match_prefix(self, column: str, prefix: str) -> tuple[str, Sequence[str]]:
        return f"{column} >= ? AND {column} < ?", [prefix, prefix + _LAST_CHARACTER]  # LIKE ignores case: no index.

    def read_change_mark(self) -> object:
        return self.select("PRAGMA data_version")[0][0]

    def write_groups(self, groups: Iterable[Mapping[Write, Sequence[Row]]]) -> None:
        with self.transaction() as connection:
            for rows in groups:
                for write, values in rows.items():
                    for start in range(0, len(values), _SLICE):
                        _write_rows(connection, write, values[start : start + _SLICE])
                        if self.pause is not None:
                            self.pause()
        self._watch_file()

    def _watch_file(self) -> None:
        """Say once that the file is not there any more: what is written then can't be found."""
        if self._file is not None and self._file != _identify(self._place):
            self._file = None
            logger.warning(
                "The database %s was removed or replaced while it was in use: what is recorded from now on is lost. "
                "Run again to have it recorded.",
                self.path,
            )

    def make_engine(self) -> Engine:
        from sqlalchemy import create_engine
        from sqlalchemy.pool import NullPool

        if self.path == MEMORY:
            return self._share_connection()
        return log_statements(
            create_engine("sqlite://", creator=lambda: _connect_to_read(self.path), poolclass=NullPool)
        )

    def _share_connection(self) -> Engine:
        from sqlalchemy import create_engine
        from sqlalchemy.pool import StaticPool

        return log_statements(create_engine("sqlite://", creator=lambda: self.connection, poolclass=StaticPool))

    @contextmanager
    def migrating(self) -> Iterator[Connection]:
        from sqlalchemy.exc import DBAPIError

        with translating_errors(self.path), self._share_connection().connect() as shared:
            try:
                # Begun here and not before: the engine rolls back what it finds open when it first takes a connection.
                shared.exec_driver_sql("BEGIN IMMEDIATE")
                yield shared
                shared.commit()
            except DBAPIError as error:
                raise error.orig or error from None

    def translating_errors(self) -> AbstractContextManager[None]:
        return translating_errors(self.path)

    def _retrying(self, action: Callable[[], T]) -> T:
        return self._retries.run(action, self._judge, lambda error: _explain(self.path, error))

    def _waiting(self, write: Callable[[], T]) -> T:
        """Return what writing returns once nobody is in the way; while SQLite itself waits, nothing else goes on."""
        if self.connection.in_transaction:
            return write()
        [(patience,)] = self.connection.execute("PRAGMA busy_timeout")
        deadline = time.monotonic() + patience / 1_000
        self.connection.execute(f"PRAGMA busy_timeout = {min(patience, _WAIT_MILLISECONDS)}")
        try:
            while True:
                try:
                    return write()
                except sqlite3.OperationalError as error:
                    if self._judge(error) is None or time.monotonic() >= deadline:
                        raise
                if self.pause is not None:
                    self.pause()
        finally:
            self.connection.execute(f"PRAGMA busy_timeout = {patience}")

    def _judge(self, error: Exception) -> Trouble | None:
        is_locked = isinstance(error, sqlite3.OperationalError) and ("locked" in str(error) or "busy" in str(error))
        return Trouble.COLLISION if is_locked and not self.connection.in_transaction else None


def _write_rows(connection: sqlite3.Connection, write: Write, rows: Sequence[Row]) -> None:
    """Write rows, many with each statement: of what one row costs with a statement of its own, a third is saved."""
    done, together = 0, _count_together(write)
    if len(rows) >= together > 1:
        statement = format_write(write, together)
        log_statement(statement)
        for part in (rows[start : start + together] for start in range(0, len(rows) - together + 1, together)):
            if not _are_small(write, part):
                break
            connection.execute(statement, [*chain.from_iterable(part)])
            done += together
    if done < len(rows):
        log_statement(format_write(write))
        connection.executemany(format_write(write), rows[done:])


def _count_together(write: Write) -> int:
    """Return how many rows one statement writes."""
    return 1 if isinstance(write, Update) else _MAX_VALUES // len(write.columns)


def _are_small(write: Write, rows: Sequence[Row]) -> bool:
    """Whether rows are small enough to be bound together: the driver copies what it binds."""
    if not isinstance(write, Insert) or not write.filled:
        return True
    column = itemgetter(write.columns.index(write.filled))
    return sum(map(len, map(column, rows))) <= _MAX_BYTES


@lru_cache(maxsize=64)
def format_write(write: Write, count: int = 1) -> str:
    """Return the statement that writes some rows; an update changes one.

    Examples
    --------
    >>> from redun_backend_sql.database import Insert
    >>> format_write(Insert("file", ("value_hash", "path"), ("value_hash",)))
    'INSERT OR IGNORE INTO file (value_hash, path) VALUES (?, ?)'
    """
    if isinstance(write, Update):
        settings = ", ".join(f"{column} = ?" for column in write.columns)
        return f"UPDATE {write.table} SET {settings} WHERE {write.key} = ?"  # noqa: S608
    values = ", ".join([f"({', '.join('?' * len(write.columns))})"] * count)
    rows = f"{write.table} ({', '.join(write.columns)}) VALUES {values}"
    if not write.changed:
        return f"INSERT OR IGNORE INTO {rows}"
    settings = ", ".join(f"{column} = excluded.{column}" for column in write.changed)
    where = ""
    if write.filled:
        where = f" WHERE length({write.table}.{write.filled}) = 0 AND length(excluded.{write.filled}) > 0"
    return f"INSERT INTO {rows} ON CONFLICT ({', '.join(write.key)}) DO UPDATE SET {settings}{where}"


def _connect(path: str) -> sqlite3.Connection:
    folder = Path(path).parent
    if path != MEMORY and not folder.is_dir():
        raise BackendError(f"the database {path} can't be opened: there is no folder {folder}")
    with translating_errors(path):
        try:
            with _guarding_log(path):
                return _open(path)
        except sqlite3.OperationalError:
            if not _is_at_rest(path):
                raise
            return _open(f"{Path(path).resolve().as_uri()}?immutable=1")


@contextmanager
def _guarding_log(path: str) -> Iterator[None]:
    """Keep SQLite from removing a write-ahead log that it has not brought into the database.

    It does that when it closes a connection that could not make the index of the log, on a full disk for example. A
    connection that may only read never does; as long as it is open, the others of the process share its index.
    """
    if not _has_log(path):
        yield
        return
    guard = _open(f"{Path(path).resolve().as_uri()}?mode=ro")
    try:
        yield
    finally:
        guard.close()


def _identify(path: str) -> tuple[int, int] | None:
    """Return what tells a file from another one that has its name later; None if there is none."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _is_at_rest(path: str) -> bool:
    """Whether a file is complete and stays as it is: with a write-ahead log, even reading it writes beside it."""
    return not _may_write(Path(path).parent) and not _has_log(path)


def _has_log(path: str) -> bool:
    """Whether there is something in the write-ahead log of a file."""
    try:
        return os.stat(f"{path}-wal").st_size > 0
    except FileNotFoundError:
        return False


def _may_write(path: str | Path) -> bool:
    return os.access(path, os.W_OK, effective_ids=os.access in os.supports_effective_ids)


def _open(name: str) -> sqlite3.Connection:
    connection = sqlite3.connect(
        name,
        timeout=_BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=128,
        uri=name.startswith("file:"),
    )
    try:
        connection.execute(f"PRAGMA cache_size = {-_CACHE_KIB}")
        connection.execute("PRAGMA schema_version")
    except BaseException:
        connection.close()
        raise
    return connection


def _connect_to_read(path: str) -> sqlite3.Connection:
    connection = _connect(path)
    connection.execute("PRAGMA query_only = ON")
    return connection


@contextmanager
def translating_errors(path: str) -> Iterator[None]:
    """Turn errors of the driver into one sentence that names the database and says what may help."""
    try:
        yield
    except sqlite3.Error as error:
        raise explain_error(path, error) from error


def _explain(path: str, error: Exception) -> Exception:
    return explain_error(path, error) if isinstance(error, sqlite3.Error) else error


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
        advice = "; the disk is full: free some space and run again, what was recorded before is kept"
    elif "disk I/O" in text:
        advice = "; look whether the disk is full or broken"
    else:
        advice = ""
    return BackendError(f"the database {path} can't be used: {text}{advice}")
