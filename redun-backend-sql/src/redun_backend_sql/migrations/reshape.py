"""Bringing a database to its shape at a version, up or down, on the connection of the caller's transaction.

Going up (`raise_to`), what is missing is added and what is there stays: a step that was taken already does nothing, and
a database that another program made may have more or less than expected. Going down (`lower_to`), only what the
version below does not have is taken away. Rows are copied inside the database, never through this process.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timezone
from typing import Any
from uuid import uuid4

import sqlalchemy as sa
from sqlalchemy.engine.interfaces import ReflectedColumn
from sqlalchemy.schema import AddConstraint, CreateIndex, CreateTable, DropIndex

from redun.errors import BackendError
from redun_backend_sql.migrations.alter import (
    Changes,
    Found,
    alter_table,
    check_references,
    list_narrow_columns,
    quote,
    set_deferrable,
)
from redun_backend_sql.migrations.fill import FILLS
from redun_backend_sql.migrations.tables import (
    ENTITY_TYPE,
    POSTGRESQL,
    SQLITE,
    STAND_INS,
    V3_0,
    V3_4,
    find_shape,
    find_version_table,
    make_shape,
)
from redun_backend_sql.versions import SchemaVersion

Fill = Callable[[sa.Connection], None]

_REFUSE_OLD_CLIENTS = """
CREATE OR REPLACE FUNCTION check_job_utc() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF coalesce(current_setting('redun.version', true), '') = '' THEN
        RAISE EXCEPTION 'times in this database are in UTC, which this version of redun does not write: upgrade redun';
    END IF;
    RETURN NULL;
