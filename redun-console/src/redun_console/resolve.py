"""From what a user typed to the screen of one record: ids may be cut short, and stand under any path."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from redun_backend_sql.database import Database
from redun_backend_sql.meant import RECORDS, NothingFoundError, find_one, list_meant
from redun_backend_sql.query import FileUse, Record, find_tasks
from redun_backend_sql.records import CallRow, ExecutionRow, JobRow, TaskRow
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

_SCREENS = "a screen (executions, tasks, files, search or repl)"
_TABLES: Mapping[type[Route], tuple[str, str]] = {
    ExecutionRoute: ("execution", "id"),
    JobRoute: ("job", "id"),
    TaskRoute: ("task", "hash"),
    ValueRoute: ("value", "value_hash"),
    UpstreamsRoute: ("value", "value_hash"),
}


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
    SeveralFoundError
        When the job to look below is not told apart from others.
    RouteError
        When the words of a search can't be read.
    """
    database = store.database
    if isinstance(route, SearchRoute):
        parse_words(route.words)
    if isinstance(route, ReplRoute) and route.key:
        return replace(route, key=resolve(store, parse_route([route.key])).path)
    if isinstance(route, ExecutionRoute) and route.job:
        route = replace(route, job=find_one(database, route.job, (JobRow,)).id)
    if isinstance(route, TaskNameRoute | LookupRoute):
        return _look_up(database, route.key)
    if not isinstance(route, RecordRoute) or type(route) not in _TABLES:
        return route
    found = _find_ids(database, *_TABLES[type(route)], route.key)
    if len(found) != 1:
        return _look_up(database, route.key)
    return replace(route, key=found[0])


def route_of(record: Record) -> Route:
    """Return the route of the screen that shows a record; that of a call is looked up."""
    if isinstance(record, ExecutionRow):
        return ExecutionRoute(key=record.id)
    if isinstance(record, JobRow):
        return JobRoute(key=record.id)
    if isinstance(record, TaskRow):
        return TaskRoute(key=record.hash)
    if isinstance(record, CallRow):
        return LookupRoute(key=record.call_hash)
    return ValueRoute(key=record.value_hash)


def _route_of_call(database: Database, call: CallRow) -> Route:
    """Return the route of the first job of a call; of its result, if there is none."""
    rows = database.select_ordered("id", "job", "call_hash", call.call_hash, 1, newest=False)
    return JobRoute(key=rows[0][0]) if rows else ValueRoute(key=call.value_hash)


def _look_up(database: Database, key: str) -> Route:
    tasks = find_tasks(database, key)
    names = {task.fullname for task in tasks}
    if len(names) == 1:
        return TaskNameRoute(key=names.pop())
    records = list_meant(database, key, RECORDS)
    if len(records) == 1:
        [record] = records
        return _route_of_call(database, record) if isinstance(record, CallRow) else route_of(record)
    if records:
        return SearchRoute((key,))
    if has_files(database, key):
        return FilesRoute(start=key)
    for use in list_meant(database, key, (FileUse,)):
        return ValueRoute(key=use.value_hash)
    raise NothingFoundError(key, places=[_SCREENS])


def _find_ids(database: Database, table: str, column: str, prefix: str) -> Sequence[str]:
    """Return an id itself if it is one, or else the first two that start with it."""
    exact = database.select(f"SELECT {column} FROM {table} WHERE {column} = ?", prefix)  # noqa: S608
    if exact:
        return [prefix]
    condition, parameters = database.match_prefix(column, prefix)
    statement = f"SELECT {column} FROM {table} WHERE {condition} ORDER BY {column} LIMIT 2"  # noqa: S608
    return [key for (key,) in database.select(statement, *parameters)]
