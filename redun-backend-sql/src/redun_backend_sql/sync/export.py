"""Reading a store's records as lines of JSON, whatever is referred to before what refers to it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from typing import Any

from redun_backend_sql.database import Database, Row
from redun_backend_sql.sync import records
from redun_backend_sql.sync.copies import COPIES, REASONS
from redun_backend_sql.sync.kinds import TABLES, Kind
from redun_backend_sql.sync.plan import Plan
from redun_backend_sql.sync.records import Record
from redun_backend_sql.sync.send import Find, Search
from redun_backend_sql.sync.store import Store

PAGE = 500
"""How many records are read together."""

_RECORDED = "SELECT value_hash FROM value WHERE value_hash IN ({keys})"
_JOB_CHILDREN = "SELECT parent_id, start_time, id FROM job WHERE parent_id IN ({keys})"
_RESULT_TYPES = (
    "SELECT call_node.call_hash, value.type FROM call_node JOIN value ON value.value_hash = call_node.value_hash "
    "WHERE call_node.call_hash IN ({keys})"
)


def export_records(store: Store, find: Find, is_compatible: bool = False) -> Iterator[str]:
    """Yield the lines of records, without their ends.

    Parameters
    ----------
    store
        Where they are.
    find
        Finds them.
    is_compatible
        Whether to leave out what older versions of redun don't know.
    """
    kinds = records.COMPATIBLE if is_compatible else tuple(Kind)
    left_out = records.ADDED_KEYS if is_compatible else frozenset()
    with closing(Plan()) as plan, store.database.snapshot():
        find(Search(), store, plan)
        for kind in kinds:
            for ids in plan.pages(kind, PAGE):
                for record in _READERS[kind](store, ids):
                    yield records.format_record(kind, {key: record[key] for key in record if key not in left_out})


def read_records(store: Store, ids: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Yield the records that have some ids or addresses, and no others; those that are missing are left out."""
    for kind in Kind:
        table, key = TABLES[kind]
        statement = f"SELECT {key} FROM {table} WHERE {key} IN ({{keys}})"  # noqa: S608
        found = [name for (name,) in store.database.select_in(statement, ids)]
        for start in range(0, len(found), PAGE):
            for record in _READERS[kind](store, found[start : start + PAGE]):
                yield json.loads(records.format_record(kind, record))


def _read_tables(database: Database, kind: Kind, ids: Sequence[str]) -> list[Sequence[Row]]:
    """Return the rows of some records, from each table of their kind."""
    return [database.select_in(copy.statement, ids) for copy in COPIES[kind]]


def _by_id(rows: Sequence[Row]) -> Mapping[str, Row]:
    return {row[0]: row for row in rows}


def _group(pairs: Iterator[tuple[str, Any]] | Sequence[tuple[str, Any]]) -> Mapping[str, list[Any]]:
    """Return the second items of pairs, by the first."""
    groups: dict[str, list[Any]] = {}
    for key, item in pairs:
        groups.setdefault(key, []).append(item)
    return groups


def _read_tasks(store: Store, ids: Sequence[str]) -> Iterator[Record]:
    """Yield the records of tasks that their values don't bring along."""
    recorded = {key for (key,) in store.database.select_in(_RECORDED, ids)}
    (rows,) = _read_tables(store.database, Kind.TASK, [key for key in ids if key not in recorded])
    yield from map(records.make_task, sorted(rows))


def _read_values(store: Store, ids: Sequence[str]) -> Iterator[Record]:
    for part in store.split_by_size(ids):
        values = store.read_values(part)
        rows = _by_id(values.rows)
        _, files, subvalues, tasks = _read_tables(store.database, Kind.VALUE, part)
        paths: dict[str, str] = dict(files)
        inside = _group([(parent, subvalue) for subvalue, parent in subvalues])
        definitions = _by_id(tasks)
        for key in part:
            yield records.make_value(
                rows[key], inside.get(key, ()), paths.get(key), definitions.get(key), values.absent.get(key)
            )


def _read_handles(store: Store, ids: Sequence[str]) -> Iterator[Record]:
    rows, edges = _read_tables(store.database, Kind.HANDLE, ids)
    handles, parents = _by_id(rows), _group([(child, parent) for parent, child in edges])
    for key in ids:
        yield records.make_handle(handles[key], parents.get(key, ()))


def _read_tags(store: Store, ids: Sequence[str]) -> Iterator[Record]:
    rows, edits = _read_tables(store.database, Kind.TAG, ids)
    tags, parents = _by_id(rows), _group([(child, parent) for parent, child in edits])
    for key in ids:
        yield records.make_tag(tags[key], parents.get(key, ()))


def _read_evaluations(store: Store, ids: Sequence[str]) -> Iterator[Record]:
    (rows,) = _read_tables(store.database, Kind.EVALUATION, ids)
    yield from map(records.make_evaluation, sorted(rows))


def _read_calls(store: Store, ids: Sequence[str]) -> Iterator[Record]:
    rows, arguments, results, edges, subtrees = _read_tables(store.database, Kind.CALL, ids)
    calls = _by_id(rows)
    places = _group([(row[1], row) for row in arguments])
    upstream = _group(results)
    children = _group([(parent, child) for parent, child, _ in sorted(edges, key=lambda edge: edge[2])])
    tasks = _group(subtrees)
    for key in ids:
        yield records.make_call(calls[key], places.get(key, ()), upstream, children.get(key, []), tasks.get(key))


def _read_jobs(store: Store, ids: Sequence[str]) -> Iterator[Record]:
    (rows,) = _read_tables(store.database, Kind.JOB, ids)
    jobs = _by_id(rows)
    below = sorted(store.database.select_in(_JOB_CHILDREN, ids))
    children = _group([(parent, child) for parent, _, child in below])
    calls = [row[5] for row in rows if row[5] is not None]
    types = dict(store.database.select_in(_RESULT_TYPES, calls))
    reasons = dict(store.database.select_in(REASONS.statement, ids) if store.has_extension else ())
    for key in ids:
        yield records.make_job(jobs[key], children.get(key, ()), types.get(jobs[key][5]), reasons.get(key))


def _read_executions(store: Store, ids: Sequence[str]) -> Iterator[Record]:
    (rows,) = _read_tables(store.database, Kind.EXECUTION, ids)
    yield from map(records.make_execution, sorted(rows))


_READERS: Mapping[Kind, Callable[[Store, Sequence[str]], Iterator[Record]]] = {
    Kind.TASK: _read_tasks,
    Kind.VALUE: _read_values,
    Kind.HANDLE: _read_handles,
    Kind.TAG: _read_tags,
    Kind.EVALUATION: _read_evaluations,
    Kind.CALL: _read_calls,
    Kind.JOB: _read_jobs,
    Kind.EXECUTION: _read_executions,
}
