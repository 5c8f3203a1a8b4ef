"""A database outside, on SQLite and on PostgreSQL, workflows that write to it, and what each run of them did."""

import pytest
from warehouse import Warehouse, connect, read_rows

from redun import Scheduler
from redun.backends.memory import MemoryBackend
from redun.executors.local import LocalExecutor


class NotingExecutor(LocalExecutor):
    """Runs tasks on threads and notes their names."""

    def __init__(self):
        super().__init__()
        self.ran = []

    def submit_many(self, calls):
        self.ran.extend(call.task_name.rpartition(".")[2] for call in calls)
        return super().submit_many(calls)


@pytest.fixture(params=[("memory", "sqlite"), ("sql", "sqlite"), ("sql", "postgresql")], ids="-".join)
def world(request):
    """Which store there is, and which database outside."""
    return request.param


@pytest.fixture
def outside(world, request, tmp_path):
    """Where a new database is that workflows write to."""
    uri = str(tmp_path / "warehouse.db") if world[1] == "sqlite" else request.getfixturevalue("postgres_uri")
    connection = connect(uri)
    connection.execute("create table loaded (step text primary key, value text, times integer)")
    connection.commit()
    connection.close()
    return uri


@pytest.fixture
def warehouse(outside):
    """A handle of that database, fresh."""
    return Warehouse("warehouse", outside)


@pytest.fixture
def rows(outside):
    """Returns what is in the database: of each step, what it wrote last, and how often it wrote."""
    return lambda: read_rows(outside)


@pytest.fixture
def store(world, tmp_path):
    """A function that returns the store of all runs of a test, opened anew if it is not in memory."""
    memory = MemoryBackend()
    if world[0] == "memory":
        return lambda: {"backend": memory}
    return lambda: {"config": {"backend": {"db_uri": f"sqlite:///{tmp_path}/redun.db"}}}


@pytest.fixture
def run(store):
    """Runs an expression in a scheduler of its own; returns the names of the tasks that ran, in alphabetical order."""

    def run_workflow(expr, **kwargs):
        executor = NotingExecutor()
        with Scheduler(executor=executor, **store()) as scheduler:
            run_workflow.result = scheduler.run(expr, **kwargs)
        return sorted(name for name in executor.ran if name != "root_task")

    return run_workflow
