from contextlib import closing

import pytest

from redun.errors import BackendError
from redun_backend_sql.backend import SqlBackend
from redun_backend_sql.extension import (
    EXTENSION_VERSION,
    VERSION_TABLE,
    drop_extension,
    ensure_extension,
    is_extension_table,
    read_extension_version,
)
from redun_backend_sql.options import SqlOptions


def test_new_database_has_the_tables(backend):
    """A database that is opened has the tables, at the version that this redun makes."""
    assert backend.has_extension
    assert read_extension_version(backend.database) == EXTENSION_VERSION


def test_dropping_leaves_the_schema(backend):
    """Without the tables the database is as the schema has it, and opening it makes them again."""
    drop_extension(backend.database)

    assert not any(map(is_extension_table, backend.database.tables()))
    assert read_extension_version(backend.database) is None
    backend.close()
    backend.load()
    assert backend.has_extension


def test_nothing_is_made_without_leave(backend, uri):
    """Where nothing may be made, the tables stay away and the store works without."""
    drop_extension(backend.database)
    backend.close()

    with closing(SqlBackend(SqlOptions(uri, automigrate=False))) as other:
        other.load()

        assert not other.has_extension
        assert other.lookup(["0" * 40]) == {}


def test_newer_tables_are_refused(backend, uri):
    """Tables of a newer redun are one clear sentence."""
    backend.database.execute(f"UPDATE {VERSION_TABLE} SET version = ?", EXTENSION_VERSION + 1)
    backend.close()

    with pytest.raises(BackendError, match=r"was used by a newer redun .*: upgrade redun"):
        backend.load()
    ensure = SqlBackend(SqlOptions(uri))
    with pytest.raises(BackendError, match="upgrade redun"):
        ensure.load()


def test_making_them_twice_changes_nothing(backend):
    """Making the tables where they are is harmless."""
    assert ensure_extension(backend.database, may_create=True)
    assert backend.database.select(f"SELECT count(*) FROM {VERSION_TABLE}") == [(1,)]
