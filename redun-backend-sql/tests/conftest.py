import shutil
from contextlib import closing
from itertools import count

import pytest

from redun import Scheduler
from redun.arguments import encode_arguments
from redun.backends.base import CallRecord
from redun.hashing import hash_call_node, hash_struct
from redun.values.base import TaskSubtype
from redun.values.codec import EncodedValue
from redun.values.registry import get_type_registry
from redun_backend_sql.backend import SqlBackend, SqlOptions


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory):
    """Path of a database with tables and no records, to be copied."""
    path = tmp_path_factory.mktemp("empty") / "redun.db"
    backend = SqlBackend(SqlOptions(f"sqlite:///{path}"))
    backend.load()
    backend.close()
    return path


@pytest.fixture
def backend(empty_database, tmp_path):
    """A loaded store of its own."""
    backend = SqlBackend(SqlOptions(config_dir=str(tmp_path)))
    shutil.copy(empty_database, backend.path)
    backend.load()
    yield backend
    backend.close()


@pytest.fixture(scope="session")
def empty_postgres_database(postgres_server):
    """Name of a database in PostgreSQL with tables and no records, to be copied."""
    name = postgres_server.create_database()
    with closing(SqlBackend(SqlOptions(postgres_server.uri(name), automigrate=True))) as backend:
        backend.load()
    return name


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request):
    """A loaded store of its own, in each kind of database."""
    if request.param == "sqlite":
        yield request.getfixturevalue("backend")
        return
    origin = request.getfixturevalue("empty_postgres_database")
    server = request.getfixturevalue("postgres_server")
    name = server.create_database(origin)
    with closing(SqlBackend(SqlOptions(server.uri(name), automigrate=True))) as backend:
        backend.load()
        yield backend
    server.drop_database(name)


@pytest.fixture
def run(store, tmp_path, monkeypatch):
    """Runs an expression on the store, in the test's folder."""
    monkeypatch.chdir(tmp_path)

    def run_workflow(expr, **kwargs):
        return Scheduler(backend=store).run(expr, exec_argv=["redun", "run"], **kwargs)

    return run_workflow


@pytest.fixture
def query(backend):
    """Returns the rows of a query on the store."""
    return lambda statement, *parameters: backend.database.connection.execute(statement, parameters).fetchall()


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
