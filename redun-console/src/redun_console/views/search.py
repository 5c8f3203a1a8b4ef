"""Records that a search finds: those that fit a key, or the options of ``redun log``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import click

from redun_backend_sql.commands.selecting import selecting, take_selection
from redun_backend_sql.describe import format_records
from redun_backend_sql.query import Record, find_records, list_executions
from redun_backend_sql.records import CallRow, ExecutionRow, FileRow, JobRow, TaskRow, ValueRow
from redun_backend_sql.selection import Selection, read_records
from redun_console.reader import Store
from redun_console.routes import RouteError, SearchRoute
from redun_console.views.listing import PAGE, Listing, take_page

KINDS: Mapping[type, str] = {
    ExecutionRow: "Execution",
    JobRow: "Job",
    CallRow: "Call",
    TaskRow: "Task",
    ValueRow: "Value",
    FileRow: "File",
}


@dataclass(frozen=True)
class Found:
    """A record that was found, with its line."""

    record: Record
    text: str


@dataclass(frozen=True)
class SearchView:
    """A page of what was found."""

    page: Listing[Found]


@click.command(add_help_option=False)
@click.argument("key", required=False, default="")
@selecting
def _words(**_: Any) -> None:
    """Parse the words of a search."""


def parse_words(words: Sequence[str]) -> tuple[str, Selection]:
    """Return the key and the selection that the words of a search stand for.

    Raises
    ------
    RouteError
        When they are not what ``redun log`` takes.

    Examples
    --------
    >>> key, selection = parse_words(["--job", "--job-status", "FAILED"])
    >>> key, selection.types, selection.job_status
    ('', ['Job'], ['FAILED'])
    """
    try:
        options = dict(_words.make_context("search", list(words)).params)
    except click.ClickException as error:
        raise RouteError(f"the search can't be read: {error.format_message()}") from None
    key = options.pop("key") or ""
    selection = take_selection(options)
    if key and not selection.is_empty:
        raise RouteError(f"{key!r} names records, and options select them: give one or the other")
    return key, selection


def load_search(store: Store, route: SearchRoute) -> SearchView:
    """Return a page of the records that fit.

    Raises
    ------
    RouteError
        When the words of the route are not what ``redun log`` takes.
    """
    from redun_backend_sql.querying import open_session

    key, selection = parse_words(route.words)
    if key:
        page = take_page(find_records(store.database, key), route.page)
    elif selection.is_empty:
        end = route.page * PAGE + 1
        page = take_page(list_executions(store.database, end), route.page)
    else:
        with open_session(store.backend) as session:
            try:
                query = selection.build(session, store.database)
            except ValueError as error:
                raise RouteError(f"the search can't be read: {error}") from None
            connection: Any = session.connection().connection.driver_connection
            with store.interrupted_by(getattr(connection, "interrupt", None) or connection.cancel):
                found = read_records(store.database, query, route.page * PAGE + 1)
                page = take_page(chain.from_iterable(found), route.page)
    lines = format_records(store.database, page.items)
    return SearchView(
        Listing([Found(record, line) for record, line in zip(page.items, lines, strict=True)], page.has_more)
    )
