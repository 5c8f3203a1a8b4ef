"""What ``redun doctor`` looks at of a database: whether it answers, its version, and journals that wait."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from redun.checks import Finding, State
from redun.errors import BackendError
from redun.scheduler.setup import make_backend
from redun.workspace import Workspace
from redun_backend_sql.backend import SqlBackend
from redun_backend_sql.commands.db_info import describe_database
from redun_backend_sql.database import Database
from redun_backend_sql.journal.recovery import inspect, list_damaged
from redun_backend_sql.location import Location

_DATABASE, _JOURNALS = "database", "journals"


def check_database(workspace: Workspace) -> Iterator[Finding]:
    """Look at the configured database, without making, upgrading or recording anything."""
    if not workspace.is_configured and workspace.explicit_dir is None:
        return
    made = make_backend(workspace.read_config(create=False))
    if not isinstance(made, SqlBackend):
        yield Finding(State.OK, _DATABASE, "the configured store is no SQL database")
        return
    # Who asks how it is does not want to wait until a server comes back.
    backend = SqlBackend(replace(made.options, db_retries=0))
    location = backend.find_location()
    if not location.exists:
        yield Finding(State.OK, _DATABASE, f"{location.name} is not there yet: the first run makes it")
        return
    try:
        with closing(backend.connect(create=False)) as database:
            yield _look_at(database, workspace)
    except BackendError as error:
        yield Finding(State.PROBLEM, _DATABASE, str(error), "see [backend] in `redun config show`")
    yield from _look_at_journals(location)


def _look_at(database: Database, workspace: Workspace) -> Finding:
    found = describe_database(database, str(workspace.config_dir))
    text = f"{found.database}, version {found.version or 'unknown'}"
    if found.compatible and not database.is_writable:
        return Finding(State.WARNING, _DATABASE, f"{text}, can only be read", "runs need to write to it")
    if found.compatible:
        return Finding(State.OK, _DATABASE, f"{text}{_describe_size(found.database)}")
    return Finding(State.PROBLEM, _DATABASE, f"{text}: {found.problem}", "`redun db info` says more")


def _describe_size(name: str) -> str:
    path = Path(name)
    return f", {os.stat(path).st_size / 1e6:,.1f} MB" if path.is_file() else ""


def _look_at_journals(location: Location) -> Iterator[Finding]:
    if location.journal is None:
        return
    live, waiting = 0, 0
    for content in inspect(location.journal):
        live += content.is_owned
        waiting += 0 if content.is_owned else content.records
    if waiting:
        text = f"{waiting:,} record(s) of runs that were killed wait to be recorded"
        yield Finding(State.WARNING, _JOURNALS, text, "any command that opens the database records them: `redun log`")
    for path in list_damaged(location.journal):
        text = f"{path} is damaged: what came after the damage is lost, and will run again"
        yield Finding(State.WARNING, _JOURNALS, text, "remove it when you have no use for it")
    yield Finding(State.OK, _JOURNALS, f"{live} of live runs")
