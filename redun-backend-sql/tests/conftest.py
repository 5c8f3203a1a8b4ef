import shutil
from itertools import count

import pytest

from redun.arguments import encode_arguments
from redun.backends.base import CallRecord
from redun.hashing import hash_call_node, hash_struct
from redun.values.base import TaskSubtype
from redun.values.codec import EncodedValue
from redun.values.registry import get_type_registry
from redun_backend_sql.backend import SqlBackend
from redun_backend_sql.database import ECHO_VARIABLE
from redun_backend_sql.options import SqlOptions


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory):
    """Path of a database with tables and no records, to be copied."""
    path = tmp_path_factory.mktemp("empty") / "redun.db"
    backend = SqlBackend(SqlOptions(f"sqlite:///{path}"))
    backend.load()
    backend.close()
    return path


@pytest.fixture(scope="session")
def empty_postgres(postgres_server):
    """Name of a PostgreSQL database with tables and no records, to be copied."""
    name = postgres_server.create_database()
    backend = SqlBackend(SqlOptions(postgres_server.uri(name), automigrate=True))
    backend.load()
    backend.close()
    return name


@pytest.fixture(params=["sqlite", "postgresql"])
def dialect(request):
    """The kind of database. A test of what one kind does alone is marked `on_sqlite` or `on_postgresql`."""
    return request.param


@pytest.fixture
def new_uri(dialect, request, tmp_path):
    """Makes databases with tables and no records; returns the URI of each."""
    numbers, dropped = count(), []
    if dialect == "sqlite":
        empty = request.getfixturevalue("empty_database")
    else:
        server, template = request.getfixturevalue("postgres_server"), request.getfixturevalue("empty_postgres")

    def make():
        if dialect == "sqlite":
            number = next(numbers)
            path = tmp_path / (f"redun{number}.db" if number else "redun.db")
            shutil.copy(empty, path)
            return f"sqlite:///{path}"
        dropped.append(server.create_database(template))
        return server.uri(dropped[-1])

    yield make
    for name in dropped:
        server.drop_database(name)


@pytest.fixture
def uri(new_uri):
    """The URI of a database with tables and no records."""
    return new_uri()


@pytest.fixture
def backend(uri, tmp_path):
    """A loaded store of its own."""
    backend = SqlBackend(SqlOptions(uri, config_dir=str(tmp_path), automigrate=True))
    backend.load()
    yield backend
    backend.close()


@pytest.fixture
def query(backend):
    """Returns the rows of a query on the store."""
    return lambda statement, *parameters: list(backend.database.select(statement, *parameters))


@pytest.fixture
def dump(backend, query):
    """Returns everything in the store: the rows of each table in some fixed order."""
    return lambda: {
        table: sorted(query(f"SELECT * FROM {table}"), key=repr) for table in sorted(backend.database.tables())
    }


@pytest.fixture
def violations(backend, query):
    """Returns the rows that refer to rows which do not exist; only SQLite lets anybody write such rows."""
    return lambda: query("PRAGMA foreign_key_check") if backend.database.dialect == "sqlite" else []


@pytest.fixture
def statements(monkeypatch, caplog):
    """The statements that databases of this process execute from now on, as they are logged."""
    monkeypatch.setenv(ECHO_VARIABLE, "1")
    caplog.set_level("INFO", "redun")

    class Statements:
        def __iter__(self):
            return (record.getMessage() for record in caplog.records)

        def clear(self):
            caplog.clear()

    return Statements()


@pytest.fixture(scope="session")
def make_task():
    """Makes a task's definition as it is recorded; the address is that of the name."""

    def make(name, namespace="test", source="def f(): ...\n"):
        subtype = TaskSubtype(name, namespace, source)
        return EncodedValue(hash_struct(["Task", name]), "redun.Task", "text/plain", name.encode(), (), subtype)

    return make


@pytest.fixture(scope="session")
def make_call():
    """Makes the record of a call of a task; each is newer than the one before."""
    times = count(1_700_000_000)

    def make(task, args, result, children=(), upstream=None, **kwargs):
        arguments = encode_arguments(args, kwargs)
        encoded = get_type_registry().encode(result)
        child_hashes = [child.call_hash for child in children]
        return CallRecord(
            hash_call_node(task.value_hash, arguments.args_hash, encoded.value_hash, child_hashes),
            f"{task.subtype.namespace}.{task.subtype.name}",
            task.value_hash,
            encoded,
            arguments,
            upstream or {},
            child_hashes,
            frozenset([task.value_hash]).union(*[child.subtree for child in children]),
            float(next(times)),
        )

    return make
