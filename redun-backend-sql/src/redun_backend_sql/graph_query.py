"""Queries over all types of records of the call graph at once.

A query is a set of types with conditions on each; it never changes, a filter returns another one. A filter that makes
no sense for a type leaves that type out: a query for statuses of jobs finds jobs only. There is one statement for
each type, and what they find is read piece by piece.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from heapq import merge
from itertools import chain, islice
from typing import Any, Literal, NamedTuple

from sqlalchemy import ColumnElement, Select, func, null, or_, select
from sqlalchemy.exc import MultipleResultsFound, NoResultFound
from sqlalchemy.orm import Session, aliased

from redun.errors import BackendError
from redun.tags import ANY_VALUE
from redun_backend_sql import query
from redun_backend_sql.conditions import (
    KEYS,
    Condition,
    Record,
    be_of_tasks,
    begin_between,
    belong_to,
    come_from_calls,
    have_execution_status,
    have_job_status,
    have_tag,
    match_pattern,
    name_tasks,
    start_with,
)
from redun_backend_sql.meant import NothingFoundError, SeveralFoundError
from redun_backend_sql.models import Argument, CallNode, Execution, File, Job, Task, Value
from redun_backend_sql.querying import BACKEND, QueryableBackend

TYPES = ("Execution", "Job", "CallNode", "Task", "Value")
"""The types that a query finds when it is not told which; files are values, and a type of their own when asked for."""

_ROWS_AT_ONCE = 1_000
_Root = aliased(Job)

TagFilter = str | tuple[str, Any]


class _Place(NamedTuple):
    """Where a record stands in the order of time: the newest first, those without a time last."""

    age: float
    kind: int
    id: str


class CallGraphQuery:
    """A query over executions, jobs, calls, tasks and values.

    Parameters
    ----------
    session
        A session of the store: `SqlBackend.session`.

    Examples
    --------
    >>> from redun import Scheduler, task
    >>> from redun_backend_sql.backend import SqlBackend
    >>> from redun_backend_sql.options import SqlOptions
    >>> inc = task(name="inc", namespace="docs", source="def inc(x): ...")(lambda x: x + 1)
    >>> scheduler = Scheduler(backend=SqlBackend(SqlOptions("sqlite://")))
    >>> _ = scheduler.run([inc(1), inc(2)])
    >>> query = CallGraphQuery(scheduler.backend.session).filter_task_names(["docs.inc"])
    >>> query.count()
    [('Execution', 0), ('Job', 2), ('CallNode', 2), ('Task', 1)]
    >>> sorted(job.call_node.value.preview for job in query.filter_types(["Job"]).all())
    ['2', '3']
    """

    def __init__(self, session: Session) -> None:
        self.session = session
        self._conditions: Mapping[str, tuple[Condition, ...]] = dict.fromkeys(KEYS, ())
        self._types: Sequence[str] | None = None
        self._is_by_time = False

    def filter_types(self, types: Iterable[str]) -> CallGraphQuery:
        """Find only some types: ``"Execution"``, ``"Job"``, ``"CallNode"``, ``"Task"``, ``"Value"`` or ``"File"``.

        Raises
        ------
        ValueError
            When there is no such type.
        """
        wanted = set(types)
        unknown = sorted(wanted.difference(KEYS))
        if unknown:
            raise ValueError(f"there is no type {unknown[0]!r} in the call graph; use {', '.join(KEYS)}")
        made = self._copy()
        made._types = [kind for kind in self._types or KEYS if kind in wanted]
        return made

    def filter_ids(self, ids: Iterable[str]) -> CallGraphQuery:
        """Find only records with some ids or addresses."""
        wanted = list(ids)
        return self._filter({kind: column.in_(wanted) for kind, column in KEYS.items()})

    def like_id(self, prefix: str) -> CallGraphQuery:
        """Find only records whose id or address starts with a text."""
        return self._filter({kind: start_with(self.session, column, prefix) for kind, column in KEYS.items()})

    def filter_execution_ids(self, ids: Iterable[str]) -> CallGraphQuery:
        """Find only some executions, and what belongs to them: jobs, calls, tasks, and values of calls."""
        return self._filter(belong_to(select(Execution.id).where(Execution.id.in_(list(ids)))))

    def filter_execution_tags(self, tags: Iterable[TagFilter]) -> CallGraphQuery:
        """Find only executions that have all of some tags, and what belongs to them."""
        conditions = [have_tag("Execution", key, value) for key, value in map(_read_tag, tags)]
        return self._filter(belong_to(select(Execution.id).where(*conditions)))

    def filter_times(self, since: datetime | None = None, until: datetime | None = None) -> CallGraphQuery:
        """Find only executions and jobs that began in a period, and the calls, tasks and values of such jobs.

        Parameters
        ----------
        since, until
            The beginning of the period, and its end, which is not part of it; None for no bound. Without a zone, in
            UTC.
        """
        return self._filter(begin_between(since, until))

    def filter_execution_statuses(self, statuses: Iterable[str]) -> CallGraphQuery:
        """Find only executions with one of some statuses: ``RUNNING``, ``FAILED``, ``DONE``."""
        return self._filter({"Execution": have_execution_status(list(statuses))})

    def filter_job_statuses(self, statuses: Iterable[str]) -> CallGraphQuery:
        """Find only jobs with one of some statuses: ``RUNNING``, ``FAILED``, ``CACHED``, ``DONE``."""
        return self._filter({"Job": have_job_status(list(statuses))})

    def filter_task_names(self, names: Iterable[str]) -> CallGraphQuery:
        """Find only tasks with some names, their calls and jobs, and executions that started with them.

        A name is given with or without its namespace; ``*`` stands for any characters.
        """
        return self._filter(be_of_tasks(name_tasks(self.session, names)))

    def filter_task_hashes(self, hashes: Iterable[str]) -> CallGraphQuery:
        """Find only some definitions of tasks, their calls and jobs, and executions that started with them."""
        return self._filter(be_of_tasks(select(Task.hash).where(Task.hash.in_(list(hashes)))))

    def filter_arguments(self, value_hashes: Iterable[str]) -> CallGraphQuery:
        """Find only calls that were given one of some values, and their jobs."""
        given = select(Argument.call_hash).where(Argument.value_hash.in_(list(value_hashes)))
        return self._filter(come_from_calls(CallNode.call_hash.in_(given)))

    def filter_results(self, value_hashes: Iterable[str]) -> CallGraphQuery:
        """Find only calls that returned one of some values, and their jobs."""
        return self._filter(come_from_calls(CallNode.value_hash.in_(list(value_hashes))))

    def filter_value_types(self, types: Iterable[str]) -> CallGraphQuery:
        """Find only values, and files, of some types by their stored names, such as ``builtins.int``."""
        wanted = Value.type.in_(list(types))
        return self._filter({"Value": wanted, "File": File.value_hash.in_(select(Value.value_hash).where(wanted))})

    def filter_file_paths(self, patterns: Iterable[str]) -> CallGraphQuery:
        """Find only files with some paths; ``*`` stands for any characters. Ask for values, and get those instead."""
        is_there = or_(*(match_pattern(self.session, File.path, pattern) for pattern in patterns))
        made = self._filter({"Value": Value.value_hash.in_(select(File.value_hash).where(is_there)), "File": is_there})
        made._types = self._types or ["File"]
        return made

    def filter_tags(self, tags: Iterable[TagFilter]) -> CallGraphQuery:
        """Find only records that have all of some tags: each a key, or a key and a value."""
        made = self
        for key, value in map(_read_tag, tags):
            made = made._filter({kind: have_tag(kind, key, value) for kind in TYPES})
        return made

    def order_by(self, order: Literal["time"]) -> CallGraphQuery:
        """Find what is newest first, of all types together; tasks and values, which have no time, come last.

        Raises
        ------
        ValueError
            When the order is not ``"time"``.
        """
        if order != "time":
            raise ValueError(f"there is no order {order!r}; use 'time'")
        made = self._copy()
        made._is_by_time = True
        return made

    def empty(self) -> CallGraphQuery:
        """Return a query that finds nothing."""
        return self.filter_types([])

    def build(self) -> Mapping[str, Select[Any]]:
        """Return the statements that find the records, by type."""
        return {kind: self._order(select(KEYS[kind].class_), kind) for kind in self._list_types()}

    def all(self) -> Iterator[Record]:
        """Yield all records, read piece by piece: type by type, or the newest of all types first."""
        return self._find(None)

    def limit(self, count: int) -> Iterator[Record]:
        """Yield so many records at most."""
        return islice(self._find(count), count)

    def first(self) -> Record | None:
        """Return the first record, or None if there is none."""
        return next(self.limit(1), None)

    def one_or_none(self) -> Record | None:
        """Return the one record, or None if there is none.

        Raises
        ------
        sqlalchemy.exc.MultipleResultsFound
            When there are several.
        """
        found = list(self.limit(2))
        if len(found) > 1:
            raise MultipleResultsFound(f"one record was asked for, and there are several: {found[0]!r}, {found[1]!r}")
        return found[0] if found else None

    def one(self) -> Record:
        """Return the one record.

        Raises
        ------
        sqlalchemy.exc.NoResultFound, sqlalchemy.exc.MultipleResultsFound
            When there is none, or there are several.
        """
        found = self.one_or_none()
        if found is None:
            raise NoResultFound("one record was asked for, and there is none")
        return found

    def page(self, page: int, size: int) -> Sequence[Record]:
        """Return the records of a page, counted from 0; the newest of all types are on the first one.

        Only ids and times are read of what comes before.
        """
        end = (page + 1) * size
        streams = []
        for kind in self._list_types():
            key, time = KEYS[kind], _time_of(kind)
            statement = self._filter_rows(_join_time(select(key, time), kind), kind).order_by(*_by_time(kind))
            rows = self.session.execute(statement.limit(end))
            streams.append([(_place(kind, row_key, row_time), kind) for row_key, row_time in rows])
        places = list(islice(merge(*streams), page * size, end))
        found: dict[tuple[str, str], Record] = {}
        for kind in {kind for _, kind in places}:
            ids = [place.id for place, of in places if of == kind]
            records = self.session.scalars(select(KEYS[kind].class_).where(KEYS[kind].in_(ids)))
            found.update(((kind, getattr(record, KEYS[kind].key)), record) for record in records)
        return [found[kind, place.id] for place, kind in places]

    def count(self) -> Sequence[tuple[str, int]]:
        """Return how many records there are of each type that the query is for."""
        return [
            (
                kind,
                self.session.scalar(self._filter_rows(select(func.count()).select_from(KEYS[kind].class_), kind)) or 0,
            )
            for kind in self._list_types()
        ]

    def select(self, *columns: str, flat: bool = False) -> Iterator[Any]:
        """Yield only some columns of all records: their ``"id"``, their ``"type"``, or both.

        Parameters
        ----------
        *columns
            The columns.
        flat
            Whether to yield the value of the one column in place of a tuple.

        Raises
        ------
        ValueError
            When there is no such column, or more than one for a flat list.
        """
        if not columns or not {"id", "type"}.issuperset(columns) or (flat and len(columns) > 1):
            raise ValueError(f"columns {columns!r} can't be selected; use 'id' or 'type', both only if not flat")
        for kind in self._list_types():
            statement = self._order(select(KEYS[kind]), kind).execution_options(yield_per=_ROWS_AT_ONCE)
            with self.session.execute(statement) as rows:
                for (key,) in rows:
                    row = tuple(kind if column == "type" else key for column in columns)
                    yield row[0] if flat else row

    def _copy(self) -> CallGraphQuery:
        made = CallGraphQuery(self.session)
        made._conditions, made._types, made._is_by_time = self._conditions, self._types, self._is_by_time
        return made

    def _filter(self, conditions: Mapping[str, Condition]) -> CallGraphQuery:
        """Return a query with one more condition for each type; types that have none are left out."""
        made = self._copy()
        made._conditions = {
            kind: (*known, conditions[kind]) for kind, known in self._conditions.items() if kind in conditions
        }
        return made

    def _list_types(self) -> list[str]:
        return [kind for kind in (TYPES if self._types is None else self._types) if kind in self._conditions]

    def _filter_rows(self, statement: Select[Any], kind: str) -> Select[Any]:
        return statement.where(*self._conditions[kind])

    def _order(self, statement: Select[Any], kind: str) -> Select[Any]:
        filtered = self._filter_rows(_join_time(statement, kind), kind)
        return filtered.order_by(*(_by_time(kind) if self._is_by_time else [KEYS[kind]]))

    def _find(self, limit: int | None) -> Iterator[Record]:
        streams = [self._read(kind, limit) for kind in self._list_types()]
        rows = merge(*streams, key=lambda row: row[0]) if self._is_by_time else chain(*streams)
        try:
            yield from (record for _, record in rows)
        finally:
            for stream in streams:
                stream.close()

    def _read(self, kind: str, limit: int | None) -> Generator[tuple[_Place, Record], None, None]:
        statement = self._order(_with_time(kind), kind).limit(limit)
        with self.session.execute(statement.execution_options(yield_per=_ROWS_AT_ONCE)) as rows:
            for record, time in rows:
                yield _place(kind, getattr(record, KEYS[kind].key), time), record


def infer_id(session: Session, key: str, include_files: bool = True, required: bool = False) -> Record | None:
    """Return the one record that a user means.

    Parameters
    ----------
    session
        A session of the store.
    key
        The start of an id or address, a task's name, or the path of a file.
    include_files
        Whether it may be a path.
    required
        Whether there must be one.

    Raises
    ------
    BackendError
        When several records fit; when none does and one is required.
    """
    everything = CallGraphQuery(session)
    name = key.replace("*", "")
    queries = [
        everything.filter_types(TYPES[:-1]).like_id(key),
        everything.filter_types(["Value"]).like_id(key),  # After the others: a task is a value, too.
        everything.filter_types(["Task"]).filter_task_names([name]),
    ]
    if include_files:
        queries.append(everything.filter_file_paths([name]))
    for candidates in queries if key else []:
        found = list(candidates.limit(2))
        if len(found) > 1:
            raise SeveralFoundError(key, [repr(record) for record in found], "several")
        if found:
            return found[0]
    if required:
        raise NothingFoundError(key)
    return None


def find_file(session: Session, path: str) -> tuple[File, Job, Literal["result", "arg"]] | None:
    """Return a file with the latest job that made it, or else that read it, and which of these it is.

    Parameters
    ----------
    session
        A session of the store, `SqlBackend.session`.
    path
        The path, as it was written or relative to the working directory.

    Raises
    ------
    BackendError
        When the session is not one of a store.
    """
    backend: QueryableBackend | None = session.info.get(BACKEND)
    if backend is None:
        raise BackendError("files are found through the session of a store: use SqlBackend.session")
    use = query.find_file(backend.database, path)
    if use is None:
        return None
    file, job = session.get_one(File, use.value_hash), session.get_one(Job, use.job.id)
    return file, job, "result" if use.is_producer else "arg"


def _read_tag(tag: TagFilter) -> tuple[str, Any]:
    return (tag, ANY_VALUE) if isinstance(tag, str) else tag


def _time_of(kind: str) -> ColumnElement[Any]:
    if kind in ("Execution", "Job"):
        return (_Root if kind == "Execution" else Job).start_time.expression
    return CallNode.timestamp.expression if kind == "CallNode" else null()


def _join_time(statement: Select[Any], kind: str) -> Select[Any]:
    return statement.outerjoin(_Root, Execution.job_id == _Root.id) if kind == "Execution" else statement


def _with_time(kind: str) -> Select[Any]:
    return select(KEYS[kind].class_, _time_of(kind))


def _by_time(kind: str) -> Sequence[ColumnElement[Any]]:
    key, time = KEYS[kind].expression, _time_of(kind)
    if kind == "Execution":
        return [time.is_(None), time.desc(), key]
    return [time.desc(), key] if kind in ("Job", "CallNode") else [key]


def _place(kind: str, key: str, time: Any) -> _Place:
    age = float("inf") if time is None else -time.timestamp()
    return _Place(age, list(KEYS).index(kind), key)
