"""Executions, and the namespaces that they are of."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from redun_backend_sql.database import Database
from redun_backend_sql.query import MAX_EXECUTIONS, list_executions
from redun_backend_sql.records import ExecutionRow, Tags, join_name, parse_time, read_executions, read_tags
from redun_console.reader import Store
from redun_console.routes import ExecutionsRoute, NamespacesRoute
from redun_console.views.listing import Listing, cut_page, offset, take_page

_RECENT = (
    "SELECT recent.id, recent.args, job.start_time, task.namespace, task.name FROM "
    "(SELECT id, args, job_id FROM execution ORDER BY {order} DESC LIMIT ?) AS recent "
    "LEFT JOIN job ON job.id = recent.job_id LEFT JOIN task ON task.hash = job.task_hash "
    "ORDER BY job.start_time IS NULL, job.start_time DESC, recent.id"
)


class ExecutionItem(NamedTuple):
    """An execution in a list."""

    execution: ExecutionRow
    tags: Tags


@dataclass(frozen=True)
class ExecutionsView:
    """A page of executions, the newest first."""

    page: Listing[ExecutionItem]
    is_any_recorded: bool = True


class NamespaceItem(NamedTuple):
    """A namespace: how many executions have a root task in it, and when the latest of them started."""

    namespace: str
    executions: int
    latest: datetime | None


@dataclass(frozen=True)
class NamespacesView:
    """A page of namespaces."""

    page: Listing[NamespaceItem]


class _Recent(NamedTuple):
    id: str
    command: str
    start: datetime | None
    namespace: str
    fullname: str


def read_command(args: str) -> str:
    """Return the command of an execution, of its recorded arguments.

    Examples
    --------
    >>> read_command('["redun", "run", "w.py", "main"]'), read_command("damaged")
    ('run w.py main', 'damaged')
    """
    try:
        words = json.loads(args)
    except ValueError:
        return args
    return " ".join(map(str, words[1:])) if isinstance(words, list) else args


def load_executions(store: Store, route: ExecutionsRoute, size: int) -> ExecutionsView:
    """Return a page of executions.

    Parameters
    ----------
    store
        The store.
    route
        Which ones. Conditions hold for the executions recorded last, of very many.
    size
        How many fit on a page.
    """
    database = store.database
    if route.id or route.namespace or route.find:
        fitting = (item.id for item in _list_recent(database) if _fits(item, route))
        found = take_page(fitting, route.page, size)
        page = Listing(read_executions(database, found.items), found.has_more)
    else:
        page = cut_page(list_executions(database, size + 1, offset(route.page, size)), size)
    tags = read_tags(database, [execution.id for execution in page.items])
    items = [ExecutionItem(execution, tags.get(execution.id, ())) for execution in page.items]
    return ExecutionsView(Listing(items, page.has_more), bool(items) or bool(list_executions(database, 1)))


def load_namespaces(store: Store, route: NamespacesRoute) -> NamespacesView:
    """Return a page of the namespaces of executions, of very many of those recorded last."""
    found: dict[str, tuple[int, datetime | None]] = {}
    for item in _list_recent(store.database):
        count, latest = found.get(item.namespace, (0, None))
        found[item.namespace] = count + 1, latest or item.start
    items = sorted(NamespaceItem(namespace, *rest) for namespace, rest in found.items())
    if route.sort == "count":
        items.sort(key=lambda item: -item.executions)
    elif route.sort == "time":
        items.sort(key=lambda item: -item.latest.timestamp() if item.latest is not None else 0.0)
    return NamespacesView(take_page(items, route.page))


def _list_recent(database: Database) -> Iterator[_Recent]:
    """Yield the executions that were recorded last, the newest first."""
    rows: Sequence[tuple[str, str, str | None, str | None, str | None]]
    rows = database.select(_RECENT.format(order=database.row_order), MAX_EXECUTIONS)
    for key, args, start, namespace, name in rows:
        fullname = join_name(namespace or "", name or "")
        time = None if start is None else parse_time(start)
        yield _Recent(key, read_command(args), time, namespace or "", fullname)


def _fits(item: _Recent, route: ExecutionsRoute) -> bool:
    wanted = route.find.lower()
    return (
        item.id.startswith(route.id)
        and route.namespace in ("", item.namespace)
        and (wanted in item.command.lower() or wanted in item.fullname.lower())
    )
