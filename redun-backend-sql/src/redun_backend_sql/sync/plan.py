"""What a walk has found, and in which order it is to be written; kept on disk, however much it is.

Every id is *found* once, *taken* once by the walk, and then *wanted*, *changed*, or neither. When the walk is over, the
wanted ids of a kind are put into layers: in the first is what needs nothing else, in the next what only needs that, and
so on. They are written layer by layer, and sorted inside a layer, so the order depends on nothing but what was found.

Only soft references can go in a circle: two calls may each have got an argument from the other one, in different
executions. Where nothing else can come next, they are put aside; they are *late*.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence

from redun.errors import BackendError
from redun_backend_sql.sync.kinds import Kind, Order

Report = Callable[[int, int], None]
"""Is told how many records were looked at, of a number that is not known, 0; then how many are written, of how many."""

_CACHE_KIB = 64 * 1024

_TABLES = """
CREATE TABLE {kind} (number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, wanted INTEGER NOT NULL DEFAULT 0,
    changed INTEGER NOT NULL DEFAULT 0, waits INTEGER NOT NULL DEFAULT 0, layer INTEGER);
CREATE TABLE {kind}_needs (node INTEGER, needed INTEGER, soft INTEGER, PRIMARY KEY (node, needed)) WITHOUT ROWID;
CREATE INDEX {kind}_needed ON {kind}_needs (needed);
CREATE VIEW {kind}_open AS SELECT number, waits FROM {kind} WHERE wanted AND layer IS NULL;
CREATE TABLE {kind}_late (node INTEGER, needed INTEGER, PRIMARY KEY (node, needed)) WITHOUT ROWID;
"""
_LAYERS = """
CREATE TABLE placed (node INTEGER PRIMARY KEY);
CREATE TABLE freed (node INTEGER PRIMARY KEY, count INTEGER NOT NULL);
"""
_ADD = "INSERT OR IGNORE INTO {kind} (id) VALUES (?)"
_TAKE = "SELECT number, id FROM {kind} WHERE number > ? ORDER BY number LIMIT ?"
_WANT = "UPDATE {kind} SET wanted = 1 WHERE id = ?"
_CHANGE = "UPDATE {kind} SET changed = 1 WHERE id = ?"
_NEED = (
    "INSERT OR IGNORE INTO {kind}_needs SELECT node.number, needed.number, ? "
    "FROM {kind} AS node, {kind} AS needed WHERE node.id = ? AND needed.id = ?"
)
_COUNT = "SELECT count(*) FROM {kind} WHERE wanted OR changed"
_COUNT_TASK_VALUES = (
    f"SELECT count(*) FROM {Kind.TASK.name} AS task JOIN {Kind.VALUE.name} AS value ON value.id = task.id "  # noqa: S608
    "WHERE task.wanted AND value.wanted"
)
_CHANGED_PAGE = "SELECT number, id FROM {kind} WHERE changed AND number > ? ORDER BY number LIMIT ?"

_WAIT = (
    "UPDATE {kind} SET waits = (SELECT count(*) FROM {kind}_needs JOIN {kind}_open AS other ON other.number = needed "
    "WHERE node = {kind}.number) WHERE wanted AND layer IS NULL"
)
_PLACE_FIRST = "INSERT INTO placed SELECT number FROM {kind}_open WHERE waits = 0"
_PLACE = "UPDATE {kind} SET layer = ? WHERE number IN (SELECT node FROM placed)"
# CROSS JOIN makes SQLite begin with the few rows of a layer, whatever it believes about their number.
_FREE = (
    "INSERT INTO freed SELECT {kind}_needs.node, count(*) FROM placed CROSS JOIN {kind}_needs "
    "ON needed = placed.node GROUP BY {kind}_needs.node"
)
_UNWAIT = (
    "UPDATE {kind} SET waits = waits - (SELECT count FROM freed WHERE node = number) "
    "WHERE number IN (SELECT node FROM freed)"
)
_PLACE_NEXT = "INSERT INTO placed SELECT number FROM freed CROSS JOIN {kind}_open ON number = node WHERE waits = 0"
_PUT_ASIDE = (
    "INSERT INTO {kind}_late SELECT node, needed FROM {kind}_needs JOIN {kind}_open AS one ON one.number = node "
    "JOIN {kind}_open AS other ON other.number = needed WHERE soft"
)
_FORGET = "DELETE FROM {kind}_needs WHERE (node, needed) IN (SELECT node, needed FROM {kind}_late)"
_FIND_OPEN = "SELECT 1 FROM {kind}_open LIMIT 1"
_INDEX = "CREATE INDEX {kind}_order ON {kind} (layer, id) WHERE wanted"
_PAGE = "SELECT layer, id FROM {kind} WHERE wanted AND (layer, id) > (?, ?) ORDER BY layer, id LIMIT ?"
_LATE = (
    "SELECT {kind}.id, other.id FROM {kind}_late JOIN {kind} ON {kind}.number = node "
    "JOIN {kind} AS other ON other.number = needed"
)


class Plan:
    """Ids of records by kind, and which of them need which.

    Examples
    --------
    >>> plan = Plan()
    >>> plan.add(Kind.CALL, ["a", "b", "c"])
    >>> plan.need(Kind.CALL, [("a", "b"), ("b", "c")], Order.FIRST)
    >>> plan.want(Kind.CALL, ["a", "b", "c"])
    >>> list(plan.pages(Kind.CALL, 2))
    [['c', 'b'], ['a']]
    >>> plan.close()
    """

    def __init__(self) -> None:
        # A database without a name is a temporary file that nobody else can open and that goes when it is closed.
        self._connection = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._connection.executescript(
            f"PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = {-_CACHE_KIB}; {_LAYERS}"
            + "".join(_TABLES.format(kind=kind.name) for kind in Kind)
        )
        self._connection.execute("BEGIN")
        self._taken = dict.fromkeys(Kind, 0)
        self._have_needs: set[Kind] = set()
        self._have_layers: set[Kind] = set()

    def close(self) -> None:
        """Forget everything."""
        self._connection.close()

    def add(self, kind: Kind, ids: Iterable[str]) -> None:
        """Note ids that were found; those known already are left out."""
        self._connection.executemany(_ADD.format(kind=kind.name), [(key,) for key in ids])

    def take(self, kind: Kind, count: int) -> Sequence[str]:
        """Return the next ids that were found, each of them once."""
        rows = self._connection.execute(_TAKE.format(kind=kind.name), (self._taken[kind], count)).fetchall()
        if rows:
            self._taken[kind] = rows[-1][0]
        return [key for _, key in rows]

    def want(self, kind: Kind, ids: Iterable[str]) -> None:
        """Note which of the ids are to be written."""
        self._connection.executemany(_WANT.format(kind=kind.name), [(key,) for key in ids])

    def change(self, kind: Kind, ids: Iterable[str]) -> None:
        """Note ids that are known where they are to be written, of which something has changed."""
        self._connection.executemany(_CHANGE.format(kind=kind.name), [(key,) for key in ids])

    def need(self, kind: Kind, pairs: Iterable[tuple[str, str]], order: Order) -> None:
        """Note pairs of found ids of which the second has to come first."""
        is_soft = order is Order.SOFT
        rows = [(is_soft, key, needed) for key, needed in pairs if key != needed]
        if rows:
            self._have_needs.add(kind)
            self._connection.executemany(_NEED.format(kind=kind.name), rows)

    def count(self, kind: Kind) -> int:
        """Return how many ids of a kind are wanted or have changed."""
        return int(self._connection.execute(_COUNT.format(kind=kind.name)).fetchone()[0])

    def total(self) -> int:
        """Return how many records are wanted or have changed; a task and its value are one record."""
        both: int = self._connection.execute(_COUNT_TASK_VALUES).fetchone()[0]
        return sum(map(self.count, Kind)) - both

    def pages(self, kind: Kind, size: int) -> Iterator[Sequence[str]]:
        """Yield the wanted ids of a kind in the order in which they are to be written, in pages of a size.

        Nothing is added to the kind afterwards.

        Raises
        ------
        BackendError
            When records that can't refer to one another in a circle do so.
        """
        if kind not in self._have_layers:
            self._have_layers.add(kind)
            self._find_layers(kind)
        last: tuple[int, str] = (-1, "")
        while rows := self._connection.execute(_PAGE.format(kind=kind.name), (*last, size)).fetchall():
            last = rows[-1]
            yield [key for _, key in rows]

    def changed_pages(self, kind: Kind, size: int) -> Iterator[Sequence[str]]:
        """Yield the ids of a kind that have changed, in pages of a size."""
        last = 0
        while rows := self._connection.execute(_CHANGED_PAGE.format(kind=kind.name), (last, size)).fetchall():
            last = rows[-1][0]
            yield [key for _, key in rows]

    def late(self, kind: Kind) -> Iterator[tuple[str, str]]:
        """Yield the soft references that could not come in order."""
        yield from self._connection.execute(_LATE.format(kind=kind.name))

    def _find_layers(self, kind: Kind) -> None:
        execute = self._connection.execute
        if kind in self._have_needs:
            execute(_WAIT.format(kind=kind.name))
        layer = self._place_layers(kind, 0)
        while execute(_FIND_OPEN.format(kind=kind.name)).fetchone():
            if not execute(_PUT_ASIDE.format(kind=kind.name)).rowcount:
                raise BackendError(f"records of kind {kind.value} refer to one another in a circle: they are damaged")
            execute(_FORGET.format(kind=kind.name))
            execute(_WAIT.format(kind=kind.name))
            layer = self._place_layers(kind, layer)
        execute(_INDEX.format(kind=kind.name))

    def _place_layers(self, kind: Kind, layer: int) -> int:
        """Put everything into layers that waits for nothing, from a first layer on; return the next one."""
        execute = self._connection.execute
        has_more = execute(_PLACE_FIRST.format(kind=kind.name)).rowcount
        while has_more:
            execute(_PLACE.format(kind=kind.name), (layer,))
            execute(_FREE.format(kind=kind.name))
            execute(_UNWAIT.format(kind=kind.name))
            execute("DELETE FROM placed")
            has_more = execute(_PLACE_NEXT.format(kind=kind.name)).rowcount
            execute("DELETE FROM freed")
            layer += 1
        return layer
