"""``redun log``: past executions, jobs, tasks and files."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import closing
from itertools import chain
from typing import Any

import click

from redun.completing import complete_ids
from redun.errors import BackendError
from redun.workspace import Workspace
from redun_backend_sql.backend import SqlBackend
from redun_backend_sql.commands.selecting import count_lines, echo_lines, selecting, take_selection
from redun_backend_sql.describe import describe_file, describe_recent, describe_records, format_records
from redun_backend_sql.meant import ANYTHING, find_meant
from redun_backend_sql.query import FileUse, list_executions
from redun_backend_sql.selection import Selection, read_records

_RECENT = 100


@click.command()
@click.argument("key", metavar="[ID]", required=False, shell_complete=complete_ids)
@click.option(
    "--all",
    "show_all",
    is_flag=True,
    help=f"Show everything: all records, not only the latest {_RECENT}, all jobs of large executions.",
)
@selecting
@click.option("--count", "is_counting", is_flag=True, help="Only count what is found, by type.")
@click.option("--detail", is_flag=True, help="Show what is found in detail.")
@click.option(
    "--format", "form", type=click.Choice(["text", "json"]), default="text", help="Lines to read, or records as JSON."
)
@click.option("--no-pager", is_flag=True, help="Write to the terminal at once, not through a pager.")
@click.pass_obj
def log(
    workspace: Workspace,
    /,
    key: str | None,
    show_all: bool,
    is_counting: bool,
    detail: bool,
    form: str,
    no_pager: bool,
    **options: Any,
) -> None:
    """Show past executions; or one of them, a job, a task, a call, a value or a file; or those that options select.

    ID is the start of an id or hash, a task's name, a path of a file, or - for the latest execution and ~1, ~2, ...
    for those before it.

    \b
    Examples:
      redun log              the latest executions
      redun log -            the jobs of the latest one
      redun log 3f2a9c       whatever has an id that starts like this
      redun log results.csv  which task made the file, from which inputs and code
      redun log --job --job-status FAILED --exec-id -    what failed just now
      redun log --exec --tag env=prod --count            how many have a tag
      redun log --file-path '*.csv'                      files read or written
    """
    selection = take_selection(options)
    if key and not selection.is_empty:
        raise click.UsageError("ID names records, and options select them: give one or the other")
    backend = workspace.open_backend(create=False)
    if not isinstance(backend, SqlBackend):
        backend.close()
        raise BackendError("the configured store keeps no log: set [backend] db_uri to a database")
    with closing(backend):
        limit = None if show_all else _RECENT
        if not selection.is_empty or is_counting:
            lines = _select(backend, selection, is_counting, form == "json", detail, limit)
        elif form == "json":
            lines = _describe_as_json(backend, key, limit)
        else:
            lines = _describe(backend, key, show_all)
        echo_lines(lines, use_pager=not no_pager)


def _select(
    backend: SqlBackend, selection: Selection, is_counting: bool, as_json: bool, detail: bool, limit: int | None
) -> Iterator[str]:
    """Yield the lines about the records that are selected."""
    from redun_backend_sql.querying import open_session

    with open_session(backend) as session:
        try:
            query = selection.build(session, backend.database)
        except ValueError as error:
            raise click.UsageError(str(error)) from None
        if is_counting:
            yield from count_lines(query.count())
            return
        found = 0
        for records in read_records(backend.database, query, limit):
            found += len(records)
            if as_json:
                yield from _write_json(backend, [record[0] for record in records])
            elif detail:
                yield from describe_records(backend, records, show_all=True)
            else:
                yield from format_records(backend.database, records)
    if not as_json and not found:
        yield "Nothing that is recorded fits."
    elif not as_json and found == limit:
        yield f"These are the latest {limit}; --all shows all of them, --count how many there are."


def _write_json(backend: SqlBackend, ids: Sequence[str]) -> Iterator[str]:
    """Yield records as `redun export` writes them, in the order of their ids."""
    from redun_backend_sql.public import ID_KEYS
    from redun_backend_sql.sync.exchange import open_store
    from redun_backend_sql.sync.export import read_records as read_json

    found = {record[ID_KEYS[record["_type"]]]: record for record in read_json(open_store(backend), ids)}
    return (json.dumps(found[key]) for key in ids if key in found)


def _describe_as_json(backend: SqlBackend, key: str | None, limit: int | None) -> Iterator[str]:
    database = backend.database
    found = find_meant(database, key, ANYTHING) if key else list_executions(database, limit)
    return _write_json(backend, [item.value_hash if isinstance(item, FileUse) else item[0] for item in found])


def _describe(backend: SqlBackend, key: str | None, show_all: bool) -> Iterator[str]:
    if not key:
        return describe_recent(backend.database, None if show_all else _RECENT)
    found = find_meant(backend.database, key, ANYTHING)
    records = [item for item in found if not isinstance(item, FileUse)]
    uses = (describe_file(backend, item) for item in found if isinstance(item, FileUse))
    return chain(describe_records(backend, records, show_all), *uses)
