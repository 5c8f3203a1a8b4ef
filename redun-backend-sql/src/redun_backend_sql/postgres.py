"""A PostgreSQL database as redun uses it: few round trips, and patience with a server that is away for a while.

The connection is in autocommit mode. A group of rows is written by one statement for each kind, sent together between
``BEGIN`` and ``COMMIT``, so that it costs one round trip whatever its size.

The connection is *closed*, *open* or *lost*. It is opened when something is first asked for, and again after it was
lost. What was not inside of a transaction is then done once more: reading has no effect, and writing the same rows
twice has the effect of once. What is inside of one fails as a whole.

Rows come as SQLite gives them: points in time as text in UTC, JSON as text.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from functools import lru_cache, partial
from struct import Struct
from typing import TYPE_CHECKING, Any, Final, TypeVar

import psycopg
from psycopg.abc import Buffer
from psycopg.adapt import Dumper, Loader
from psycopg.pq import Format

from redun._version import __version__
from redun.errors import BackendError
from redun_backend_sql import postgres_errors
from redun_backend_sql.bulk import MAX_BYTES, BytesArray, TextArray, Types, make_statements, make_text_array
from redun_backend_sql.database import Database, Row, Write, log_statement, log_statements
from redun_backend_sql.location import PostgresLocation
from redun_backend_sql.postgres_cursors import Cursors
from redun_backend_sql.retry import NEVER, Retries, Trouble
from redun_backend_sql.rows import format_microseconds

if TYPE_CHECKING:
    from sqlalchemy import Connection as SqlalchemyConnection
    from sqlalchemy import Engine

T = TypeVar("T")
Connection = psycopg.Connection[tuple[Any, ...]]

MAX_KEYS = 10_000
"""How many keys one statement asks for at most."""

LOCK_SECONDS = 60
"""How long a migration waits for programs that are using a table, in seconds."""

_SETTINGS = {"redun.version": __version__, "TimeZone": "UTC", "jit": "off"}
_START_OF_2000 = 946_684_800 * 1_000_000
_MANY_ROWS = 2_000
_PAUSE_SECONDS = 0.02
_CANCEL_SECONDS = 5.0
_OTHER_TYPES = 0
_read_microseconds = Struct("!q").unpack

_WAIT: Final = "SELECT pg_advisory_xact_lock(491327354222)"
"""Lets one transaction wait for the other: what they lock is a number that nobody else will choose."""

_TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = current_schema()"
_COLUMNS = (
    "SELECT relname, attname, format_type(atttypid, atttypmod) FROM pg_attribute "
    "JOIN pg_class ON pg_class.oid = attrelid "
    "WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p') "
    "AND attnum > 0 AND NOT attisdropped"
)
_IS_WRITABLE = "SELECT current_setting('transaction_read_only') = 'off'"


class _UnknownTableError(BackendError):
    """A table is not among those that were there when the database was last asked."""


class PostgresDatabase(Database):
    """An open PostgreSQL database.

    Parameters
    ----------
    location
        The database, and who connects.
    retries
        How often a failure that may pass is tried again.

    Raises
    ------
    BackendError
        When the server can't be reached, or it refuses the connection.
    """

    dialect = "postgresql"
    row_order = "ctid"

    def __init__(self, location: PostgresLocation, retries: Retries = NEVER) -> None:
        self.name = location.name
        self._location = location
        self._retries = retries
        self._connection: Connection | None = None
        self._has_answered = False
        self._is_closed = False
        self._in_transaction = False
        self._cursors: Cursors | None = None
        self._types: dict[str, dict[str, str]] = {}
        self._run(lambda connection: None)

    @property
    def is_writable(self) -> bool:
        [(is_writable,)] = self.select(_IS_WRITABLE)
        return bool(is_writable)

    def interrupt(self) -> None:
        connection = self._connection
        if connection is not None and not connection.closed:
            with suppress(psycopg.Error):  # Then the query goes on, and there is nothing else to be done about it.
                connection.cancel_safe(timeout=_CANCEL_SECONDS)

    def close(self) -> None:
        self._is_closed = True
        self._lose()

    def tables(self) -> set[str]:
        return {name for (name,) in self.select(_TABLES)}

    def select(self, statement: str, *parameters: Any) -> Sequence[Any]:
        log_statement(statement)
        query = number_parameters(statement)
        return self._run(lambda connection: _cursor(connection).execute(query, parameters, binary=True).fetchall())

    def select_ordered(
        self, columns: str, table: str, column: str, key: str, limit: int, newest: bool = True
    ) -> Sequence[Any]:
        # An index keeps equal keys in the order of their places in the table, and new rows go to its last pages. It is
        # walked in order where the order is asked for and the key is a range, though of one value.
        direction = "DESC" if newest else "ASC"
        statement = (
            f"SELECT {columns} FROM {table} WHERE {column} >= ? AND {column} <= ? "  # noqa: S608
            f"ORDER BY {column} {direction} LIMIT ?"
        )
        return self.select(statement, key, key, limit)

    def select_in(self, statement: str, keys: Sequence[str], *first: Any) -> Sequence[Any]:
        statement = _ask_at_once(statement)
        distinct = list(dict.fromkeys(keys))
        rows: list[Any] = []
        for start in range(0, len(distinct), MAX_KEYS):
            rows.extend(self.select(statement, *first, make_text_array(distinct[start : start + MAX_KEYS])))
        return rows

    def iterate(self, statement: str, *parameters: Any) -> Iterator[Any]:
        if self._cursors is None or self._connection is None:
            yield from self.select(statement, *parameters)
            return
        log_statement(statement)
        with self.translating_errors():
            yield from self._cursors.read(self._connection, number_parameters(statement), parameters, _cursor)

    def iterate_in(self, statement: str, keys: Sequence[str]) -> Iterator[Any]:
        return self.iterate(_ask_at_once(statement), make_text_array(keys))

    def execute(self, statement: str, *parameters: Any) -> int:
        log_statement(statement)
        query = number_parameters(statement)
        return self._run(lambda connection: _cursor(connection).execute(query, parameters).rowcount)

    def execute_in(self, statement: str, keys: Sequence[str], *first: Any) -> None:
        self.execute(_ask_at_once(statement), *first, make_text_array(keys))

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        connection = self._run(self._begin)
        self._in_transaction = True
        try:
            with self.translating_errors():
                yield connection
                if connection.execute("COMMIT").statusmessage != "COMMIT":
                    raise BackendError(f"the database {self.name} undid a transaction in which a statement had failed")
        except BaseException:
            self._roll_back()
            raise
        finally:
            self._in_transaction = False

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        connection = self._run(_begin_reading)
        self._in_transaction, self._cursors = True, Cursors()
        try:
            yield connection
        finally:
            self._in_transaction, self._cursors = False, None
            self._roll_back()

    def write_groups(self, groups: Iterable[Mapping[Write, Sequence[Row]]]) -> None:
        if not self._types:
            self._load_types()
        try:
            self._run(lambda connection: self._write_meanwhile(connection, groups), self.pause)
        except _UnknownTableError:
            self._load_types()  # It may have been made since.
            self._run(lambda connection: self._write_meanwhile(connection, groups), self.pause)

    def make_engine(self) -> Engine:
        return self._make_engine("SET default_transaction_read_only = on")

    @contextmanager
    def migrating(self) -> Iterator[SqlalchemyConnection]:
        from sqlalchemy.exc import DBAPIError

        with self.translating_errors(), self._make_engine().connect() as shared:
            try:
                shared.exec_driver_sql(_WAIT)
                shared.exec_driver_sql(f"SET LOCAL lock_timeout = '{LOCK_SECONDS}s'")
                yield shared
                shared.commit()
            except DBAPIError as error:
                raise error.orig or error from None
            finally:
                self._types.clear()

    @contextmanager
    def translating_errors(self) -> Iterator[None]:
        try:
            yield
        except psycopg.Error as error:
            raise self._explain(error) from error

    def _run(self, action: Callable[[Connection], T], meanwhile: Callable[[], None] | None = None) -> T:
        """Do something with the open connection; again when it is lost, unless that is inside of a transaction."""
        if self._in_transaction and self._connection is not None:
            with self.translating_errors():
                return action(self._connection)
        sleep = partial(_sleep, meanwhile or self.check)
        return self._retries.run(lambda: action(self._open()), self._judge, self._explain, sleep)

    def _open(self) -> Connection:
        if self._is_closed:
            raise BackendError(f"the database {self.name} can't be used: it was closed")
        if self._connection is None or self._connection.closed:
            self._connection = None
            self._connection = self._connect()
            self._has_answered = True
        return self._connection

    def _connect(self) -> Connection:
        connection: Connection = psycopg.connect(**self._location.parameters, autocommit=True, prepare_threshold=None)
        try:
            connection.adapters.register_dumper(TextArray, _TextArrayDumper)
            connection.adapters.register_dumper(BytesArray, _BytesArrayDumper)
            connection.adapters.register_loader("timestamptz", _TimeLoader)
            connection.adapters.register_loader("jsonb", _JsonLoader)
            connection.adapters.register_loader(_OTHER_TYPES, _TextLoader)
            settings = ", ".join(f"set_config('{name}', '{value}', false)" for name, value in _SETTINGS.items())
            connection.execute(f"SELECT {settings}".encode())
        except BaseException:
            connection.close()
            raise
        return connection

    def _judge(self, error: Exception) -> Trouble | None:
        if self._connection is None:
            return postgres_errors.judge_opening(error, self._has_answered)
        return postgres_errors.judge(error, self._connection.closed)

    def _explain(self, error: Exception) -> Exception:
        return postgres_errors.explain(self.name, error)

    def _begin(self, connection: Connection) -> Connection:
        try:
            with connection.pipeline():
                connection.execute("BEGIN")
                connection.execute(_WAIT)
        except BaseException:
            self._roll_back()
            raise
        return connection

    def _write_meanwhile(self, connection: Connection, groups: Iterable[Mapping[Write, Sequence[Row]]]) -> None:
        """Write while this thread does other work, if there is any and if writing takes long."""
        if self.pause is None or (isinstance(groups, Sequence) and _count_rows(groups) < _MANY_ROWS):
            self._write(connection, groups)
            return
        with ThreadPoolExecutor(1, "redun-write") as threads:
            writing = threads.submit(self._write, connection, groups)
            try:
                while wait([writing], _PAUSE_SECONDS).not_done:
                    self.pause()
            except BaseException:
                connection.cancel_safe(timeout=_CANCEL_SECONDS)
                raise
        writing.result()

    def _write(self, connection: Connection, groups: Iterable[Mapping[Write, Sequence[Row]]]) -> None:
        given = ((write, values) for rows in groups for write, values in rows.items() if values)
        try:
            with connection.pipeline() as pipeline:
                cursor = _cursor(connection)
                cursor.execute("BEGIN")
                waiting = 0
                for write, values in given:
                    for statement, arrays in make_statements(write, values, self._find_types(write.table)):
                        log_statement(statement)
                        cursor.execute(statement.encode(), arrays)
                        waiting += sum(len(array.data) for array in arrays)
                        if waiting > MAX_BYTES:
                            pipeline.sync()
                            waiting = 0
                cursor.execute("COMMIT")
        except BaseException:
            self._roll_back()
            raise

    def _roll_back(self) -> None:
        connection = self._connection
        if connection is not None and not connection.closed:
            with suppress(psycopg.Error):
                connection.rollback()
                return
        self._lose()

    def _lose(self) -> None:
        if self._connection is not None:
            self._connection.close()

    def _load_types(self) -> None:
        for name, column, kind in self.select(_COLUMNS):
            self._types.setdefault(name, {})[column] = kind

    def _find_types(self, table: str) -> Types:
        """Return the types of a table's columns by name."""
        if table not in self._types:
            raise _UnknownTableError(f"the database {self.name} can't be used: it has no table {table}")
        return self._types[table]

    def _make_engine(self, *settings: str) -> Engine:
        """Return an engine whose connections are its own."""
        from sqlalchemy import create_engine
        from sqlalchemy.pool import NullPool

        def connect() -> Connection:
            self._run(lambda connection: None)
            connection = self._connect()
            for setting in settings:
                connection.execute(setting.encode())
            connection.autocommit = False
            return connection

        return log_statements(create_engine("postgresql+psycopg://", creator=connect, poolclass=NullPool))


