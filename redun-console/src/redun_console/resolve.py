"""From what a user typed to the screen of one record: ids may be cut short, and stand under any path."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from redun.errors import RedunError
from redun_backend_sql.database import Database
from redun_backend_sql.query import Record, find_file, find_records, find_tasks
from redun_backend_sql.records import CallRow, ExecutionRow, FileRow, JobRow, TaskRow
from redun_console.reader import Store
from redun_console.routes import (
    ExecutionRoute,
    FilesRoute,
    JobRoute,
    LookupRoute,
    RecordRoute,
    ReplRoute,
    Route,
    SearchRoute,
    TaskNameRoute,
    TaskRoute,
    UpstreamsRoute,
    ValueRoute,
    parse_route,
)
from redun_console.views.files import has_files
from redun_console.views.search import parse_words

_TABLES: Mapping[type[Route], tuple[str, str]] = {
    ExecutionRoute: ("execution", "id"),
    JobRoute: ("job", "id"),
    TaskRoute: ("task", "hash"),
    ValueRoute: ("value", "value_hash"),
    UpstreamsRoute: ("value", "value_hash"),
}


class NothingFoundError(RedunError, LookupError):
    """Nothing is recorded under what was given."""


def resolve(store: Store, route: Route) -> Route:
    """Return the route with full ids that a route stands for.

    Parameters
    ----------
    store
        The store.
    route
        The route, in which ids may be cut short; or a `LookupRoute` for whatever there is by a key.

    Raises
    ------
    NothingFoundError
        When there is nothing by that id, name or path.
    RouteError
        When the words of a search can't be read.
    """
    database = store.database
    if isinstance(route, SearchRoute):
        parse_words(route.words)
    if isinstance(route, ReplRoute) and route.key:
        return replace(route, key=resolve(store, parse_route([route.key])).path)
    if isinstance(route, ExecutionRoute) and route.job:
        found = _find_ids(database, "job", "id", route.job)
        if len(found) != 1:
            raise NothingFoundError(f"there is not one job whose id starts with {route.job!r}: give the whole id")
        route = replace(route, job=found[0])
    if isinstance(route, TaskNameRoute | LookupRoute):
        return _look_up(database, route.key)
    if not isinstance(route, RecordRoute) or type(route) not in _TABLES:
        return route
    found = _find_ids(database, *_TABLES[type(route)], route.key)
    if len(found) != 1:
        return _look_up(database, route.key)
    return replace(route, key=found[0])


def route_of(database: Database, record: Record) -> Route:
    """Return the route of the screen that shows a record; a call is shown by its first job."""
    if isinstance(record, ExecutionRow):
        return ExecutionRoute(key=record.id)
    if isinstance(record, JobRow):
        return JobRoute(key=record.id)
    if isinstance(record, TaskRow):
        return TaskRoute(key=record.hash)
    if isinstance(record, CallRow):
        rows = database.select_ordered("id", "job", "call_hash", record.call_hash, 1, newest=False)
        return JobRoute(key=rows[0][0]) if rows else ValueRoute(key=record.value_hash)
    return ValueRoute(key=record.value_hash)


def _look_up(database: Database, key: str) -> Route:
    tasks = find_tasks(database, key)
    names = {task.fullname for task in tasks}
    if len(names) == 1:
        return TaskNameRoute(key=names.pop())
    records = find_records(database, key)
    if len(records) == 1:
        return route_of(database, records[0])
    if records:
        return SearchRoute((key,))
    if has_files(database, key):
        return FilesRoute(start=key)
    use = find_file(database, key)
    if use is not None:
        return route_of(database, FileRow(use.value_hash, use.path))
    raise NothingFoundError(
        f"nothing is recorded under {key!r}: give a screen (executions, tasks, files, search or repl), the start of an "
        "id, a task's name or a file's path"
    )


def _find_ids(database: Database, table: str, column: str, prefix: str) -> Sequence[str]:
    """Return an id itself if it is one, or else the first two that start with it."""
    exact = database.select(f"SELECT {column} FROM {table} WHERE {column} = ?", prefix)  # noqa: S608
    if exact:
        return [prefix]
    condition, parameters = database.match_prefix(column, prefix)
    statement = f"SELECT {column} FROM {table} WHERE {condition} ORDER BY {column} LIMIT 2"  # noqa: S608
    return [key for (key,) in database.select(statement, *parameters)]
