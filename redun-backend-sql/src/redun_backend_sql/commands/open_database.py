"""The configured database as commands open it that look after it: whatever its version."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager

from redun.errors import BackendError
from redun.workspace import Workspace
from redun_backend_sql.backend import SqlBackend
from redun_backend_sql.database import Database


@contextmanager
def open_database(workspace: Workspace, create: bool) -> Iterator[Database]:
    """Open the configured database without looking at its version.

    Parameters
    ----------
    workspace
        Where the configuration is.
    create
        Whether to make the configuration and an empty database where there is none; otherwise an empty database stands
        in for one that is missing.

    Raises
    ------
    BackendError
        When the configured store is no database, or can't be opened.
    """
    from redun.scheduler.setup import make_backend

    backend = make_backend(workspace.read_config(create))
    if not isinstance(backend, SqlBackend):
        raise BackendError("the configured store is no database: set [backend] db_uri to one")
    with closing(backend.connect(create)) as database:
        yield database
