"""What the store asks of a SQL database, whichever it is: queries by keys, and rows written in whole transactions.

Statements are written with ``?`` for parameters. What is written regularly is named and described by data (`Insert`,
`Update`), so that each kind of database writes it in the way that is fastest there.
"""

from __future__ import annotations

import os
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import lru_cache
from logging import INFO
from typing import TYPE_CHECKING, Any, ClassVar

from redun.errors import BackendError
from redun.logging import logger

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

MAX_PARAMETERS = 900
"""How many keys one statement asks for at most."""

ECHO_VARIABLE = "REDUN_DB_ECHO"
"""The environment variable that, when it is not empty, lets every statement be logged."""

Row = tuple[Any, ...]


class RefusedRowsError(BackendError):
    """A database does not take rows for what they are: they refer to others that it lacks, for example."""


@dataclass(frozen=True, eq=False)
class Insert:
    """Rows of a table; those whose key the table has already are left out, or change some columns of the old row.

    Attributes
    ----------
    table, columns
        The table, and the columns in the order of a row.
    key
        The columns of the primary key.
    changed
        The columns that a row with a known key changes; none by default.
    filled
        The column that has to be empty for that, in the old row and not in the new one; by default every row with a
        known key changes what is in `changed`.
    """

    table: str
    columns: tuple[str, ...]
    key: tuple[str, ...]
    changed: tuple[str, ...] = ()
    filled: str = ""


@dataclass(frozen=True, eq=False)
class Update:
    """New values for columns of rows that exist; the last item of a row is the key."""

    table: str
    columns: tuple[str, ...]
    key: str


Write = Insert | Update


