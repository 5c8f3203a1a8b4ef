"""What old rows imply: which execution a job belongs to, the tasks below a call, and tasks as values."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import sqlalchemy as sa

from redun.hashing import hash_struct
from redun.tags import CONTEXT_KEY
from redun.task import Task
from redun.values.base import MIME_TYPE_PICKLE, pickle_dumps
from redun_backend_sql.migrations.tables import POSTGRESQL

CHUNK = 1000
"""How many tasks are in memory at a time."""

_OTHER_PLANS = ("enable_hashjoin", "enable_mergejoin", "enable_seqscan")

OF_EXECUTIONS = """
WITH RECURSIVE tree (job_id, execution_id) AS (
    SELECT job_id, id FROM execution
    UNION
    SELECT job.id, tree.execution_id FROM tree JOIN job ON job.parent_id = tree.job_id
)
UPDATE job SET execution_id = tree.execution_id FROM tree WHERE tree.job_id = job.id AND job.execution_id IS NULL
"""
"""Notes for every job that a way leads to from the root job of an execution which execution that is."""

_ADOPT_ORPHANS = """
INSERT INTO execution (id, args, job_id)
SELECT job.id, '[]', job.id FROM job LEFT JOIN job AS parent ON parent.id = job.parent_id
WHERE job.execution_id IS NULL AND parent.id IS NULL AND job.id NOT IN (SELECT id FROM execution)
"""
SUBTREES = """
WITH RECURSIVE below (call_hash, task_hash) AS (
    SELECT call_hash, task_hash FROM call_node
    UNION
    SELECT call_edge.parent_id, below.task_hash FROM below JOIN call_edge ON call_edge.child_id = below.call_hash
)
INSERT INTO call_subtree_task (call_hash, task_hash) SELECT call_hash, task_hash FROM below
"""
"""Notes for every call the tasks of all calls that a way leads to from it."""

_LOST_CONTEXT = hash_struct(["Task", "redun.lost_context", "version", "1"])
"""The hash of a task that nobody defines."""

_ADD_LOST_CONTEXT = f"""
INSERT INTO task (hash, name, namespace, source)
SELECT DISTINCT '{_LOST_CONTEXT}', 'lost_context', 'redun', '' FROM tag
WHERE key = '{CONTEXT_KEY}' AND NOT EXISTS (SELECT 1 FROM task WHERE hash = '{_LOST_CONTEXT}')
"""  # noqa: S608
_MARK_CALLS_IN_CONTEXTS = f"""
INSERT INTO call_subtree_task (call_hash, task_hash)
SELECT DISTINCT call_hash, '{_LOST_CONTEXT}' FROM call_node JOIN tag ON entity_id = call_hash
WHERE key = '{CONTEXT_KEY}'
    AND call_hash NOT IN (SELECT call_hash FROM call_subtree_task WHERE task_hash = '{_LOST_CONTEXT}')
"""  # noqa: S608
_TASKS = """
SELECT task.hash, task.name, task.namespace FROM task LEFT JOIN value ON value.value_hash = task.hash
WHERE value.value_hash IS NULL AND task.hash > :after ORDER BY task.hash LIMIT :count
"""


def fill_execution_ids(connection: sa.Connection) -> None:
    """Let every job name the execution that it was part of.

    Jobs that no execution leads to are kept: the topmost one becomes the root of an execution with its own id.
    """
    if connection.exec_driver_sql("SELECT 1 FROM job WHERE execution_id IS NULL LIMIT 1").first() is None:
        return
    connection.exec_driver_sql("CREATE INDEX IF NOT EXISTS ix_job_parent_id ON job (parent_id)")
    with following_indexes(connection):
        connection.exec_driver_sql(OF_EXECUTIONS)
    if connection.exec_driver_sql(_ADOPT_ORPHANS).rowcount:
        with following_indexes(connection):
            connection.exec_driver_sql(OF_EXECUTIONS)


def fill_subtrees(connection: sa.Connection) -> None:
    """Let every call name the tasks in the call graph below it."""
    connection.exec_driver_sql("CREATE INDEX IF NOT EXISTS ix_call_edge_child_id ON call_edge (child_id)")
    with following_indexes(connection):
        connection.exec_driver_sql(SUBTREES)


@contextmanager
def following_indexes(connection: sa.Connection) -> Iterator[None]:
    """Let PostgreSQL go from row to row by indexes, as SQLite does.

    It would read a whole table for each level of a graph otherwise, and graphs are as deep as there are calls.
    """
    plans = _OTHER_PLANS if connection.dialect.name == POSTGRESQL else ()
    for plan in plans:
        connection.exec_driver_sql(f"SET LOCAL {plan} = off")
    yield
    for plan in plans:
        connection.exec_driver_sql(f"SET LOCAL {plan} = on")


def mark_calls_in_contexts(connection: sa.Connection) -> None:
    """Let calls that were made in a context be no final results for calls made without one.

    Without tags nothing else would tell them apart. A task that nobody defines is noted below them, so that no program
    takes them for current.
    """
    connection.exec_driver_sql(_ADD_LOST_CONTEXT)
    connection.exec_driver_sql(_MARK_CALLS_IN_CONTEXTS)


def fill_task_values(connection: sa.Connection) -> None:
    """Let every task be a value too, with the same hash."""
    insert = sa.text("INSERT INTO value (value_hash, type, format, value) VALUES (:hash, :type, :format, :data)")
    after = ""
    while tasks := connection.execute(sa.text(_TASKS), {"after": after, "count": CHUNK}).all():
        after = tasks[-1][0]
        connection.execute(
            insert,
            [
                {
                    "hash": task_hash,
                    "type": Task.type_name,
                    "format": MIME_TYPE_PICKLE,
                    "data": _pickle_task(task_hash, name, namespace),
                }
                for task_hash, name, namespace in tasks
            ],
        )


def _pickle_task(task_hash: str, name: str, namespace: str) -> bytes:
    """Return the bytes of a task of which no more is known than its name and hash."""
    task = Task.__new__(Task)
    task.__setstate__({"name": name, "namespace": namespace, "version": None, "hash": task_hash})
    return pickle_dumps(task)


FILLS: Mapping[str, Callable[[sa.Connection], None]] = {"call_subtree_task": fill_subtrees}
"""What fills a table of which every version has one, when a database has none."""
