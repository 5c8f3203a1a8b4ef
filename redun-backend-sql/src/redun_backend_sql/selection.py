"""What ``redun log`` and ``redun tag list`` select by their options: a query, and its answers as plain records."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import islice
from typing import TYPE_CHECKING, Any

from redun.tags import parse_tag_key_value
from redun_backend_sql.database import Database
from redun_backend_sql.moments import parse_moment
from redun_backend_sql.query import Record, list_executions, parse_place
from redun_backend_sql.records import read_calls, read_executions, read_files, read_jobs, read_tasks, read_values

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from redun_backend_sql.graph_query import CallGraphQuery

_AT_ONCE = 200

_READ: Mapping[str, Callable[[Database, Sequence[str]], Sequence[Any]]] = {
    "Execution": read_executions,
    "Job": read_jobs,
    "CallNode": read_calls,
    "Task": read_tasks,
    "Value": lambda database, hashes: list(read_values(database, hashes).values()),
    "File": read_files,
}


@dataclass(frozen=True)
class Selection:
    """What records are wanted: of which types, and which of these. What is empty leaves everything in.

    Attributes
    ----------
    types
        Names of types, as `CallGraphQuery.filter_types` takes them.
    exec_status, job_status
        What became of executions and of jobs.
    task_name, task_hash
        Tasks, by patterns of their names and by their hashes.
    value_type
        Stored names of types of values.
    file_path
        Patterns of paths.
    exec_id
        Executions, which everything has to belong to: their ids, ``-`` or ``~n``.
    result, arg
        Addresses of values that calls returned, or were given.
    tag, exec_tag
        Tags that the records have, or their executions: ``KEY`` or ``KEY=VALUE``.
    since, until
        When executions and jobs began, as `parse_moment` reads it.
    """

    types: Sequence[str] = ()
    exec_status: Sequence[str] = ()
    job_status: Sequence[str] = ()
    task_name: Sequence[str] = ()
    task_hash: Sequence[str] = ()
    value_type: Sequence[str] = ()
    file_path: Sequence[str] = ()
    exec_id: Sequence[str] = ()
    result: Sequence[str] = ()
    arg: Sequence[str] = ()
    tag: Sequence[str] = ()
    exec_tag: Sequence[str] = ()
    since: str = ""
    until: str = ""

    @property
    def is_empty(self) -> bool:
        """Whether nothing is asked for in particular."""
        return not any(getattr(self, field.name) for field in fields(self))

    def build(self, session: Session, database: Database) -> CallGraphQuery:
        """Return the query for the records, the newest first.

        Raises
        ------
        ValueError
            When there is no such type or status, or a tag or a time can't be read.
        """
        from redun_backend_sql.graph_query import CallGraphQuery

        query = CallGraphQuery(session)
        filters: Sequence[tuple[Callable[..., CallGraphQuery], Sequence[Any]]] = (
            (CallGraphQuery.filter_types, self.types),
            (CallGraphQuery.filter_execution_statuses, [status.upper() for status in self.exec_status]),
            (CallGraphQuery.filter_job_statuses, [status.upper() for status in self.job_status]),
            (CallGraphQuery.filter_task_names, self.task_name),
            (CallGraphQuery.filter_task_hashes, self.task_hash),
            (CallGraphQuery.filter_value_types, self.value_type),
            (CallGraphQuery.filter_file_paths, self.file_path),
            (CallGraphQuery.filter_execution_ids, [_resolve(database, key) for key in self.exec_id]),
            (CallGraphQuery.filter_results, self.result),
            (CallGraphQuery.filter_arguments, self.arg),
            (CallGraphQuery.filter_tags, [parse_tag_key_value(tag, value_required=False) for tag in self.tag]),
            (
                CallGraphQuery.filter_execution_tags,
                [parse_tag_key_value(tag, value_required=False) for tag in self.exec_tag],
            ),
        )
        for apply, wanted in filters:
            if wanted:
                query = apply(query, wanted)
        if self.since or self.until:
            since = parse_moment(self.since) if self.since else None
            query = query.filter_times(since, parse_moment(self.until, is_end=True) if self.until else None)
        return query.order_by("time")


def _resolve(database: Database, key: str) -> str:
    """Return the id of an execution that may be named by its place in the log."""
    place = parse_place(key)
    return key if place is None else next((found.id for found in list_executions(database, 1, place)), key)


def read_records(database: Database, query: CallGraphQuery, limit: int | None) -> Iterator[Sequence[Record]]:
    """Yield the records that a query finds in its order, some at a time.

    Parameters
    ----------
    database
        The database.
    query
        The query.
    limit
        How many at most; None for all.
    """
    found = query.all() if limit is None else query.limit(limit)
    while some := [_key(record) for record in islice(found, _AT_ONCE)]:
        read = {
            (kind, record[0]): record
            for kind in {kind for kind, _ in some}
            for record in _READ[kind](database, [key for of, key in some if of == kind])
        }
        yield [read[key] for key in some if key in read]


def _key(record: Any) -> tuple[str, str]:
    from redun_backend_sql.conditions import KEYS

    kind = type(record).__name__
    return kind, getattr(record, KEYS[kind].key)
