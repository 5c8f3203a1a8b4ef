"""A value: what it looks like, where it is inside, who made and who got it; and the dataflow behind it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from redun_backend_sql.database import Database
from redun_backend_sql.dataflow import walk_dataflow
from redun_backend_sql.dataflow_display import DataflowDom, make_dataflow_dom
from redun_backend_sql.handles import describe_states
from redun_backend_sql.lineage import find_use, list_holders, list_newest, list_readers
from redun_backend_sql.query import find_value_maker
from redun_backend_sql.records import (
    JobLine,
    JobRow,
    Tags,
    ValueRow,
    read_files,
    read_jobs,
    read_lines,
    read_tags,
    read_values,
)
from redun_console.reader import Store
from redun_console.routes import UpstreamsRoute, ValueRoute

MAX_RELATED = 20
"""How many values inside of one, and outside of it, are listed with it."""

_EDGES, _SECTIONS, _SOURCES = 400, 100, 30


@dataclass(frozen=True)
class ValueView:
    """A value with what belongs to it.

    Attributes
    ----------
    path
        The path, if it is a file.
    states
        Lines about it as a state of a handle.
    maker, reader
        The latest job that made it, and that received it.
    inside, around
        The first of the values inside of it, and of those that it is inside of.
    """

    value: ValueRow
    tags: Tags
    path: str
    states: Sequence[str]
    maker: JobLine | None
    reader: JobLine | None
    inside: Sequence[ValueRow]
    around: Sequence[ValueRow]


@dataclass(frozen=True)
class UpstreamsView:
    """The dataflow behind a value, of a large one the part that is near to it."""

    value: ValueRow
    dataflow: DataflowDom | None


def load_value(store: Store, route: ValueRoute) -> ValueView | None:
    """Return a value with what belongs to it; None when there is no such value."""
    database = store.database
    value = read_values(database, [route.key]).get(route.key)
    if value is None:
        return None
    files = read_files(database, [value.value_hash])
    inside = list_newest(database, "subvalue", "value_hash", "parent_value_hash", value.value_hash, MAX_RELATED)
    holders = list_holders(database, value.value_hash)
    return ValueView(
        value,
        read_tags(database, [value.value_hash]).get(value.value_hash, ()),
        files[0].path if files else "",
        list(describe_states(database, value.value_hash)),
        _read_line(database, find_value_maker(database, value.value_hash)),
        _find_reader(database, holders),
        _read_related(database, inside),
        _read_related(database, holders[1 : MAX_RELATED + 1]),
    )


def load_upstreams(store: Store, route: UpstreamsRoute) -> UpstreamsView | None:
    """Return the dataflow behind a value; None when there is no such value."""
    value = read_values(store.database, [route.key]).get(route.key)
    if value is None:
        return None
    edges = islice(walk_dataflow(store.backend, value.value_hash), _EDGES)
    return UpstreamsView(value, make_dataflow_dom(edges, "value", _SECTIONS, _SOURCES))


def _find_reader(database: Database, holders: Sequence[str]) -> JobLine | None:
    use = find_use(database, list_readers(database, holders), False)
    return None if use is None else _read_line(database, read_jobs(database, [use.job_id])[0])


def _read_line(database: Database, job: JobRow | None) -> JobLine | None:
    return None if job is None else read_lines(database, [job])[0]


def _read_related(database: Database, hashes: Sequence[str]) -> Sequence[ValueRow]:
    found = read_values(database, hashes, 10_000)
    return [found[key] for key in hashes if key in found]
