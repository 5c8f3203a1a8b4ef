"""The screens over a PostgreSQL database."""

import asyncio
from contextlib import closing

import pytest

from redun import Scheduler, task
from redun.errors import BackendError
from redun_backend_sql.backend import SqlBackend
from redun_backend_sql.options import SqlOptions
from redun_console.reader import Reader, Store
from redun_console.resolve import resolve
from redun_console.routes import (
    ExecutionRoute,
    ExecutionsRoute,
    FilesRoute,
    JobRoute,
    NamespacesRoute,
    SearchRoute,
    TaskNameRoute,
    TasksRoute,
    UpstreamsRoute,
    ValueRoute,
    parse_route,
)
from redun_console.views.execution import load_execution
from redun_console.views.executions import load_executions, load_namespaces
from redun_console.views.files import load_files
from redun_console.views.job import load_job
from redun_console.views.search import load_search
from redun_console.views.tasks import load_task_name, load_tasks
from redun_console.views.values import load_upstreams, load_value

redun_namespace = "test_console_postgres"


@task
def step(x):
    if x == 3:
        raise ValueError("three")
    return [x]


@task
def main(n):
    return [step(x) for x in range(n)]


@pytest.fixture(scope="module")
def backend(postgres_server):
    """A store in PostgreSQL with an execution that succeeded and one that failed."""
    name = postgres_server.create_database()
    with closing(SqlBackend(SqlOptions(postgres_server.uri(name), automigrate=True))) as backend:
        backend.load()
        for number in (2, 4):
            try:
                Scheduler(backend=backend).run(main(number), exec_argv=["redun", "run", f"--n={number}"])
            except ValueError:
                continue
        database = backend.database
        [[value]] = database.select("SELECT min(value_hash) FROM value WHERE type = 'builtins.list'")
        for path in ("out/a_b.csv", "out/axb.csv", "other"):
            key = path.encode().hex().ljust(40, "0")
            database.execute(
                "INSERT INTO value SELECT ?, type, format, value FROM value WHERE value_hash = ?", key, value
            )
            database.execute("INSERT INTO file VALUES (?, ?)", key, path)
        yield backend
    postgres_server.drop_database(name)


def test_all_screens_can_be_loaded(backend):
    """Every question is put in words that PostgreSQL knows as well, and has the same answer."""
    store = Store(backend)
    failed, done = [item.execution for item in load_executions(store, ExecutionsRoute(), 10).page.items]
    executions = load_executions(store, ExecutionsRoute(find="--n=2", namespace=redun_namespace), 10)
    statuses = ("CACHED", "DONE", "FAILED", "RUNNING")
    everything = load_execution(store, ExecutionRoute(key=failed.id, status=statuses, task=("step",)))
    tree = load_execution(store, ExecutionRoute(key=failed.id))
    children = load_execution(store, ExecutionRoute(key=failed.id, job=failed.root.id, children=True))
    broken = load_execution(store, ExecutionRoute(key=failed.id, status=("FAILED",)))
    running = load_execution(store, ExecutionRoute(key=failed.id, status=("RUNNING",)))
    job = load_job(store, JobRoute(key=done.root.id, why=True))
    value = load_value(store, ValueRoute(key=job.result.value_hash))

    assert [item.execution.id for item in executions.page.items] == [done.id]
    assert [item.namespace for item in load_namespaces(store, NamespacesRoute()).page.items] == [redun_namespace]
    assert (len(everything.jobs.items), len(children.jobs.items), len(tree.jobs.items)) == (4, 4, 5)
    assert {item.line.job.task_name.rpartition(".")[2] for item in broken.jobs.items} == {"main", "step"}
    assert running.jobs.items == []
    assert len(job.children.items) == 2
    assert value.maker.job.id == done.root.id
    assert load_upstreams(store, UpstreamsRoute(key=job.result.value_hash)).dataflow is not None
    assert [item.name for item in load_tasks(store, TasksRoute(find="POSTGRES.S")).page.items] == ["step"]
    assert load_task_name(store, TaskNameRoute(key=f"{redun_namespace}.step")).jobs
    assert len(load_search(store, SearchRoute(("--job", "--job-status", "FAILED"))).page.items) == 2
    assert resolve(store, parse_route([done.id[:7]])) == ExecutionRoute(key=done.id)


def test_files_are_listed_by_path(backend):
    """Paths are found by how they start, letter by letter."""
    store = Store(backend)

    assert len(load_files(store, FilesRoute()).page.items) == 3
    assert [item.path for item in load_files(store, FilesRoute("out/a_")).page.items] == ["out/a_b.csv"]


def test_query_that_nobody_waits_for_is_interrupted(backend):
    """A query that takes very long ends on the server when whoever asked gives up, and the connection is used again."""
    reader = Reader(backend)

    async def ask():
        asking = asyncio.create_task(reader.ask(lambda store: store.database.select("SELECT pg_sleep(600)")))
        await reader_is_asking()
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        return await reader.ask(lambda store: store.database.select("SELECT 'free'"))

    async def reader_is_asking():
        while reader._asked is None:
            await asyncio.sleep(0)

    assert asyncio.run(asyncio.wait_for(ask(), 60)) == [("free",)]
    assert reader.close()


def test_interrupted_query_is_an_error(backend):
    """Whoever still waits for a query that was interrupted gets one sentence."""
    reader = Reader(backend)

    async def ask():
        asking = asyncio.ensure_future(reader.ask(lambda store: store.database.select("SELECT pg_sleep(600)")))
        while not asking.done():
            await asyncio.to_thread(reader.store.interrupt)
        return asking

    with pytest.raises(BackendError, match="cancel"):
        asyncio.run(asyncio.wait_for(ask(), 60)).result()
    assert reader.close()
