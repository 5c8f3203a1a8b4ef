import shutil
import sqlite3
import subprocess
import sys
import time
from contextlib import closing

import pytest

from redun import Scheduler, catch, cond, task
from redun.functools import map_
from redun_backend_sql.backend import SqlBackend
from redun_backend_sql.options import SqlOptions

redun_namespace = "test_backend_workflow"

TWO_RUNS = """
import sys
from redun import Scheduler, task

@task(namespace="two_runs", version="1")
def square(x):
    return x * x

@task(namespace="two_runs", version="1")
def main(start):
    return [square(x) for x in range(start, start + 200)]

sys.stdin.readline()
with Scheduler({"backend": {"db_uri": "sqlite:///" + sys.argv[1]}}) as scheduler:
    print(sum(scheduler.run(main(int(sys.argv[2])))))
"""


@task
def add(a, b):
    return a + b


@task
def fail(message):
    raise ValueError(message)


@task
def recover(error):
    return f"recovered from {error}"


@task(cache=False)
def now():
    return time.time_ns()


@task(check_valid="shallow")
def shallow(x):
    return add(x, 1)


@task
def countdown(n):
    return countdown(n - 1) if n else "done"


@task
def everything():
    return [
        add(add(1, 2), b=add(1, 2)),
        catch(fail("no"), ValueError, recover),
        cond(add(1, 0), add(2, 0), fail("never")),
        map_(add.partial(b=1), [1, 2, 3]),
        {"now": [now(), now()], "lazy": add([1], [2])[0]},
        shallow(3),
        countdown(30),
        add,
    ]


@task
def failing():
    return [add(1, 2), fail("for good")]


def test_workflows_leave_a_consistent_database(backend, query, violations):
    """Every row that a workflow leaves refers to rows written before, whether it ran, failed or was replayed."""
    if backend.database.dialect == "sqlite":
        backend.database.execute("PRAGMA foreign_keys = ON")

    with Scheduler(backend=backend) as scheduler:
        for cache in (True, True, False):
            scheduler.run(everything(), cache=cache)
            with pytest.raises(ValueError, match="for good"):
                scheduler.run(failing(), cache=cache)
        unfinished = query("SELECT count(*) FROM job WHERE end_time IS NULL")
        executions = query("SELECT count(*) FROM execution")
        dangling = violations()

    assert (dangling, unfinished, executions) == ([], [(0,)], [(6,)])


@task
def wait_until_recorded(uri):
    deadline = time.monotonic() + 20
    with closing(SqlBackend(SqlOptions(uri))) as other:
        other.load()
        while time.monotonic() < deadline:
            rows = other.database.select("SELECT end_time, call_hash, cached FROM job")
            if rows:
                return list(rows)
            time.sleep(0.01)
    return None


def test_running_jobs_can_be_seen(backend, uri, violations):
    """While a job runs, other processes see it in the database, consistent and without an end."""
    with Scheduler(backend=backend) as scheduler:
        actual = scheduler.run(wait_until_recorded(uri))

        assert (actual, violations()) == ([(None, None, 0)], [])


@task
def fan_out(count):
    return [add(number, 1) for number in range(count)]


def test_call_made_with_and_without_context_is_known_in_both(backend, violations):
    """A coroutine that came to the same in a context and without one is not run again in either."""
    ran = []

    @task(namespace="backend_workflow", version="1", cache_scope="BACKEND", check_valid="shallow")
    async def work():
        ran.append(1)

    counts = []
    for context in ({}, {"a": 1}, {}, {"a": 1}):
        ran.clear()
        Scheduler(backend=backend).run(work(), context=context)
        counts.append(len(ran))

    assert counts == [1, 1, 0, 0]
    assert violations() == []


@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
def test_statements_do_not_grow_with_tasks(backend):
    """A run of ten thousand tasks takes few transactions and few look-ups, cold and warm."""
    statements = []
    with Scheduler(backend=backend) as scheduler:
        backend.database.connection.set_trace_callback(statements.append)

        counts = []
        for _ in range(2):
            statements.clear()
            scheduler.run(fan_out(10_000))
            begun = sum(statement.startswith("BEGIN") for statement in statements)
            counts.append((begun, sum(statement.startswith("SELECT") for statement in statements)))

    assert [begun <= 10 for begun, _ in counts] == [True, True]
    assert [selected <= 40 for _, selected in counts] == [True, True]


def test_processes_share_a_database(empty_database, tmp_path):
    """Two processes that run overlapping workflows on one database at once both succeed, and nothing is lost."""
    path = tmp_path / "redun.db"
    shutil.copy(empty_database, path)
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "text": True}
    processes = [
        subprocess.Popen([sys.executable, "-c", TWO_RUNS, str(path), start], **pipes) for start in ("0", "100")
    ]

    for process in processes:
        process.stdin.write("go on\n")
        process.stdin.flush()
    outputs = [process.communicate()[0] for process in processes]

    with closing(sqlite3.connect(path)) as connection:
        counts = [
            connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
            for table in ("execution", "job", "call_node", "evaluation")
        ]
        violations = connection.execute("PRAGMA foreign_key_check").fetchall()
    assert outputs == [f"{sum(x * x for x in range(start, start + 200))}\n" for start in (0, 100)]
    assert (counts, violations) == ([2, 402, 302, 302], [])


def test_memory_holds_a_store():
    """A store in memory has all tables, and is gone when it is closed."""
    backend = SqlBackend(SqlOptions("sqlite://"))
    backend.load()

    with Scheduler(backend=backend) as scheduler:
        result = scheduler.run(add(1, 2))

    assert result == 3
