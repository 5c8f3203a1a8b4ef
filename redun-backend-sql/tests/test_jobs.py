"""The jobs of an execution: counts, the tree, and what is shown of a large one."""

import pytest

from redun import task
from redun.backends.base import Batch, ExecutionRecord, JobRecord
from redun_backend_sql import jobs
from redun_backend_sql.describe import describe_execution
from redun_backend_sql.display import RULE
from redun_backend_sql.jobs import TreeItem, count_statuses, list_ancestors, list_failed_jobs, walk_tree
from redun_backend_sql.query import list_executions
from redun_backend_sql.records import read_jobs

redun_namespace = "test_jobs"


@task
def add(x):
    return x + 1


@task
def fail(x):
    raise ValueError(x)


@task
def fan_out(count):
    return [add(number) for number in range(count)]


@task
def mixed(count):
    return [[add(number) for number in range(count)], [fail(number) for number in range(3)]]


@task
def nested(level):
    return nested(level - 1) if level else 0


@pytest.fixture
def database(backend):
    return backend.database


@pytest.fixture
def small(monkeypatch):
    """Takes executions of more than five jobs for large ones."""
    monkeypatch.setattr(jobs, "SMALL_EXECUTION", 5)
    monkeypatch.setattr("redun_backend_sql.describe.SMALL_EXECUTION", 5)


@pytest.fixture
def record_jobs(backend, make_task):
    """Records jobs of one execution, given as id, parent, start and end; None for no end."""

    def record(*rows):
        made = make_task("f")
        records = {
            key: JobRecord(key, start, end, made.value_hash, False, None, parent, "x")
            for key, parent, start, end in rows
        }
        execution = ExecutionRecord("x", "[]", rows[0][0], 1.0)
        backend.record(Batch({made.value_hash: made}, jobs=records, executions={"x": execution}))

    return record


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.usefixtures("small")
def test_statuses_are_counted(run, database, exact):
    """Jobs are counted by what became of them, the same whether one looks at each of them or follows indexes."""
    run(fan_out(5))
    with pytest.raises(ValueError, match="0"):
        run(mixed(8))

    counts = [count_statuses(database, execution.id, exact) for execution in list_executions(database)]

    assert counts == [
        {"DONE": 3, "CACHED": 5, "FAILED": 4, "RUNNING": 0},
        {"DONE": 6, "CACHED": 0, "FAILED": 0, "RUNNING": 0},
    ]


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.usefixtures("small")
def test_jobs_without_a_call_are_counted(record_jobs, database, exact):
    """A job without an end is running; one that ended without a call has failed."""
    record_jobs(
        ("root", None, 1.0, None), *((f"j{number}", "root", 2.0, 3.0 if number % 2 else None) for number in range(9))
    )

    assert count_statuses(database, "x", exact) == {"DONE": 0, "CACHED": 0, "FAILED": 4, "RUNNING": 6}


@pytest.mark.usefixtures("small")
def test_of_very_many_jobs_failures_are_counted(run, database, monkeypatch):
    """Of more jobs than are worth looking at, those that ran and those that were cached are counted as one."""
    monkeypatch.setattr(jobs, "MAX_COUNTED", 10)
    with pytest.raises(ValueError, match="0"):
        run(mixed(8))
    [execution] = list_executions(database)

    assert count_statuses(database, execution.id) == {"DONE or CACHED": 8, "FAILED": 4, "RUNNING": 0}
    assert count_statuses(database, execution.id, exact=True)["DONE"] == 8


def test_jobs_that_failed_first_come_first(run, database):
    """Of failed jobs those that failed first are listed: they failed of themselves, those above them failed by that."""
    with pytest.raises(ValueError, match="0"):
        run(mixed(2))
    [execution] = list_executions(database)

    found = list_failed_jobs(database, execution.id, 3)

    assert [job.task_name for job in found] == ["test_jobs.fail"] * 3
    assert [job.end_time for job in found] == sorted(job.end_time for job in found)


