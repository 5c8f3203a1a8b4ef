"""``redun import``: read records from text."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

import click

from redun.errors import RedunError
from redun.workspace import Workspace
from redun_backend_sql.commands.repositories import showing_progress, using
from redun_backend_sql.sync.exchange import open_store
from redun_backend_sql.sync.send import find_everything, send
from redun_backend_sql.sync.staging import complete_records, open_staging, stage_records
from redun_backend_sql.sync.store import Store


@click.command("import")
@click.option("-f", "--file", "path", default="-", metavar="FILE", help="What to read, - for standard input.")
@click.option("--trust", is_flag=True, help="Don't check the addresses in the records.")
@click.pass_obj
def import_(workspace: Workspace, path: str, trust: bool) -> None:
    """Read records that `redun export` wrote, of this version or an older one.

    Records that are there already stay as they are. A file that is damaged is refused as a whole. Values are pickles:
    only import what you would run.

    \b
    Examples:
      redun import < records.json
      redun import -f records.json
    """
    name = "standard input" if path == "-" else path
    with using(workspace.open_backend()) as backend, open_staging(name) as staging:
        with _reading(path) as lines:
            stage_records(staging, lines, trust)
        complete_records(staging, backend.database)
        with showing_progress("Imported") as report:
            count = send(
                Store(staging, has_extension=True), open_store(backend), find_everything, report, is_strict=True
            )
    click.echo(f"Imported {count} new record(s)")


@contextmanager
def _reading(path: str) -> Iterator[IO[bytes]]:
    if path == "-":
        yield sys.stdin.buffer
        return
    try:
        with open(path, "rb") as stream:
            yield stream
    except OSError as error:
        raise RedunError(f"{path} can't be read: {error.strerror or error}") from error
