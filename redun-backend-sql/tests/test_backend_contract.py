"""The contract of stores, kept by every kind of database."""

import shutil

import pytest

from redun.testing import BackendContract
from redun_backend_sql.backend import SqlBackend, SqlOptions


class TestSqlite(BackendContract):
    """A database in a file."""

    @pytest.fixture(autouse=True)
    def _empty(self, empty_database):
        self.empty_database = empty_database

    def make_backend(self, folder):
        backend = SqlBackend(SqlOptions(config_dir=str(folder)))
        if not (folder / "redun.db").exists():
            shutil.copy(self.empty_database, backend.path)
        return backend


class TestSqliteInMemory(BackendContract):
    """A database in memory."""

    is_durable = False
    is_shared = False

    def make_backend(self, folder):
        return SqlBackend(SqlOptions("sqlite://"))