def test_tree_is_walked_in_order(record_jobs, database):
    """Each job comes before those below it, jobs of one level in the order in which they started."""
    record_jobs(
        ("root", None, 1.0, 9.0),
        ("late", "root", 5.0, 6.0),
        ("early", "root", 2.0, 3.0),
        ("below", "early", 2.5, 2.6),
        ("deep", "below", 2.5, 2.6),
    )

    assert list(walk_tree(database, "root")) == [
        TreeItem(0, "root"),
        TreeItem(1, "early"),
        TreeItem(2, "below"),
        TreeItem(3, "deep"),
        TreeItem(1, "late"),
    ]


def test_wide_levels_are_cut(record_jobs, database, monkeypatch):
    """Of many jobs below one the first are walked, and it is said how many more there are."""
    rows = [(f"j{number}", "root", 10.0 - number, 11.0) for number in range(6)]
    record_jobs(("root", None, 1.0, 9.0), *rows, ("below", "j4", 7.0, 8.0))

    few = list(walk_tree(database, "root", 2))
    monkeypatch.setattr(jobs, "_SORTED_CHILDREN", 3)
    many = list(walk_tree(database, "root", 2))

    assert [(item.depth, item.job_id, item.left_out) for item in few] == [
        (0, "root", 0),
        (1, "j5", 0),
        (1, "j4", 0),
        (2, "below", 0),
        (1, None, 4),
    ]
    assert [(item.depth, item.job_id, item.left_out) for item in many] == [
        (0, "root", 0),
        (1, "j0", 0),
        (1, "j1", 0),
        (1, None, 4),
    ]


@pytest.mark.parametrize(("limit", "expected"), [(2, (["j3", "j2"], True)), (4, (["j3", "j2", "j1", "root"], False))])
def test_ancestors_come_nearest_first(record_jobs, database, limit, expected):
    """The jobs above one are listed from the nearest on, as many as asked for, and whether there are more."""
    record_jobs(
        ("root", None, 1.0, 9.0),
        *((f"j{number}", f"j{number - 1}" if number > 1 else "root", 2.0, 3.0) for number in range(1, 5)),
    )
    [job] = read_jobs(database, ["j4"])

    ancestors, has_more = list_ancestors(database, job, limit)

    assert ([ancestor.id for ancestor in ancestors], has_more) == expected


@pytest.mark.usefixtures("small")
def test_large_execution_is_shown_by_its_top(run, database):
    """Of a large execution the counts, the jobs that failed first and the first jobs of each level are shown."""
    with pytest.raises(ValueError, match="0"):
        run(mixed(30))
    [execution] = list_executions(database)

    lines = list(describe_execution(database, execution))

    assert lines[3] == "Jobs: 34 (DONE: 30, FAILED: 4)"
    assert lines[5] == "Failed first (4 of 4):"
    shown = [line.split("  ")[-1] for line in lines[6:10]]
    assert (sorted(shown[:3]), shown[3]) == (
        [f"test_jobs.fail({number})" for number in range(3)],
        "test_jobs.mixed(30)",
    )
    tree = lines[lines.index(RULE) + 1 :]
    assert (len(tree), tree[-1]) == (22, "  ... 13 more jobs")


def test_whole_execution_is_shown(run, database, monkeypatch):
    """Asked for everything, all jobs of a large execution are shown and counted one by one."""
    monkeypatch.setattr("redun_backend_sql.describe.SMALL_EXECUTION", 5)
    run(fan_out(300))
    [execution] = list_executions(database)

    lines = list(describe_execution(database, execution, show_all=True))

    assert lines[3:5] == ["Jobs: 301 (DONE: 301)", RULE]
    first, *rest = [line.rpartition(":  ")[2] for line in lines[5:]]
    assert first == "test_jobs.fan_out(300)"
    assert sorted(rest) == sorted(f"test_jobs.add({number})" for number in range(300))


def test_jobs_are_read_many_at_a_time(run, backend, database):
    """Showing an execution takes a query for each job that has others below it, and a few for all lines together."""
    run(fan_out(150))
    [execution] = list_executions(database)
    statements = []
    select = database.select
    database.select = lambda *given: statements.append(given[0]) or select(*given)

    lines = list(describe_execution(database, execution))

    assert len(lines) == 156
    assert sum("WHERE parent_id" in statement for statement in statements) == 151
    assert sum("WHERE parent_id" not in statement for statement in statements) <= 12
