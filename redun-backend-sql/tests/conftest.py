import shutil
from contextlib import ExitStack, closing, contextmanager
from itertools import count

import pytest
from ordinary_user import being_ordinary

from redun import Scheduler
from redun.arguments import encode_arguments
from redun.backends.base import CallRecord
from redun.hashing import hash_call_node, hash_struct
from redun.values.base import TaskSubtype
from redun.values.codec import EncodedValue
from redun.values.registry import get_type_registry
from redun_backend_sql.backend import SqlBackend
from redun_backend_sql.database import ECHO_VARIABLE
from redun_backend_sql.location import find_location
from redun_backend_sql.options import SqlOptions
from redun_backend_sql.retry import NEVER

PICKLE = "application/python-pickle"


def key(letter):
    """A hash."""
    return letter * 40


RECORDS = {
    "value": [
        (key("a"), "builtins.int", PICKLE, b"\x80\x03K\x01."),
        (key("b"), "builtins.list", PICKLE, b"\x80\x03]q\x00(K\x01K\x02e."),
        (key("c"), "redun.File", PICKLE, b"file"),
        (key("d"), "redun.Task", PICKLE, b"task"),
        (key("e"), "test.Handle", PICKLE, b"handle"),
    ],
    "subvalue": [(key("a"), key("b"))],
    "file": [(key("c"), "out.txt")],
    "task": [(key("d"), "main", "test", "def main(): ...\n"), (key("f"), "step", "", "def step(x): ...\n")],
    "call_node": [
        (key("1"), "test.main", key("d"), key("9"), key("b"), "2024-07-01 10:00:03.000500"),
        (key("2"), "step", key("f"), key("8"), key("a"), "2024-07-01 10:00:02.000500"),
    ],
    "call_edge": [(key("1"), key("2"), 0), (key("1"), key("2"), 1)],
    "argument": [(key("3"), key("2"), key("c"), 0, None), (key("4"), key("2"), key("a"), None, "x")],
    "argument_result": [(key("3"), key("1"))],
    "evaluation": [(key("5"), key("f"), key("8"), key("a"))],
    "call_subtree_task": [(key("1"), key("d")), (key("1"), key("f")), (key("2"), key("f"))],
    "handle": [(key("6"), "test.h", key("e"), "", False), (key("7"), "test.h", key("e"), "k", True)],
    "handle_edge": [(key("6"), key("7"))],
    "execution": [
        ("run-1", '["redun", "run"]', "job-1", "2024-07-01 10:00:04.000000"),
        ("run-2", "[]", "job-4", None),
    ],
    "job": [
        ("job-1", "2024-07-01 10:00:00.000000", "2024-07-01 10:00:03.000500", key("d"), False, key("1"), None, "run-1"),
        (
            "job-2",
            "2024-07-01 10:00:01.000000",
            "2024-07-01 10:00:02.000500",
            key("f"),
            True,
            key("2"),
            "job-1",
            "run-1",
        ),
        ("job-3", "2024-01-15 23:30:00.000000", None, key("f"), False, None, "job-2", "run-1"),
        ("job-4", "2024-12-31 23:59:59.999999", None, key("d"), False, None, None, "run-2"),
    ],
    "tag": [
        (key("0"), "Execution", "run-1", "user", '"me"', False),
        (key("8"), "Execution", "run-1", "user", '"you"', True),
        (key("9"), "CallNode", key("2"), "redun.context", f'"{key("c")}"', True),
    ],
    "tag_edit": [(key("0"), key("8"))],
}
"""Rows of version 3.5, some in every table."""


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
def repository(make_repository, uri):
    """A repository in the test's folder, which is the working directory, on a database of each kind."""
    return make_repository(uri)


@pytest.fixture
def run(backend, tmp_path, monkeypatch):
    """Runs an expression on the store, in the test's folder."""
    monkeypatch.chdir(tmp_path)

    def run_workflow(expr, **kwargs):
        return Scheduler(backend=backend).run(expr, exec_argv=["redun", "run"], **kwargs)

    return run_workflow


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


@pytest.fixture
def make_uri(dialect, request, tmp_path):
    """Makes URIs of new databases without tables."""
    if dialect == "sqlite":
        names = map("database{}.db".format, count())
        yield lambda: f"sqlite:///{tmp_path / next(names)}"
        return
    server = request.getfixturevalue("postgres_server")
    made = []

    def make():
        made.append(server.create_database())
        return server.uri(made[-1])

    yield make
    for name in made:
        server.drop_database(name)


@pytest.fixture
def database_uri(make_uri):
    """The URI of a new database without tables."""
    return make_uri()


@pytest.fixture
def open_uri():
    """Opens databases by their URI; they are closed after the test."""
    with ExitStack() as stack:

        def open_database(uri, retries=NEVER):
            opened = stack.enter_context(closing(find_location(uri).open(retries)))
            if opened.dialect == "sqlite":
                opened.execute("PRAGMA synchronous = OFF")
            return opened

        yield open_database


@pytest.fixture
def database(database_uri, open_uri):
    """An open database without tables."""
    return open_uri(database_uri)


@pytest.fixture(scope="session")
def insert_records():
    """Inserts a few rows into every table of a database of version 3.5; returns them."""

    def insert(database):
        with database.transaction():
            for table, rows in RECORDS.items():
                for row in rows:
                    database.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(row))})", *row)
        return read_records(database)

    return insert


def read_records(database):
    """Return the rows of all tables, but for those that tell versions."""
    tables = sorted(table for table in database.tables() if table in RECORDS)
    return {table: sorted(database.select(f"SELECT * FROM {table}"), key=repr) for table in tables}


@pytest.fixture(scope="session", name="read_records")
def read_records_fixture():
    """Reads the rows of all tables."""
    return read_records


@pytest.fixture(scope="session", name="denying_writes")
def denying_writes_fixture():
    """Lets an ordinary user look at a folder and its files, and be that user."""
    return denying_writes


@contextmanager
def denying_writes(folder):
    for path in (folder, *folder.iterdir()):
        path.chmod(0o555)
    try:
        with being_ordinary():
            yield
    finally:
        folder.chmod(0o700)
