"""Create the tables of version 3.5."""

from __future__ import annotations

from datetime import datetime, timezone
from uuid import uuid4

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0bee3d6dba76"
down_revision = None
branch_labels = None
depends_on = None

MAJOR_VERSION = 3

_HASH = sa.String(40)
_TIME = sa.DateTime(timezone=True)
_JSON = sa.String().with_variant(JSONB(), "postgresql")
_REFUSE_OLD_CLIENTS = """
CREATE FUNCTION check_job_utc() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF coalesce(current_setting('redun.version', true), '') = '' THEN
        RAISE EXCEPTION 'times in this database are in UTC, which this version of redun does not write: upgrade redun';
    END IF;
    RETURN NULL;
END $$
"""
_ON_JOBS = "CREATE TRIGGER check_job_utc BEFORE INSERT ON job FOR EACH STATEMENT EXECUTE FUNCTION check_job_utc()"


def _key(name: str, target: str, nullable: bool = False, primary_key: bool = False) -> sa.Column[str]:
    return sa.Column(name, _HASH, sa.ForeignKey(target), nullable=nullable, primary_key=primary_key)


def upgrade() -> None:
    """Create everything in an empty database."""
    _create_values()
    _create_calls()
    _create_jobs()
    _create_handles()
    _create_tags()
    versions = op.create_table(
        "redun_version",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("timestamp", _TIME, nullable=False),
    )
    op.bulk_insert(versions, [{"id": str(uuid4()), "version": MAJOR_VERSION, "timestamp": datetime.now(timezone.utc)}])


def _create_values() -> None:
    op.create_table(
        "value",
        sa.Column("value_hash", _HASH, primary_key=True),
        sa.Column("type", sa.String, nullable=False),
        sa.Column("format", sa.String(100), nullable=False),
        sa.Column("value", sa.LargeBinary, nullable=False),
    )
    _index("value", "type")
    _prefix_index("value", "value_hash", unique=True)
    op.create_table(
        "subvalue",
        _key("value_hash", "value.value_hash", primary_key=True),
        _key("parent_value_hash", "value.value_hash", primary_key=True),
    )
    _index("subvalue", "parent_value_hash")
    _index("subvalue", "value_hash")
    op.create_table(
        "file",
        _key("value_hash", "value.value_hash", primary_key=True),
        sa.Column("path", sa.String(1024), nullable=False),
    )
    _index("file", "path")
    op.create_table(
        "task",
        sa.Column("hash", _HASH, primary_key=True),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("namespace", sa.String, nullable=False),
        sa.Column("source", sa.String, nullable=False),
    )
    _prefix_index("task", "hash", unique=True)
    _prefix_index("task", "name")
    _prefix_index("task", "namespace")


def _create_calls() -> None:
    op.create_table(
        "call_node",
        sa.Column("call_hash", _HASH, primary_key=True),
        sa.Column("task_name", sa.String(1024), nullable=False),
        _key("task_hash", "task.hash"),
        sa.Column("args_hash", _HASH, nullable=False),
        _key("value_hash", "value.value_hash"),
        sa.Column("timestamp", _TIME, nullable=False),
    )
    _index("call_node", "task_hash")
    _index("call_node", "value_hash")
    _prefix_index("call_node", "call_hash", unique=True)
    op.create_table(
        "call_edge",
        _key("parent_id", "call_node.call_hash", primary_key=True),
        _key("child_id", "call_node.call_hash", primary_key=True),
        sa.Column("call_order", sa.Integer, primary_key=True),
    )
    _index("call_edge", "child_id")
    _index("call_edge", "parent_id")
    op.create_table(
        "argument",
        sa.Column("arg_hash", _HASH, primary_key=True),
        _key("call_hash", "call_node.call_hash"),
        _key("value_hash", "value.value_hash"),
        sa.Column("arg_position", sa.Integer),
        sa.Column("arg_key", sa.String(100)),
    )
    _index("argument", "call_hash")
    _index("argument", "value_hash")
    op.create_table(
        "argument_result",
        _key("arg_hash", "argument.arg_hash", primary_key=True),
        _key("result_call_hash", "call_node.call_hash", primary_key=True),
    )
    _index("argument_result", "arg_hash")
    _index("argument_result", "result_call_hash")
    op.create_table(
        "evaluation",
        sa.Column("eval_hash", _HASH, primary_key=True),
        _key("task_hash", "task.hash"),
        sa.Column("args_hash", _HASH, nullable=False),
        _key("value_hash", "value.value_hash"),
    )
    _index("evaluation", "task_hash")
    _index("evaluation", "value_hash")
    op.create_table(
        "call_subtree_task",
        _key("call_hash", "call_node.call_hash", primary_key=True),
        _key("task_hash", "task.hash", primary_key=True),
    )
    _index("call_subtree_task", "call_hash")
    _index("call_subtree_task", "task_hash")


