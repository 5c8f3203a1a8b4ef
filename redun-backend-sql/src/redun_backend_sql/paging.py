"""Going through tables of any size with little memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from redun_backend_sql.database import Database

PAGE = 500
"""How many rows a page has."""

MAX_BYTES = 16 * 1024 * 1024
"""How many bytes of values are read at a time, unless a single one has more."""


def read_pages(
    database: Database, table: str, columns: Sequence[str], condition: str = "", *parameters: Any, start: str = ""
) -> Iterator[Sequence[Any]]:
    """Yield the rows of a table page by page, in the order of the first column.

    Rows that are written meanwhile may be among them or not.

    Parameters
    ----------
    database
        The database.
    table
        The table.
    columns
        What to select. The first is unique, and never the empty text.
    condition
        What holds for the rows.
    *parameters
        Parameters of the condition.
    start
        What the first column comes after.
    """
    key = columns[0]
    where = f"{key} > ? AND ({condition})" if condition else f"{key} > ?"
    statement = f"SELECT {', '.join(columns)} FROM {table} WHERE {where} ORDER BY {key} LIMIT {PAGE}"  # noqa: S608
    last = start
    while True:
        rows = database.select(statement, last, *parameters)
        if rows:
            yield rows
        if len(rows) < PAGE:
            return
        last = rows[-1][0]


def group_by_size(sizes: Iterable[tuple[str, int]]) -> Iterator[Sequence[str]]:
    """Yield the keys of things in groups that are together not larger than `MAX_BYTES`, or have a single one.

    Examples
    --------
    >>> [list(group) for group in group_by_size([("a", 1), ("b", 2), ("c", MAX_BYTES), ("d", 1)])]
    [['a', 'b'], ['c'], ['d']]
    """
    group: list[str] = []
    total = 0
    for key, size in sizes:
        if group and total + size > MAX_BYTES:
            yield group
            group, total = [], 0
        group.append(key)
        total += size
    if group:
        yield group
