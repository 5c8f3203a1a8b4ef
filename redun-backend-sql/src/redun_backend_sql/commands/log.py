"""``redun log``: past executions, jobs, tasks and files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import click

from redun.errors import BackendError, RedunError
from redun.workspace import Workspace
from redun_backend_sql.backend import SqlBackend
from redun_backend_sql.describe import describe_file, describe_recent, describe_records
from redun_backend_sql.query import find_file, find_records

_RECENT = 100


@click.command()
@click.argument("key", metavar="[ID]", required=False)
@click.option(
    "--all",
    "show_all",
    is_flag=True,
    help=f"Show everything: all executions, not only the latest {_RECENT}, all jobs of large ones.",
)
@click.pass_obj
def log(workspace: Workspace, key: str | None, show_all: bool) -> None:
    """Show past executions; or one of them, a job, a task, a call, a value or a file.

    ID is the start of an id or hash, a task's name, a path of a file, or - for the latest execution and ~1, ~2, ...
    for those before it.

    \b
    Examples:
      redun log              the latest executions
      redun log -            the jobs of the latest one
      redun log 3f2a9c       whatever has an id that starts like this
      redun log results.csv  which task made the file, from which inputs, by which code
    """
    backend = workspace.open_backend(create=False)
    if not isinstance(backend, SqlBackend):
        backend.close()
        raise BackendError("the configured store keeps no log: set [backend] db_uri to a database")
    with closing(backend):
        for line in _describe(backend, key, show_all):
            click.echo(line)


def _describe(backend: SqlBackend, key: str | None, show_all: bool) -> Iterator[str]:
    database = backend.database
    if not key:
        return describe_recent(database, None if show_all else _RECENT)
    records = find_records(database, key)
    if records:
        return describe_records(backend, records, show_all)
    use = find_file(database, key)
    if use is None:
        raise RedunError(f"nothing is recorded under {key!r}: give the start of an id, a task's name or a file's path")
    return describe_file(backend, use)
