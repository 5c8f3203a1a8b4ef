"""``redun export``: write records as text."""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import click

from redun.completing import complete_ids
from redun.errors import RedunError
from redun.workspace import Workspace
from redun_backend_sql.commands.repositories import using
from redun_backend_sql.sync.exchange import open_store, select_records
from redun_backend_sql.sync.export import export_records


@click.command()
@click.argument("ids", metavar="[ID]...", nargs=-1, shell_complete=complete_ids)
@click.option("-f", "--file", "path", default="-", metavar="FILE", help="Where to write, - for standard output.")
@click.option("--compat", is_flag=True, help="Leave out what redun 0.46 doesn't know; caches then are not exported.")
@click.pass_obj
def export(workspace: Workspace, ids: Sequence[str], path: str, compat: bool) -> None:
    """Write records as JSON, one on a line.

    ID is the beginning of an id, or - for the latest execution and ~1, ~2, ... for those before it; by default all
    executions are exported, with everything that hangs together with them.

    \b
    Examples:
      redun export > records.json
      redun export - -f latest.json
      redun export | redun -c elsewhere/.redun import
    """
    with using(workspace.open_backend(create=False)) as backend:
        find = select_records(backend.database, ids)
        count = 0
        with _writing(path) as stream:
            for line in export_records(open_store(backend), find, compat):
                stream.write(f"{line}\n".encode())
                count += 1
            stream.flush()
    if path != "-":
        click.echo(f"Exported {count} record(s) to {path}")


@contextmanager
def _writing(path: str) -> Iterator[IO[bytes]]:
    """Open a file that gets its name when all of it is written."""
    if path == "-":
        yield sys.stdout.buffer
        return
    temporary = Path(f"{path}.{secrets.token_hex(4)}.tmp")
    try:
        with open(temporary, "xb") as stream:
            yield stream
        os.replace(temporary, path)
    except OSError as error:
        raise RedunError(f"{path} can't be written: {error.strerror or error}") from error
    finally:
        temporary.unlink(missing_ok=True)
