"""Changing a table that has rows: what columns must hold, and which columns there are.

PostgreSQL changes tables in place. SQLite can only add columns, so a table is copied to its new form inside the
database, with its other indexes and whatever columns somebody added.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine.interfaces import ReflectedColumn
from sqlalchemy.schema import AddConstraint, CreateTable

from redun_backend_sql.migrations.tables import POSTGRESQL, SQLITE

Found = Mapping[str, ReflectedColumn]
"""The columns that a table has, by name."""


class Changes(NamedTuple):
    """What is to change in a table.

    Attributes
    ----------
    required
        Columns that every row must have a value in from now on; new ones, which refer to nothing yet.
    relaxed
        Names of columns that rows need no value in any more.
    dropped
        Names of columns to remove.
    widened
        Columns that PostgreSQL must let hold more than they do.
    """

    required: Sequence[sa.Column[Any]] = ()
    relaxed: Sequence[str] = ()
    dropped: Sequence[str] = ()
    widened: Sequence[sa.Column[Any]] = ()


def quote(name: str) -> str:
    """Return a name of a table or a column as SQL has it.

    Examples
    --------
    >>> quote("key")
    '"key"'
    """
    return '"' + name.replace('"', '""') + '"'


def alter_table(connection: sa.Connection, table: sa.Table, changes: Changes) -> None:
    """Make changes in a table that exists.

    Parameters
    ----------
    connection
        A connection in a transaction.
    table
        The table as it is to be. Columns that it does not name stay, unless they are to be dropped.
    changes
        The changes; none need nothing.
    """
    if any(changes):
        _ALTER[connection.dialect.name](connection, table, changes)


def list_narrow_columns(table: sa.Table, found: Found, dialect: sa.Dialect) -> list[sa.Column[Any]]:
    """Return the columns that hold shorter texts than they are to, or JSON as text; SQLite lets them hold anything."""
    if dialect.name == SQLITE:
        return []
    return [
        column
        for column in table.columns
        if column.name in found and _is_narrower(found[column.name]["type"], column.type.dialect_impl(dialect))
    ]


def _is_narrower(found: sa.types.TypeEngine[Any], wanted: sa.types.TypeEngine[Any]) -> bool:
    if isinstance(wanted, JSONB):
        return not isinstance(found, JSONB)
    if isinstance(wanted, sa.Enum) or not isinstance(wanted, sa.String) or not isinstance(found, sa.String):
        return False
    return found.length is not None and (wanted.length is None or wanted.length > found.length)


def set_deferrable(connection: sa.Connection, tables: Sequence[sa.Table]) -> None:
    """Let PostgreSQL check references when they are to be checked: at once, or when a transaction ends.

    SQLite can't change that, and needs not: this store does not let it check references.
    """
    if connection.dialect.name != POSTGRESQL:
        return
    wanted = {
        (table.name, *key.column_keys): bool(key.deferrable)
        for table in tables
        for key in table.foreign_key_constraints
    }
    for (_, table), keys in sa.inspect(connection).get_multi_foreign_keys().items():
        for key in keys:
            is_deferred = wanted.get((table, *key["constrained_columns"]))
            if is_deferred is not None and is_deferred != bool(key.get("options", {}).get("deferrable")):
                mode = "DEFERRABLE INITIALLY DEFERRED" if is_deferred else "NOT DEFERRABLE"
                name = quote(str(key["name"]))
                connection.exec_driver_sql(f"ALTER TABLE {quote(table)} ALTER CONSTRAINT {name} {mode}")


def check_references(connection: sa.Connection) -> None:
    """Let PostgreSQL check now what is to be checked in the end: a table that waits for a check can't be changed."""
    if connection.dialect.name == POSTGRESQL:
        connection.exec_driver_sql("SET CONSTRAINTS ALL IMMEDIATE")


def _alter_in_place(connection: sa.Connection, table: sa.Table, changes: Changes) -> None:
    alter = f"ALTER TABLE {quote(table.name)}"
    for column in changes.required:
        connection.exec_driver_sql(f"{alter} ALTER COLUMN {quote(column.name)} SET NOT NULL")
        for key in table.foreign_key_constraints:
            if list(key.columns) == [column]:
                connection.execute(AddConstraint(key))
    for name in changes.relaxed:
        connection.exec_driver_sql(f"{alter} ALTER COLUMN {quote(name)} DROP NOT NULL")
    for name in changes.dropped:
        connection.exec_driver_sql(f"{alter} DROP COLUMN {quote(name)}")
    for column in changes.widened:
        name, kind = quote(column.name), column.type.compile(connection.dialect)
        connection.exec_driver_sql(f"{alter} ALTER COLUMN {name} TYPE {kind} USING {name}::{kind}")


def _copy(connection: sa.Connection, table: sa.Table, changes: Changes) -> None:
    name, copy = quote(table.name), quote(f"redun_new_{table.name}")
    found = {column["name"]: column["type"] for column in sa.inspect(connection).get_columns(table.name)}
    kept = [column for column in found if column not in changes.dropped]
    own = set(table.columns.keys())
    for column in kept:
        if column not in own:
            kind = sa.BLOB() if isinstance(found[column], sa.types.NullType) else found[column]
            table.append_column(sa.Column(column, kind, nullable=True))
    indexes = _list_indexes(connection, table.name, kept)
    columns = ", ".join(quote(column) for column in kept if column in table.columns)
    definition = str(CreateTable(table).compile(dialect=connection.dialect)).strip()
    _, _, body = definition.partition("(")
    connection.exec_driver_sql(f"CREATE TABLE {copy} ({body}")
    connection.exec_driver_sql(f"INSERT INTO {copy} ({columns}) SELECT {columns} FROM {name}")  # noqa: S608
    connection.exec_driver_sql(f"DROP TABLE {name}")
    connection.exec_driver_sql(f"ALTER TABLE {copy} RENAME TO {name}")
    for statement in indexes:
        connection.exec_driver_sql(statement)


def _list_indexes(connection: sa.Connection, table: str, columns: Sequence[str]) -> list[str]:
    """Return the statements that make the indexes of a table again, as far as they are about some columns."""
    found = connection.exec_driver_sql(
        "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = ? AND sql IS NOT NULL", (table,)
    ).all()
    return [statement for name, statement in found if _is_about(connection, name, columns)]


def _is_about(connection: sa.Connection, index: str, columns: Sequence[str]) -> bool:
    parts = [row[2] for row in connection.exec_driver_sql(f"PRAGMA index_info({quote(index)})")]
    return all(part is None or part in columns for part in parts)


_ALTER = {SQLITE: _copy, POSTGRESQL: _alter_in_place}
