"""Reading long results from PostgreSQL in portions, at the cost of one round trip for results that are short."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import psycopg

PORTION = 10_000
"""How many rows come at a time."""

_Connection = psycopg.Connection[tuple[Any, ...]]


class Cursors:
    """The cursors of a transaction. One that was read is closed together with the opening of the next one."""

    def __init__(self) -> None:
        self._count = 0
        self._read: list[str] = []

    def read(
        self,
        connection: _Connection,
        statement: bytes,
        parameters: Sequence[Any],
        make_cursor: Callable[[_Connection], psycopg.RawCursor[tuple[Any, ...]]],
    ) -> Iterator[tuple[Any, ...]]:
        """Yield the rows of a query.

        Parameters
        ----------
        connection
            A connection inside of a transaction.
        statement, parameters
            The query.
        make_cursor
            Returns a cursor of the driver.
        """
        self._count += 1
        name = f"redun_{self._count}"
        closed, self._read = self._read, []
        fetch = f"FETCH {PORTION} FROM {name}".encode()
        with connection.pipeline():
            for old in closed:
                make_cursor(connection).execute(f"CLOSE {old}".encode())
            opening = f"DECLARE {name} NO SCROLL CURSOR FOR ".encode()
            make_cursor(connection).execute(opening + statement, parameters)
            cursor = make_cursor(connection).execute(fetch, binary=True)
        try:
            while rows := cursor.fetchall():
                yield from rows
                if len(rows) < PORTION:
                    break
                cursor = make_cursor(connection).execute(fetch, binary=True)
        finally:
            self._read.append(name)