END $$
"""
_ON_JOBS = "CREATE TRIGGER check_job_utc BEFORE INSERT ON job FOR EACH STATEMENT EXECUTE FUNCTION check_job_utc()"


def raise_to(connection: sa.Connection, version: SchemaVersion, fills: Sequence[Fill] = ()) -> None:
    """Bring a database up to its shape at a version.

    Parameters
    ----------
    connection
        A connection in a transaction.
    version
        The version.
    fills
        What gives old rows their values in new columns; called when all columns are there, before they are required.

    Raises
    ------
    BackendError
        When a column is missing that can't be made up.
    """
    shape = make_shape(version, connection.dialect.name)
    found = read_columns(connection)
    absent = [table for table in shape if table.name not in found]
    present = [table for table in shape if table.name in found]
    if version >= V3_0:
        ENTITY_TYPE.create(connection, checkfirst=True)
    _create_tables(connection, absent)
    added = {table.name: _add_columns(connection, table, found[table.name]) for table in present}
    for fill in [*(FILLS[table.name] for table in absent if table.name in FILLS), *fills]:
        fill(connection)
    check_references(connection)
    for table in present:
        for column in added[table.name]:
            _stand_in(connection, column)
        alter_table(connection, table, Changes(required=added[table.name]))
    set_deferrable(connection, present)
    _create_indexes(connection, shape)
    _guard_jobs(connection, version)
    _note_major(connection, version)


def lower_to(connection: sa.Connection, version: SchemaVersion, above: SchemaVersion) -> None:
    """Take from a database what a version has and an older one has not.

    Parameters
    ----------
    connection
        A connection in a transaction.
    version
        The older version.
    above
        The version that the database has.
    """
    dialect = connection.dialect.name
    shape = {table.name: table for table in make_shape(version, dialect)}
    found = read_columns(connection)
    _guard_jobs(connection, version)
    for table in reversed(find_shape(above, dialect)):
        below = shape.get(table.name)
        if below is None:
            _drop_table(connection, table)
        elif table.name in found:
            kept = {index.name for index in below.indexes}
            for index in table.indexes:
                if index.name not in kept:
                    connection.execute(DropIndex(index, if_exists=True))
            names = [column.name for column in table.columns if column.name not in below.columns]
            alter_table(connection, below, Changes(dropped=[name for name in names if name in found[table.name]]))
    set_deferrable(connection, list(shape.values()))
    if version < V3_0 <= above:
        ENTITY_TYPE.drop(connection, checkfirst=True)
    _note_major(connection, version)


def read_columns(connection: sa.Connection) -> dict[str, Found]:
    """Return the columns of every table by name."""
    return {
        table: {column["name"]: column for column in columns}
        for (_, table), columns in sa.inspect(connection).get_multi_columns().items()
    }


def _create_tables(connection: sa.Connection, tables: Sequence[sa.Table]) -> None:
    existing = set(sa.inspect(connection).get_table_names())
    late: list[sa.ForeignKeyConstraint] = []
    for table in tables:
        existing.add(table.name)
        references = list(table.foreign_key_constraints)
        if connection.dialect.name != SQLITE:  # SQLite lets a reference wait for its table, and can't add it later.
            late += [key for key in references if key.elements[0].column.table.name not in existing]
            references = [key for key in references if key not in late]
        connection.execute(CreateTable(table, include_foreign_key_constraints=references))
    for key in late:
        connection.execute(AddConstraint(key))


def _add_columns(connection: sa.Connection, table: sa.Table, found: Found) -> list[sa.Column[Any]]:
    """Let a table take rows of a version: add the columns that it lacks; return those that it must have values in."""
    missing = [column for column in table.columns if column.name not in found]
    required = [column for column in missing if not column.nullable]
    for column in missing:
        kind = column.type.compile(connection.dialect)
        connection.exec_driver_sql(f"ALTER TABLE {quote(table.name)} ADD COLUMN {quote(column.name)} {kind}")
        column.nullable = True
    foreign = [name for name in found if (table.name, name) not in STAND_INS and _needs_value(found[name])]
    narrow = list_narrow_columns(table, found, connection.dialect)
    alter_table(connection, table, Changes(relaxed=foreign, widened=narrow))
    for column in required:
        column.nullable = False
    return required


def _needs_value(column: ReflectedColumn) -> bool:
    return not column["nullable"] and column.get("default") is None


def _stand_in(connection: sa.Connection, column: sa.Column[Any]) -> None:
    """Give rows that are older than a column a value in it."""
    table, name = quote(column.table.name), quote(column.name)
    stand_in = STAND_INS.get((column.table.name, column.name))
    if stand_in is not None:
        connection.exec_driver_sql(f"UPDATE {table} SET {name} = {stand_in} WHERE {name} IS NULL")  # noqa: S608
    if connection.exec_driver_sql(f"SELECT 1 FROM {table} WHERE {name} IS NULL LIMIT 1").first():  # noqa: S608
        raise BackendError(
            f"the table {column.table.name} has rows but no column {column.name}, which can't be made up: "
            "the database is damaged, or no database of redun; restore a copy, or move it away"
        )


def _create_indexes(connection: sa.Connection, shape: Sequence[sa.Table]) -> None:
    found = {
        (table, index["name"])
        for (_, table), indexes in sa.inspect(connection).get_multi_indexes().items()
        for index in indexes
    }
    for table in shape:
        for index in sorted(table.indexes, key=lambda index: str(index.name)):
            if (table.name, index.name) not in found:
                connection.execute(CreateIndex(index))


def _drop_table(connection: sa.Connection, table: sa.Table) -> None:
    cascade = " CASCADE" if connection.dialect.name == POSTGRESQL else ""
    connection.exec_driver_sql(f"DROP TABLE IF EXISTS {quote(table.name)}{cascade}")


def _guard_jobs(connection: sa.Connection, version: SchemaVersion) -> None:
    """Let PostgreSQL refuse the jobs of programs that write local times, from the version on that has none."""
    if connection.dialect.name != POSTGRESQL:
        return
    if version >= V3_4:
        connection.exec_driver_sql(_REFUSE_OLD_CLIENTS)
    connection.exec_driver_sql("DROP TRIGGER IF EXISTS check_job_utc ON job")
    if version >= V3_4:
        connection.exec_driver_sql(_ON_JOBS)
    else:
        connection.exec_driver_sql("DROP FUNCTION IF EXISTS check_job_utc()")


def _note_major(connection: sa.Connection, version: SchemaVersion) -> None:
    """Let the newest major version that the database names be that of its tables."""
    table = find_version_table()
    if not sa.inspect(connection).has_table(table.name):
        return
    columns = table.columns
    connection.execute(table.delete().where(columns.version > version.major))
    if connection.execute(sa.select(columns.id).where(columns.version == version.major)).first() is None:
        now = datetime.now(timezone.utc)
        row = {"id": str(uuid4()), "version": version.major, "timestamp": now}
        connection.execute(table.insert(), row)
