"""What the commands that exchange records share: opening stores, and showing progress."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

from redun.backends.base import Backend
from redun.errors import BackendError
from redun_backend_sql.backend import SqlBackend
from redun_backend_sql.sync.plan import Report

_INTERVAL = 0.1


@contextmanager
def using(backend: Backend, purpose: str = "exchange records") -> Iterator[SqlBackend]:
    """Use a store that is open, and close it at the end.

    Parameters
    ----------
    backend
        The store.
    purpose
        What it is needed for.

    Raises
    ------
    BackendError
        When it is no database.
    """
    with closing(backend):
        if not isinstance(backend, SqlBackend):
            raise BackendError(f"the configured store can't {purpose}: set [backend] db_uri to a database")
        yield backend


@contextmanager
def showing_progress(verb: str) -> Iterator[Report]:
    """Show how far an exchange is, on one line that goes at the end; only if somebody can see it."""
    stream = sys.stderr
    shown = 0.0

    def report(done: int, total: int) -> None:
        nonlocal shown
        if stream.isatty() and time.monotonic() - shown >= _INTERVAL:
            shown = time.monotonic()
            progress = f"{verb} {done:,} of {total:,} records" if total else f"Looked at {done:,} records"
            stream.write(f"\r{progress}\x1b[K")
            stream.flush()

    try:
        yield report
    finally:
        if shown:
            stream.write("\r\x1b[K")
            stream.flush()
