"""Stores to exchange records between, and a workflow that leaves records of every kind."""

import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing

import pytest

from redun import Scheduler, apply_tags, catch, get_context, task
from redun.backends.base import Batch, ExecutionRecord, JobRecord
from redun.config import Config
from redun.file import File
from redun_backend_sql.backend import SqlBackend
from redun_backend_sql.options import SqlOptions
from redun_backend_sql.sync.exchange import exchange, open_store
from redun_backend_sql.sync.export import export_records
from redun_backend_sql.sync.send import FindExecutions, find_everything, ignore_progress, send
from redun_backend_sql.sync.staging import complete_records, open_staging, stage_records
from redun_backend_sql.sync.store import Store

OWN_TABLES = {"alembic_version", "redun_version", "redun_ext_version", "redun_ext_owner", "redun_ext_sent"}
"""Tables that say something about the database itself."""

redun_namespace = "sync"
calls = []
"""The names of the tasks that really ran, in order."""


@task(version="1", tags=[("kind", {"b": 1, "a": [None, 1.5]})])
def inc(x):
    calls.append("inc")
    return x + 1


@task(version="1")
def fail(message):
    calls.append("fail")
    raise ValueError(message)


@task(version="1")
def recover(error):
    return str(error)


@task(version="1", check_valid="shallow")
def shallow(x):
    calls.append("shallow")
    return [inc(x), get_context("name")]


@task(version="1", prov=False)
def hidden(x):
    return x


@task(version="1")
def below(x):
    return hidden(inc(x))


@task(version="1")
def write(path):
    calls.append("write")
    file = File(path)
    file.write("text")
    return {"files": [file]}


@task(version="1")
def main(n, path):
    calls.append("main")
    return [
        *[inc(inc(i)) for i in range(n)],
        catch(fail("no"), ValueError, recover),
        shallow(n),
        below(n),
        apply_tags(write(path), [("on", "value")], [("on", "job")], [("on", "execution")]),
        inc,
    ]


@pytest.fixture
def ran():
    """The names of the tasks that really ran; emptied by `run`."""
    calls.clear()
    return calls


@pytest.fixture
def make_store(empty_database, tmp_path):
    """Makes and opens an empty store in a folder of a name, with further options."""
    opened = []

    def make(name, **options):
        folder = tmp_path / name
        folder.mkdir()
        backend = SqlBackend(SqlOptions(config_dir=str(folder), **options))
        shutil.copy(empty_database, backend.path)
        backend.load()
        opened.append(backend)
        return backend

    yield make
    for backend in opened:
        backend.close()


@pytest.fixture
def make_postgres_store(postgres_server, tmp_path):
    """Makes and opens an empty store in a database of PostgreSQL."""
    opened = []

    def make():
        name = postgres_server.create_database()
        backend = SqlBackend(SqlOptions(postgres_server.uri(name), automigrate=True, config_dir=str(tmp_path)))
        backend.load()
        opened.append((backend, name))
        return backend

    yield make
    for backend, name in opened:
        backend.close()
        postgres_server.drop_database(name)


@pytest.fixture
def run(tmp_path):
    """Runs an expression in an execution of its own, recorded in a store."""

    def run_expression(backend, expression=None, **settings):
        calls.clear()
        options = {
            name: str(value)
            for name, value in vars(backend.options).items()
            if value is not None and name in ("db_uri", "config_dir", "value_store_path", "automigrate")
        }
        settings.setdefault("context", {"name": "somebody"})
        with Scheduler(Config({"backend": options}, options.get("config_dir"))) as scheduler:
            return scheduler.run(expression if expression is not None else main(3, str(tmp_path / "out")), **settings)

    return run_expression


@pytest.fixture
def push():
    """Sends everything from a store to another one, as the command does; returns how many records were sent."""
    return lambda source, destination, **settings: exchange(
        source, destination, source, (), ignore_progress, **settings
    )


@pytest.fixture
def push_at_once(push):
    """Pushes from several repositories to one at the same time, each with connections of its own."""

    def push_all(sources, there):
        ready = threading.Barrier(len(sources))

        def work(here):
            with ExitStack() as stack:
                opened = [stack.enter_context(closing(SqlBackend(backend.options))) for backend in (here, there)]
                for backend in opened:
                    backend.load()
                ready.wait(60)
                push(*opened)

        with ThreadPoolExecutor(len(sources)) as threads:
            list(threads.map(work, sources))

    return push_all


@pytest.fixture
def export():
    """Returns the lines of all records of a store."""
    return lambda backend, find=None, **settings: list(
        export_records(open_store(backend), find or FindExecutions(), **settings)
    )


@pytest.fixture
def load():
    """Imports lines into a store; returns how many records were new."""

    def load_lines(backend, lines, is_trusted=False):
        with open_staging("records.json") as staging:
            stage_records(staging, [line if isinstance(line, bytes) else line.encode() for line in lines], is_trusted)
            complete_records(staging, backend.database)
            source = Store(staging, has_extension=True)
            return send(source, open_store(backend), find_everything, is_strict=True)

    return load_lines


@pytest.fixture
def content():
    """Returns the rows of all tables of a store, but for what it says about itself."""

    def read(backend):
        tables = sorted(backend.database.tables() - OWN_TABLES)
        rows = {table: backend.database.select(f"SELECT * FROM {table}") for table in tables}
        return {table: sorted(map(tuple, found), key=repr) for table, found in rows.items()}

    return read


@pytest.fixture
def check_references():
    """Returns the references of a SQLite store that lead nowhere."""
    return lambda backend: backend.database.select("PRAGMA foreign_key_check")


@pytest.fixture
def record_execution(make_task):
    """Records an execution with a root job and some jobs below it, all of them open or ended, without calls."""

    def record(backend, number, jobs=0, end=None, ended_jobs=0):
        definition = make_task("running")
        ids = [f"job-{number}-{place}" for place in range(jobs + 1)]
        rows = {
            key: JobRecord(
                key,
                1_700_000_000.0 + place,
                end if place == 0 else 1_700_000_100.0 if place <= ended_jobs else None,
                definition.value_hash,
                False,
                None,
                ids[0] if place else None,
                f"execution-{number}",
            )
            for place, key in enumerate(ids)
        }
        known = {key for (key,) in backend.database.select("SELECT id FROM job")}
        backend.record(
            Batch(
                tasks={definition.value_hash: definition},
                jobs={key: row for key, row in rows.items() if key not in known},
                job_ends={key: row for key, row in rows.items() if key in known and row.end_time is not None},
                executions={
                    f"execution-{number}": ExecutionRecord(f"execution-{number}", '["redun"]', ids[0], 1_700_000_000.0)
                },
            )
        )

    return record


@pytest.fixture
def counting():
    """Counts the statements that a store executes, settings apart: a function that returns them as a growing list."""

    def count(backend):
        statements = []

        def note(statement):
            if not statement.startswith("PRAGMA"):
                statements.append(statement)

        backend.database.connection.set_trace_callback(note)
        return statements

    return count