def _create_jobs() -> None:
    is_postgres = op.get_bind().dialect.name == "postgresql"
    op.create_table(
        "execution",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("args", sa.String, nullable=False),
        sa.Column("job_id", sa.String, *([] if is_postgres else [sa.ForeignKey("job.id")]), nullable=False),
        sa.Column("updated_time", _TIME),
    )
    op.create_table(
        "job",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("start_time", _TIME, nullable=False),
        sa.Column("end_time", _TIME),
        _key("task_hash", "task.hash"),
        sa.Column("cached", sa.Boolean, nullable=False),
        _key("call_hash", "call_node.call_hash", nullable=True),
        sa.Column("parent_id", sa.String, sa.ForeignKey("job.id")),
        sa.Column(
            "execution_id",
            sa.String,
            sa.ForeignKey("execution.id", deferrable=True, initially="DEFERRED"),
            nullable=False,
        ),
    )
    if is_postgres:
        op.create_foreign_key(None, "execution", "job", ["job_id"], ["id"], deferrable=True, initially="DEFERRED")
        op.execute(_REFUSE_OLD_CLIENTS)
        op.execute(_ON_JOBS)
    _index("execution", "job_id")
    _prefix_index("execution", "id", unique=True)
    for column in ("call_hash", "end_time", "execution_id", "parent_id", "start_time", "task_hash"):
        _index("job", column)
    _prefix_index("job", "id", unique=True)


def _create_handles() -> None:
    op.create_table(
        "handle",
        sa.Column("hash", _HASH, primary_key=True),
        sa.Column("fullname", sa.String(1024), nullable=False),
        _key("value_hash", "value.value_hash"),
        sa.Column("key", sa.String(1024), nullable=False),
        sa.Column("is_valid", sa.Boolean, nullable=False),
    )
    _index("handle", "fullname")
    _index("handle", "value_hash")
    op.create_table(
        "handle_edge",
        _key("parent_id", "handle.hash", primary_key=True),
        _key("child_id", "handle.hash", primary_key=True),
    )
    _index("handle_edge", "child_id")
    _index("handle_edge", "parent_id")


def _create_tags() -> None:
    entity_types = sa.Enum("Execution", "Job", "CallNode", "Task", "Value", "Null", name="tagentitytype")
    op.create_table(
        "tag",
        sa.Column("tag_hash", _HASH, primary_key=True),
        sa.Column("entity_type", entity_types, nullable=False),
        sa.Column("entity_id", sa.String, nullable=False),
        sa.Column("key", sa.String, nullable=False),
        sa.Column("value", _JSON, nullable=False),
        sa.Column("is_current", sa.Boolean, nullable=False),
    )
    for column in ("entity_id", "key"):
        _index("tag", column)
    # By its hash, for a B-tree refuses long values.
    op.create_index("ix_tag_value", "tag", ["value"], postgresql_using="hash")
    current = sa.text("is_current")
    op.create_index(
        "ix_tag_tag_hash_current", "tag", ["tag_hash"], unique=True, sqlite_where=current, postgresql_where=current
    )
    op.create_table(
        "tag_edit",
        _key("parent_id", "tag.tag_hash", primary_key=True),
        _key("child_id", "tag.tag_hash", primary_key=True),
    )


def _index(table: str, column: str) -> None:
    op.create_index(f"ix_{table}_{column}", table, [column])


def _prefix_index(table: str, column: str, unique: bool = False) -> None:
    """Create an index for look-ups by prefix."""
    by_prefix = {column: "varchar_pattern_ops"}
    op.create_index(f"ix_{table}_{column}_vpo", table, [column], unique=unique, postgresql_ops=by_prefix)


def downgrade() -> None:
    """Drop everything."""
    for table in [
        "tag_edit",
        "tag",
        "handle_edge",
        "handle",
        "job",
        "execution",
        "call_subtree_task",
        "evaluation",
        "argument_result",
        "argument",
        "call_edge",
        "call_node",
        "task",
        "file",
        "subvalue",
        "value",
        "redun_version",
    ]:
        op.drop_table(table)