class Database(ABC):
    """An open database. One thread at a time uses it.

    Attributes
    ----------
    name
        How messages call the database; never holds a password.
    dialect
        The name that SQLAlchemy has for its kind.
    row_order
        The hidden column of every table by which rows can be ordered as they were written, about.
    pause
        What `write` calls every few ten milliseconds, so that other work goes on meanwhile; it must not use the
        database.
    """

    dialect: ClassVar[str]
    row_order: ClassVar[str]
    name: str
    pause: Callable[[], None] | None = None

    @property
    def is_writable(self) -> bool:
        """Whether this process may write to it."""
        return True

    def prepare(self) -> None:
        """Set the connection up for work, once the tables exist."""

    @abstractmethod
    def select(self, statement: str, *parameters: Any) -> Sequence[Any]:
        """Return the rows of a query."""

    def select_in(self, statement: str, keys: Sequence[str], *first: Any) -> Sequence[Any]:
        """Return the rows of a query over some keys, asked for in chunks.

        Parameters
        ----------
        statement
            The query, with ``{keys}`` where the list of parameters belongs, or ``{rows}`` in place of rows of one each.
        keys
            The keys; repeats are asked for once.
        *first
            Parameters that come before the keys.
        """
        if len(keys) == 1:
            return self.select(fill_keys(statement, 1), *first, keys[0])
        rows: list[Any] = []
        distinct = list(dict.fromkeys(keys))
        for start in range(0, len(distinct), MAX_PARAMETERS):
            chunk = distinct[start : start + MAX_PARAMETERS]
            length = _padded_length(len(chunk))
            padded = chunk + chunk[-1:] * (length - len(chunk))
            rows.extend(self.select(fill_keys(statement, length), *first, *padded))
        return rows

    def select_ordered(
        self, columns: str, table: str, column: str, key: str, limit: int, newest: bool = True
    ) -> Sequence[Any]:
        """Return the first or the last rows with a key, in about the order in which they were written.

        An index of the column is walked from one of its ends, so that the cost does not depend on how many there are.

        Parameters
        ----------
        columns, table
            What is asked for.
        column, key
            A column with an index, and the value that it has.
        limit
            How many rows.
        newest
            Whether to begin with those written last.
        """
        direction = "DESC" if newest else "ASC"
        statement = (
            f"SELECT {columns} FROM {table} WHERE {column} = ? "  # noqa: S608
            f"ORDER BY {self.row_order} {direction} LIMIT ?"
        )
        return self.select(statement, key, limit)

    def match_prefix(self, column: str, prefix: str) -> tuple[str, Sequence[str]]:
        """Return a condition, with its parameters, for texts that start with another one; it uses an index."""
        pattern = re.sub(r"([\\%_])", r"\\\1", prefix)
        return f"{column} LIKE ?", [f"{pattern}%"]

    def execute_in(self, statement: str, keys: Sequence[str], *first: Any) -> None:
        """Execute a statement over some keys, chunk by chunk; see `select_in`."""
        for start in range(0, len(keys), MAX_PARAMETERS):
            chunk = keys[start : start + MAX_PARAMETERS]
            self.execute(fill_keys(statement, len(chunk)), *first, *chunk)

    def read_change_mark(self) -> object:
        """Return what is different once another connection has written; None if that can't be told."""
        return None

    @abstractmethod
    def iterate(self, statement: str, *parameters: Any) -> Iterator[Any]:
        """Yield the rows of a query one after the other, without having them all in memory."""

    def iterate_in(self, statement: str, keys: Sequence[str]) -> Iterator[Any]:
        """Yield the rows of a query over some distinct keys, asked for in chunks; ``{keys}`` as in `select_in`."""
        for start in range(0, len(keys), MAX_PARAMETERS):
            chunk = keys[start : start + MAX_PARAMETERS]
            yield from self.iterate(fill_keys(statement, len(chunk)), *chunk)

    @abstractmethod
    def execute(self, statement: str, *parameters: Any) -> int:
        """Execute a statement that returns no rows; return how many rows it changed.

        Outside of a transaction it may be executed twice, when the connection is lost: that must do no harm.
        """

    @abstractmethod
    def transaction(self) -> AbstractContextManager[Any]:
        """Make everything that happens inside happen together or not at all; waits for other writers."""

    @abstractmethod
    def snapshot(self) -> AbstractContextManager[Any]:
        """Let all queries inside see the database as it was at the first of them; nothing is written inside."""

    def write(self, rows: Mapping[Write, Sequence[Row]]) -> None:
        """Write rows, kind by kind in the given order, in one transaction of its own."""
        if any(rows.values()):
            self.write_groups([rows])

    @abstractmethod
    def write_groups(self, groups: Iterable[Mapping[Write, Sequence[Row]]]) -> None:
        """Write several groups of rows, one after the other, in one transaction of its own.

        Of the groups only one is in memory at a time. They are gone through again if the connection was lost.
        """

    @abstractmethod
    def tables(self) -> set[str]:
        """Return the names of all tables."""

    @abstractmethod
    def make_engine(self) -> Engine:
        """Return an engine for queries through SQLAlchemy; what it is used for must not write."""

    @abstractmethod
    def migrating(self) -> AbstractContextManager[Connection]:
        """Give a connection of SQLAlchemy in a transaction that no other migration overlaps; committed at the end."""

    @abstractmethod
    def interrupt(self) -> None:
        """Let the query that another thread waits for end with a `BackendError`; does nothing if there is none."""

    @abstractmethod
    def close(self) -> None:
        """Close the connection."""

    @abstractmethod
    def translating_errors(self) -> AbstractContextManager[None]:
        """Turn errors of the driver into one sentence that names the database and says what may help."""


def log_statement(statement: str) -> None:
    """Log a statement, without its parameters, if that is asked for."""
    if logger.isEnabledFor(INFO) and os.environ.get(ECHO_VARIABLE):  # In this order: the environment takes longer.
        logger.info("%s", statement)


def log_statements(engine: Engine) -> Engine:
    """Log the statements of an engine if that is asked for; return the engine."""
    from sqlalchemy import event

    if os.environ.get(ECHO_VARIABLE):
        event.listen(engine, "before_cursor_execute", lambda _, __, statement, *___: log_statement(statement))
    return engine


@lru_cache(maxsize=64)
def fill_keys(statement: str, length: int) -> str:
    """Return a statement with some parameters in place of ``{keys}`` or ``{rows}``."""
    return statement.format(keys=",".join("?" * length), rows=",".join(["(?)"] * length))


def _padded_length(count: int) -> int:
    """Return the next of a few lengths, so that the driver's cache of prepared statements is hit."""
    return next(length for length in (1, 4, 20, 100, 300, MAX_PARAMETERS) if count <= length)
