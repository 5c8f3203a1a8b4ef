"""The tables of the schema as data: what there is at each version.

A column or an index is there since some version, and none has ever gone. At 3.4 times got a zone, which SQLite does
not show. The history before 3.5 is reconstructed: see the package.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from redun_backend_sql.versions import SchemaVersion

V1_0, V2_0, V2_1, V2_2, V2_3 = (SchemaVersion(*pair) for pair in ((1, 0), (2, 0), (2, 1), (2, 2), (2, 3)))
V3_0, V3_1, V3_2, V3_3, V3_4, V3_5 = (SchemaVersion(3, minor) for minor in range(6))

HASH = sa.String(40)
TEXT = sa.String()
TIME = sa.DateTime(timezone=True)
JSON_TEXT = TEXT.with_variant(JSONB(), "postgresql")
ENTITY_TYPE = sa.Enum("Execution", "Job", "CallNode", "Task", "Value", "Null", name="tagentitytype")
SQLITE, POSTGRESQL = "sqlite", "postgresql"


class Column(NamedTuple):
    """A column of a table.

    Attributes
    ----------
    is_key
        Whether it belongs to the primary key.
    target
        The column that it refers to.
    deferred
        The kinds of database that check the reference when a transaction ends.
    since
        The version that brought it.
    stand_in
        In SQL, what it holds in rows that are older than it; None where that is computed or can't be made up.
    """

    name: str
    type: sa.types.TypeEngine[Any]
    is_nullable: bool = False
    is_key: bool = False
    target: str | None = None
    deferred: tuple[str, ...] = ()
    since: SchemaVersion = V1_0
    stand_in: str | None = None


class Index(NamedTuple):
    """An index of one column.

    Attributes
    ----------
    for_prefixes
        Whether it finds texts by how they begin.
    is_current
        Whether it covers current rows only.
    method
        How PostgreSQL keeps it.
    """

    column: str
    since: SchemaVersion
    is_unique: bool = False
    for_prefixes: bool = False
    is_current: bool = False
    method: str = "btree"


class Table(NamedTuple):
    """A table with its columns and indexes."""

    name: str
    columns: Sequence[Column]
    indexes: Sequence[Index] = ()
    since: SchemaVersion = V1_0


def _key(name: str, target: str | None = None) -> Column:
    return Column(name, HASH, is_key=True, target=target)


def _reference(name: str, target: str, is_nullable: bool = False) -> Column:
    return Column(name, HASH, is_nullable, target=target)


def _indexes(since: SchemaVersion, *columns: str) -> list[Index]:
    return [Index(column, since) for column in columns]


def _by_prefix(column: str, is_unique: bool = False) -> Index:
    return Index(column, V3_2, is_unique, for_prefixes=True)


TABLES: Sequence[Table] = (
    Table(
        "redun_version",
        [Column("id", TEXT, is_key=True), Column("version", sa.Integer()), Column("timestamp", TIME)],
    ),
    Table(
        "value",
        [
            _key("value_hash"),
            Column("type", TEXT),
            Column("format", sa.String(100), stand_in="'application/python-pickle'"),
            Column("value", sa.LargeBinary()),
        ],
        [*_indexes(V2_2, "type"), _by_prefix("value_hash", is_unique=True)],
    ),
    Table(
        "subvalue",
        [_key("value_hash", "value.value_hash"), _key("parent_value_hash", "value.value_hash")],
        _indexes(V2_1, "parent_value_hash", "value_hash"),
        since=V2_0,
    ),
    Table(
        "file",
        [_key("value_hash", "value.value_hash"), Column("path", sa.String(1024))],
        _indexes(V2_2, "path"),
    ),
    Table(
        "task",
        [
            _key("hash"),
            Column("name", TEXT),
            Column("namespace", TEXT, stand_in="''"),
            Column("source", TEXT, stand_in="''"),
        ],
        [_by_prefix("hash", is_unique=True), _by_prefix("name"), _by_prefix("namespace")],
    ),
    Table(
        "call_node",
        [
            _key("call_hash"),
            Column("task_name", sa.String(1024)),
            _reference("task_hash", "task.hash"),
            Column("args_hash", HASH),
            _reference("value_hash", "value.value_hash"),
            Column("timestamp", TIME),
        ],
        [*_indexes(V2_1, "task_hash", "value_hash"), _by_prefix("call_hash", is_unique=True)],
    ),
    Table(
        "call_edge",
        [
            _key("parent_id", "call_node.call_hash"),
            _key("child_id", "call_node.call_hash"),
            Column("call_order", sa.Integer(), is_key=True),
        ],
        _indexes(V2_1, "child_id", "parent_id"),
    ),
    Table(
        "argument",
        [
            _key("arg_hash"),
            _reference("call_hash", "call_node.call_hash"),
            _reference("value_hash", "value.value_hash"),
            Column("arg_position", sa.Integer(), is_nullable=True),
            Column("arg_key", sa.String(100), is_nullable=True),
        ],
        _indexes(V2_1, "call_hash", "value_hash"),
    ),
    Table(
        "argument_result",
        [_key("arg_hash", "argument.arg_hash"), _key("result_call_hash", "call_node.call_hash")],
        _indexes(V2_1, "arg_hash", "result_call_hash"),
        since=V2_0,
    ),
    Table(
        "evaluation",
        [
            _key("eval_hash"),
            _reference("task_hash", "task.hash"),
            Column("args_hash", HASH),
            _reference("value_hash", "value.value_hash"),
        ],
        _indexes(V2_1, "task_hash", "value_hash"),
    ),
    Table(
        "call_subtree_task",
        [_key("call_hash", "call_node.call_hash"), _key("task_hash", "task.hash")],
        _indexes(V2_1, "call_hash", "task_hash"),
    ),
    Table(
        "handle",
        [
            _key("hash"),
            Column("fullname", sa.String(1024)),
            _reference("value_hash", "value.value_hash"),
            Column("key", sa.String(1024), stand_in="''"),
            Column("is_valid", sa.Boolean(), stand_in="true"),
        ],
        [*_indexes(V2_1, "value_hash"), *_indexes(V2_2, "fullname")],
    ),
    Table(
        "handle_edge",
        [_key("parent_id", "handle.hash"), _key("child_id", "handle.hash")],
        _indexes(V2_1, "child_id", "parent_id"),
    ),
    Table(
        "execution",
        [
            Column("id", TEXT, is_key=True),
            Column("args", TEXT, stand_in="'[]'"),
            Column("job_id", TEXT, target="job.id", deferred=(POSTGRESQL,)),
            Column("updated_time", TIME, is_nullable=True, since=V3_3),
        ],
        [*_indexes(V2_1, "job_id"), _by_prefix("id", is_unique=True)],
    ),
    Table(
        "job",
        [
            Column("id", TEXT, is_key=True),
            Column("start_time", TIME),
            Column("end_time", TIME, is_nullable=True),
            _reference("task_hash", "task.hash"),
            Column("cached", sa.Boolean(), stand_in="false"),
            _reference("call_hash", "call_node.call_hash", is_nullable=True),
            Column("parent_id", TEXT, is_nullable=True, target="job.id"),
            Column("execution_id", TEXT, target="execution.id", deferred=(SQLITE, POSTGRESQL), since=V3_1),
        ],
        [
            *_indexes(V2_1, "call_hash", "parent_id", "task_hash"),
            *_indexes(V2_3, "end_time", "start_time"),
            *_indexes(V3_1, "execution_id"),
            _by_prefix("id", is_unique=True),
        ],
    ),
    Table(
        "tag",
        [
            _key("tag_hash"),
            Column("entity_type", ENTITY_TYPE),
            Column("entity_id", TEXT),
            Column("key", TEXT),
            Column("value", JSON_TEXT),
            Column("is_current", sa.Boolean(), stand_in="true"),
        ],
        [
            *_indexes(V3_0, "entity_id", "key"),
            # By its hash, for a B-tree of PostgreSQL refuses values of more than 2,704 bytes.
            Index("value", V3_0, method="hash"),
            Index("tag_hash", V3_5, is_unique=True, is_current=True),
        ],
        since=V3_0,
    ),
    Table(
        "tag_edit",
        [_key("parent_id", "tag.tag_hash"), _key("child_id", "tag.tag_hash")],
        since=V3_0,
    ),
)
"""Every table that there has been, in an order in which they can be made; only the references between executions and
jobs go both ways."""

STAND_INS = {(table.name, column.name): column.stand_in for table in TABLES for column in table.columns}
"""What columns hold in rows that are older than they are."""


def make_shape(version: SchemaVersion, dialect: str) -> Sequence[sa.Table]:
    """Return the tables of a version as a kind of database has them, in an order in which they can be made."""
    metadata = sa.MetaData()
    return [_make_table(table, version, dialect, metadata) for table in TABLES if table.since <= version]


@cache
def find_shape(version: SchemaVersion, dialect: str) -> Sequence[sa.Table]:
    """Return what `make_shape` returns, to be looked at and never changed."""
    return make_shape(version, dialect)


@cache
def find_version_table() -> sa.Table:
    """Return the table of versions as the latest version has it in any kind of database, never to be changed."""
    return _make_table(TABLES[0], V3_5, SQLITE, sa.MetaData())


def _make_table(table: Table, version: SchemaVersion, dialect: str, metadata: sa.MetaData) -> sa.Table:
    columns = [_make_column(column, version, dialect) for column in table.columns if column.since <= version]
    indexes = [_make_index(table.name, index) for index in table.indexes if index.since <= version]
    return sa.Table(table.name, metadata, *columns, *indexes)


def _make_column(column: Column, version: SchemaVersion, dialect: str) -> sa.Column[Any]:
    kind = sa.DateTime(timezone=version >= V3_4) if column.type is TIME else column.type
    references = []
    if column.target:
        is_deferred = dialect in column.deferred
        references = [
            sa.ForeignKey(column.target, deferrable=is_deferred or None, initially="DEFERRED" if is_deferred else None)
        ]
    return sa.Column(column.name, kind, *references, primary_key=column.is_key, nullable=column.is_nullable)


def _make_index(table: str, index: Index) -> sa.Index:
    suffix = "_vpo" if index.for_prefixes else "_current" if index.is_current else ""
    current = sa.text("is_current") if index.is_current else None
    return sa.Index(
        f"ix_{table}_{index.column}{suffix}",
        index.column,
        unique=index.is_unique,
        sqlite_where=current,
        postgresql_where=current,
        postgresql_ops={index.column: "varchar_pattern_ops"} if index.for_prefixes else {},
        postgresql_using=index.method,
    )