def _count_rows(groups: Iterable[Mapping[Write, Sequence[Row]]]) -> int:
    return sum(len(values) for rows in groups for values in rows.values())


@lru_cache(maxsize=256)
def number_parameters(statement: str) -> bytes:
    """Return a statement, encoded, with ``$1``, ``$2`` and so on in place of the question marks outside of quotes.

    Examples
    --------
    >>> number_parameters("SELECT '?', 50 % 7 FROM item WHERE key = ? AND name LIKE ? || '%'")
    b"SELECT '?', 50 % 7 FROM item WHERE key = $1 AND name LIKE $2 || '%'"
    """
    parts = re.split(r"""('(?:[^']|'')*'|"[^"]*"|\?)""", statement)
    number = 0
    for place, part in enumerate(parts):
        if part == "?":
            number += 1
            parts[place] = f"${number}"
    return "".join(parts).encode()


def _begin_reading(connection: Connection) -> Connection:
    connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
    return connection


def _ask_at_once(statement: str) -> str:
    """Return a statement that takes all keys as one parameter."""
    return statement.replace("IN ({keys})", "= ANY(?)").replace("VALUES {rows}", "SELECT unnest(?)")


def _cursor(connection: Connection) -> psycopg.RawCursor[tuple[Any, ...]]:
    return psycopg.RawCursor(connection)


class _ArrayDumper(Dumper):
    format = Format.BINARY

    def dump(self, obj: Any) -> Buffer:
        data: bytes = obj.data
        return data


class _TextArrayDumper(_ArrayDumper):
    oid = psycopg.adapters.types["text"].array_oid


class _BytesArrayDumper(_ArrayDumper):
    oid = psycopg.adapters.types["bytea"].array_oid


class _TimeLoader(Loader):
    """Points in time come as microseconds since the start of 2000."""

    format = Format.BINARY

    def load(self, data: Buffer) -> str:
        return format_microseconds(_read_microseconds(data)[0] + _START_OF_2000)


class _TextLoader(Loader):
    """Types that the driver does not know, the schema's own, come as text."""

    format = Format.BINARY

    def load(self, data: Buffer) -> str:
        return bytes(data).decode()


class _JsonLoader(Loader):
    """JSON comes as text after a byte with the number of its format."""

    format = Format.BINARY

    def load(self, data: Buffer) -> str:
        return bytes(data)[1:].decode()


def _sleep(meanwhile: Callable[[], None] | None, seconds: float) -> None:
    """Let time pass, and call a function every now and then."""
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        time.sleep(min(left, _PAUSE_SECONDS))
        if meanwhile is not None:
            meanwhile()
