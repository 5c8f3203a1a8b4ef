"""Files by path."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from redun_backend_sql.database import Database
from redun_console.reader import Store
from redun_console.routes import FilesRoute
from redun_console.views.listing import Listing, take_page

_MAX_STATES = 100
# A path may have very many states, so that each path is looked for after the one before it.
_NEXT = "SELECT path FROM file WHERE path > ?{condition} ORDER BY path LIMIT 1"


class FileItem(NamedTuple):
    """A path, the latest of the file's states, and how many states it had; `has_more` if they were not all counted."""

    path: str
    value_hash: str
    states: int
    has_more: bool


@dataclass(frozen=True)
class FilesView:
    """A page of files, by path."""

    page: Listing[FileItem]


def load_files(store: Store, route: FilesRoute) -> FilesView:
    """Return a page of files."""
    database = store.database
    page = take_page(_list_paths(database, route.start), route.page)
    return FilesView(Listing([_read_file(database, path) for path in page.items], page.has_more))


def has_files(database: Database, prefix: str) -> bool:
    """Whether there is a file whose path starts with a text."""
    return bool(prefix) and next(_list_paths(database, prefix), None) is not None


def _list_paths(database: Database, prefix: str) -> Iterator[str]:
    condition, parameters = database.match_prefix("path", prefix) if prefix else ("", ())
    statement = _NEXT.format(condition=f" AND {condition}" if condition else "")
    last = ""
    while rows := database.select(statement, last, *parameters):
        [(last,)] = rows
        yield last


def _read_file(database: Database, path: str) -> FileItem:
    rows = database.select_ordered("value_hash", "file", "path", path, _MAX_STATES + 1)
    return FileItem(path, rows[0][0], min(len(rows), _MAX_STATES), len(rows) > _MAX_STATES)
