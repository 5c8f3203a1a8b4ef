"""The contract of stores, kept by every kind of database."""

import shutil
from typing import ClassVar

import pytest

from redun.testing import BackendContract
from redun_backend_sql.backend import SqlBackend
from redun_backend_sql.options import SqlOptions


class TestSqlite(BackendContract):
    """A database in a file."""

    options: ClassVar = {}

    @pytest.fixture(autouse=True)
    def _empty(self, empty_database):
        self.empty_database = empty_database

    def make_backend(self, folder):
        backend = SqlBackend(SqlOptions(config_dir=str(folder), **self.options))
        if not (folder / "redun.db").exists():
            shutil.copy(self.empty_database, backend.path)
        return backend


class TestValueStore(TestSqlite):
    """A database in a file, with values of some size in files beside it."""

    options: ClassVar = {"value_store_path": "values", "value_store_min_size": 100}


class TestSqliteInMemory(BackendContract):
    """A database in memory."""

    is_durable = False
    is_shared = False

    def make_backend(self, folder):
        return SqlBackend(SqlOptions("sqlite://"))


class TestPostgres(BackendContract):
    """A database on a server."""

    random_settings: ClassVar = {"max_examples": 20, "derandomize": True}

    @pytest.fixture(autouse=True)
    def _databases(self, postgres_server, empty_postgres):
        self.server, self.empty_database, self.databases = postgres_server, empty_postgres, {}
        yield
        for name in self.databases.values():
            postgres_server.drop_database(name)

    def make_backend(self, folder):
        if folder not in self.databases:
            self.databases[folder] = self.server.create_database(self.empty_database)
        return SqlBackend(SqlOptions(self.server.uri(self.databases[folder]), config_dir=str(folder)))
