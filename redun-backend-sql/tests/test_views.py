"""The views for analysts: what they show, and that conditions on them reach indexes."""

import re
from pathlib import Path

import pytest

from redun import task
from redun.file import File
from redun_backend_sql.extension import drop_extension
from redun_backend_sql.views import VIEWS, make_views

redun_namespace = "views"

on_sqlite = pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)

README = Path(__file__).parents[1] / "README.md"
KEYS = {
    "v_job": ["job_id", "execution_id", "parent_id", "call_hash", "task_hash"],
    "v_call": ["call_hash", "task_hash", "result_hash"],
    "v_file_lineage": ["path", "file_hash", "call_hash", "job_id", "execution_id"],
}


@task
def write(path):
    file = File(path)
    file.write(path)
    return file


@task
def join(files, *, extra):
    return [files[0], len(files), extra.read()]


@task
def main():
    return join([write("a"), write("b")], extra=write("c"))


@task(namespace="")
def fail(x):
    raise ValueError(x)


@pytest.fixture
def select(backend):
    return lambda query, *parameters: list(map(tuple, backend.database.select(query, *parameters)))


def test_jobs(run, select, backend):
    """The view of jobs has a job on a line: its task by name, what became of it, and how long it took in seconds."""
    run(main(), execution_id="x" * 36)
    run(main())
    with pytest.raises(ValueError, match="1"):
        run(fail(1))
    backend.database.execute(
        "INSERT INTO job SELECT 'r', start_time, NULL, task_hash, cached, NULL, NULL, execution_id FROM job LIMIT 1"
    )

    counts = select("SELECT task_name, status, count(*) FROM v_job GROUP BY 1, 2 ORDER BY 1, 2")

    assert [row for row in counts if row[1] != "RUNNING"] == [
        ("fail", "FAILED", 1),
        ("views.join", "CACHED", 1),
        ("views.join", "DONE", 1),
        ("views.main", "CACHED", 1),
        ("views.main", "DONE", 1),
        ("views.write", "CACHED", 3),
        ("views.write", "DONE", 3),
    ]
    root = "SELECT job_id FROM v_job WHERE execution_id = ? AND parent_id IS NULL AND status = 'DONE'"
    [(root_id,)] = select(root, "x" * 36)
    assert select("SELECT count(*) FROM v_job WHERE parent_id = ?", root_id) == [(4,)]


@pytest.mark.parametrize(("end", "expected"), [("2024-01-02 00:00:00.250000", 86400.25), (None, None)])
def test_durations(select, backend, end, expected):
    """A job's duration is in seconds, to the millisecond; a running one has none."""
    execute = backend.database.execute
    with backend.database.transaction():
        execute("INSERT INTO task VALUES ('t', 'n', '', '')")
        execute("INSERT INTO job VALUES ('j', '2024-01-01 00:00:00', ?, 't', ?, NULL, NULL, 'x')", end, False)
        execute("INSERT INTO execution VALUES ('x', '[]', 'j', NULL)")

    [(duration, status)] = select("SELECT duration, status FROM v_job")

    assert (duration, status) == (expected, "FAILED" if end else "RUNNING")


def test_calls(run, select):
    """The view of calls has a call on a line: its task, the type of its result, how many arguments and jobs it has."""
    run(main())
    run(main())

    rows = select(
        "SELECT task_name, result_type, argument_count, job_count FROM v_call WHERE task_name <> 'views.write'"
    )
    times = select("SELECT first_time, last_time FROM v_call")

    assert sorted(rows) == [("views.join", "builtins.list", 2, 2), ("views.main", "builtins.list", 0, 2)]
    assert all(first < last for first, last in times)


def test_lineage_of_files(run, select):
    """The lineage has a line for each call whose result or argument is a file or holds it, with the job and time."""
    run(main())
    query = "SELECT role, argument, task_name FROM v_file_lineage WHERE path = ?"

    lineages = {path: sorted(select(query, path), key=repr) for path in "abc"}

    assert lineages == {
        "a": [
            ("consumed", "0", "views.join"),
            ("produced", None, "views.join"),
            ("produced", None, "views.main"),
            ("produced", None, "views.write"),
        ],
        "b": [("consumed", "0", "views.join"), ("produced", None, "views.write")],
        "c": [("consumed", "extra", "views.join"), ("produced", None, "views.write")],
    }
    jobs = select("SELECT job_id, execution_id, time FROM v_file_lineage")
    known = select("SELECT id, execution_id, start_time FROM job")
    assert set(jobs) == set(known)


@on_sqlite
@pytest.mark.parametrize(("view", "column"), [(view, column) for view, columns in KEYS.items() for column in columns])
def test_conditions_on_views_use_indexes(backend, view, column):
    """A condition on an id, an address or a path leads along indexes through all tables of a view."""
    plan = backend.database.select(f"EXPLAIN QUERY PLAN SELECT * FROM {view} WHERE {column} = ?", "x")

    steps = [row[3] for row in plan]
    assert [step for step in steps if step.startswith("SCAN")] == []
    assert all(" INDEX " in step for step in steps if step.startswith("SEARCH"))


def test_columns_are_documented(backend):
    """The README lists each view with exactly its columns, in order."""
    text = README.read_text()
    for view in VIEWS:
        documented = re.findall(r"^\| `(\w+)` \|", text.partition(f"### `{view}`")[2].partition("###")[0], re.MULTILINE)
        with backend.database.make_engine().connect() as connection:
            columns = list(connection.exec_driver_sql(f"SELECT * FROM {view}").keys())

        assert documented == columns, view


def test_views_go_with_the_extension(backend):
    """The views are made with the tables beside the schema, and dropped with them."""
    drop_extension(backend.database)

    with backend.database.make_engine().connect() as connection:
        from sqlalchemy import inspect

        assert set(inspect(connection).get_view_names()) & set(VIEWS) == set()
    assert set(make_views("sqlite")) == set(VIEWS)
    backend.close()
    backend.load()
    assert [backend.database.select(f"SELECT count(*) FROM {view}") for view in VIEWS] == [[(0,)]] * 3
