"""Queries over all types of records at once."""

import pytest
from sqlalchemy.exc import MultipleResultsFound, NoResultFound
from sqlalchemy.orm import Session

from redun import apply_tags, task
from redun.errors import BackendError
from redun.file import File as FileValue
from redun.tags import ANY_VALUE
from redun.values.registry import get_type_registry
from redun_backend_sql import graph_query
from redun_backend_sql.graph_query import TYPES, CallGraphQuery, find_file, infer_id
from redun_backend_sql.models import CallNode, Execution, File, Job, Task, Value

redun_namespace = "graph"

on_sqlite = pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)


@task
def inc(x):
    return x + 1


@task
def double(x):
    return 2 * x


@task
def main(x):
    return [inc(x), double(x)]


@task(namespace="other")
def incline(x):
    return x


@task
def fail():
    raise ValueError("no")


@task
def write(path):
    file = FileValue(path)
    file.write(path)
    return file


@task
def read(file):
    return file.read()


@task(tags=[("team", "red")])
def tagged(x):
    return apply_tags(x, tags=[("n", 1), ("data", {"b": 1, "a": 2})])


@pytest.fixture
def graph(backend):
    """A query for everything in the store."""
    return CallGraphQuery(backend.session)


@pytest.fixture
def two_runs(run):
    """Two executions of one workflow, the second with other arguments, which fails in a third."""
    run(main(1), execution_id="a" * 36, tags=[("env", "prod"), ("env", "test")])
    run(main(2), execution_id="b" * 36, tags=[("env", "prod"), ("size", 2)])
    with pytest.raises(ValueError, match="no"):
        run(fail(), execution_id="c" * 36)


def describe(query):
    """Return what a query finds: type and name, without order."""
    names = {
        Execution: lambda record: record.id[0],
        Job: lambda record: record.task.name,
        CallNode: lambda record: record.task_name.partition(".")[2],
        Task: lambda record: record.name,
        Value: lambda record: record.preview,
        File: lambda record: record.path,
    }
    return sorted(f"{type(record).__name__} {names[type(record)](record)}" for record in query.all())


def address(value):
    return get_type_registry().get_hash(value)


@pytest.mark.usefixtures("two_runs")
def test_everything_is_found(graph):
    """Without filters a query finds all records of all types; files are values."""
    counts = dict(graph.count())

    assert counts.pop("Value") >= 8
    assert counts == {"Execution": 3, "Job": 7, "CallNode": 7, "Task": 4}
    assert {type(record).__name__ for record in graph.all()} == set(TYPES)


@pytest.mark.usefixtures("two_runs")
def test_filters_do_not_change_a_query(graph):
    """A filter returns another query, so that one query can be filtered in several ways."""
    jobs = graph.filter_types(["Job"])

    assert jobs.filter_job_statuses(["FAILED"]).count() == [("Job", 1)]
    assert jobs.filter_task_names(["inc"]).count() == [("Job", 2)]
    assert (jobs.count(), graph.count()[0]) == ([("Job", 7)], ("Execution", 3))


@pytest.mark.usefixtures("two_runs")
def test_types(graph):
    """Types are chosen by name, in their usual order; asking twice leaves what both ask for."""
    assert [kind for kind, _ in graph.filter_types(["Task", "Job"]).count()] == ["Job", "Task"]
    assert graph.filter_types(["Task", "Job"]).filter_types(["Job", "Value"]).count() == [("Job", 7)]
    assert graph.filter_types([]).count() == graph.empty().count() == []
    assert list(graph.empty().all()) == []


def test_unknown_type_is_an_error(graph):
    """A type that does not exist is an error that lists those that do."""
    with pytest.raises(
        ValueError, match="no type 'Jobs' in the call graph; use Execution, Job, CallNode, Task, Value, File"
    ):
        graph.filter_types(["Jobs"])


@pytest.mark.usefixtures("two_runs")
def test_ids(graph):
    """Records are found by their ids, of any type, whole or by the start."""
    found = graph.filter_ids(["a" * 36, inc.hash, "nothing"])

    assert {type(record).__name__ for record in found.all()} == {"Execution", "Task", "Value"}
    assert describe(found.filter_types(["Execution", "Task"])) == ["Execution a", "Task inc"]
    assert [record.id for record in graph.like_id("aaaa").all()] == ["a" * 36]
    assert set(describe(graph.like_id(inc.hash[:12]).filter_types(["Task"]))) == {"Task inc"}


@pytest.mark.parametrize("prefix", ["a%", "a_", "%", "_a", "a*", "\\", "A"])
@pytest.mark.usefixtures("two_runs")
def test_prefixes_are_no_patterns(graph, prefix):
    """What stands for any letter in a query is an ordinary character in a prefix, and case counts."""
    assert list(graph.like_id(prefix).all()) == []


@pytest.mark.usefixtures("two_runs")
def test_executions(graph):
    """Executions are found by their ids, and what belongs to them: jobs, calls, tasks and values."""
    found = describe(graph.filter_execution_ids(["a" * 36]))

    assert found == [
        "CallNode double",
        "CallNode inc",
        "CallNode main",
        "Execution a",
        "Job double",
        "Job inc",
        "Job main",
        "Task double",
        "Task inc",
        "Task main",
        "Value 1",
        "Value 2",
        "Value [2, 2]",
    ]


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        (["env"], "ab"),
        (["size"], "b"),
        ([("env", "prod")], "ab"),
        ([("env", "test")], "a"),
        ([("env", "prod"), ("env", "test")], "a"),
        ([("env", "prod"), "size"], "b"),
        ([("env", ANY_VALUE)], "ab"),
        ([("size", 2)], "b"),
        ([("size", "2")], ""),
        (["nothing"], ""),
    ],
)
@pytest.mark.usefixtures("two_runs")
def test_executions_with_tags(graph, tags, expected):
    """Executions are found by the tags that they have, all of those that are asked for, and what belongs to them."""
    found = graph.filter_execution_tags(tags)

    assert [execution.id[0] for execution in found.filter_types(["Execution"]).all()] == list(expected)
    assert found.filter_types(["Job"]).count() == [("Job", 3 * len(expected))]


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [(["DONE"], "ab"), (["FAILED"], "c"), (["failed", "done"], "abc"), (["RUNNING"], ""), ([], "")],
)
@pytest.mark.usefixtures("two_runs")
def test_statuses_of_executions(graph, statuses, expected):
    """Executions are found by their status; a query for statuses of executions finds those only."""
    found = graph.filter_execution_statuses(statuses)

    assert describe(found) == [f"Execution {key}" for key in expected]
    assert found.count() == [("Execution", len(expected))]


@on_sqlite
def test_execution_without_root_has_failed(backend):
    """An execution whose root job is missing has failed."""
    backend.database.execute("INSERT INTO execution (id, args, job_id) VALUES ('x', '[]', 'gone')")
    graph = CallGraphQuery(backend.session)

    counts = {status: graph.filter_execution_statuses([status]).count()[0][1] for status in ("FAILED", "DONE")}

    assert counts == {"FAILED": 1, "DONE": 0}
    assert [execution.status for execution in graph.order_by("time").all()] == ["FAILED"]


def test_statuses_of_jobs(graph, run, backend):
    """Jobs are found by the status in their record, each by one; a query for statuses of jobs finds those only.

    A job without an end that no living process runs is found as running, and shows itself as lost.
    """
    run(main(1))
    run(main(1))
    with pytest.raises(ValueError, match="no"):
        run(fail())
    insert = (
        "INSERT INTO job (id, start_time, end_time, task_hash, cached, call_hash, parent_id, execution_id) "
        "SELECT ?, start_time, {end}, task_hash, cached, NULL, id, execution_id FROM job "
        "WHERE parent_id IS NULL LIMIT 1"
    )
    backend.database.execute(insert.format(end="NULL"), "running")
    backend.database.execute(insert.format(end="start_time"), "ended")

    counts = {status: graph.filter_job_statuses([status]).count() for status in ("DONE", "CACHED", "FAILED", "RUNNING")}
    found = {status: {job.status for job in graph.filter_job_statuses([status]).all()} for status in counts}

    assert counts == {"DONE": [("Job", 3)], "CACHED": [("Job", 3)], "FAILED": [("Job", 2)], "RUNNING": [("Job", 1)]}
    assert found == {**{status: {status} for status in counts}, "RUNNING": {"LOST"}}


def test_unknown_status_is_an_error(graph):
    """A status that does not exist is an error that lists those that do."""
    with pytest.raises(ValueError, match="no status 'LOST'; use RUNNING, FAILED, CACHED, DONE"):
        graph.filter_job_statuses(["LOST"])
    with pytest.raises(ValueError, match="no status 'CACHED'; use RUNNING, FAILED, DONE"):
        graph.filter_execution_statuses(["CACHED"])


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["inc"], ["graph.inc"]),
        (["graph.inc"], ["graph.inc"]),
        (["other.inc"], []),
        (["inc*"], ["graph.inc", "other.incline"]),
        (["graph.*"], ["graph.double", "graph.inc", "graph.main"]),
        (["*.inc*"], ["graph.inc", "other.incline"]),
        (["*line", "double"], ["graph.double", "other.incline"]),
        (["INC", "i?c", "i[n]c", "in%", "in_", ""], []),
        ([], []),
    ],
)
def test_task_names(graph, run, names, expected):
    """Tasks are found by name with or without namespace, with * for any characters; their calls and jobs with them."""
    run(main(1))
    run(incline(1))

    found = graph.filter_task_names(names)

    assert sorted(record.fullname for record in found.filter_types(["Task"]).all()) == expected
    assert sorted(job.task.fullname for job in found.filter_types(["Job"]).all()) == expected
    assert sorted(call.task_name for call in found.filter_types(["CallNode"]).all()) == expected
    assert [kind for kind, _ in found.count()] == ["Execution", "Job", "CallNode", "Task"]


@pytest.mark.usefixtures("two_runs")
def test_executions_of_a_task(graph):
    """Executions are found by the task that they started with."""
    executions = graph.filter_types(["Execution"])

    assert describe(executions.filter_task_names(["main"])) == ["Execution a", "Execution b"]
    assert describe(executions.filter_task_names(["inc"])) == []
    assert describe(graph.filter_task_hashes([fail.hash])) == ["CallNode fail", "Execution c", "Job fail", "Task fail"]


@pytest.mark.usefixtures("two_runs")
def test_arguments_and_results(graph):
    """Calls and their jobs are found by values that they were given or returned."""
    assert describe(graph.filter_arguments([address(1)])) == [
        *(f"CallNode {name}" for name in ("double", "inc", "main")),
        *(f"Job {name}" for name in ("double", "inc", "main")),
    ]
    assert describe(graph.filter_results([address(3), address(4)]).filter_types(["Job"])) == ["Job double", "Job inc"]
    assert describe(graph.filter_arguments([address(1)]).filter_results([address([2, 2])])) == [
        "CallNode main",
        "Job main",
    ]


@pytest.mark.usefixtures("two_runs")
def test_types_of_values(graph):
    """Values are found by the names of their types."""
    assert describe(graph.filter_value_types(["builtins.list"])) == [
        "Value [2, 2]",
        "Value [3, 4]",
        "Value [graph.inc(1), graph.double(1)]",
        "Value [graph.inc(2), graph.double(2)]",
    ]
    assert graph.filter_value_types(["redun.Task", "redun.ErrorValue"]).count() == [("Value", 5)]


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        (["out/a.txt"], ["out/a.txt"]),
        (["out/*"], ["out/a.txt", "out/b.csv"]),
        (["*.txt", "c[1]"], ["c[1]", "out/a.txt"]),
        (["*"], ["c[1]", "out/a.txt", "out/b.csv"]),
        (["c[*"], ["c[1]"]),
        (["OUT/*", "out/a.tx_", "out/%", "out", "out/a*csv"], []),
    ],
)
def test_paths_of_files(graph, run, patterns, expected):
    """Files are found by path, with * for any characters; values that are such files when values are asked for."""
    run([write("out/a.txt"), write("out/b.csv"), write("c[1]")])

    found = graph.filter_file_paths(patterns)

    assert describe(found) == [f"File {path}" for path in expected]
    values = graph.filter_types(["Value", "Job"]).filter_file_paths(patterns)
    assert sorted(value.file.path for value in values.all()) == expected


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        (["team"], ["Job tagged", "Task tagged"]),
        ([("team", "red")], ["Job tagged", "Task tagged"]),
        ([("team", "blue")], []),
        ([("data", {"a": 2, "b": 1})], ["Value 5"]),
        (["n", "data"], ["Value 5"]),
        ([("n", 1), "team"], []),
        ([("n", "1")], []),
        ([], None),
    ],
)
def test_tags(graph, run, tags, expected):
    """Records of any type are found by the tags that they have; values of tags are compared as JSON."""
    run(tagged(5))

    found = describe(graph.filter_tags(tags))

    assert found == (describe(graph) if expected is None else expected)


def test_former_tags_do_not_count(graph, run, backend):
    """A tag that was edited or deleted finds nothing."""
    run(inc(1))
    backend.record_tags("Task", inc.hash, [("a", 1), ("b", 1)])
    backend.record_tags("Task", inc.hash, [("a", 2)], update=True)
    backend.delete_tags(inc.hash, keys=["b"])

    counts = [len(describe(graph.filter_tags([tag]))) for tag in [("a", 1), ("a", 2), "b", "a"]]

    assert counts == [0, 1, 0, 1]


@pytest.mark.usefixtures("two_runs")
def test_order_of_time(graph):
    """Ordered by time, the newest records of all types come first, those without a time last."""
    records = list(graph.order_by("time").all())

    times = [
        record.start_time
        if isinstance(record, Job)
        else record.job.start_time
        if isinstance(record, Execution)
        else record.timestamp
        for record in records
        if not isinstance(record, Task | Value)
    ]
    assert times == sorted(times, reverse=True)
    assert [type(record) for record in records[len(times) :]] == [Task] * 4 + [Value] * (len(records) - len(times) - 4)
    assert len(records) == sum(count for _, count in graph.count())


def test_unknown_order_is_an_error(graph):
    """There is one order to ask for."""
    with pytest.raises(ValueError, match="no order 'size'; use 'time'"):
        graph.order_by("size")


@pytest.mark.usefixtures("two_runs")
def test_pages(graph):
    """Pages hold the records in the order of time, each record on one of them; beyond the last they are empty."""
    expected = list(graph.order_by("time").all())

    pages = [graph.page(number, 4) for number in range(len(expected) // 4 + 2)]

    assert [record for page in pages for record in page] == expected
    assert [len(page) for page in pages[:-2]] == [4] * (len(pages) - 2)
    assert pages[-1] == []


@pytest.mark.usefixtures("two_runs")
def test_pages_load_only_what_is_on_them(graph):
    """A page reads ids and times of what comes before, and the records that are on it."""
    records = graph.page(1, 3)

    assert len(records) == 3
    assert {key[0] for key in set(graph.session.identity_map)} == {type(record) for record in records}
    assert len(graph.session.identity_map) == 3


@pytest.mark.usefixtures("two_runs")
def test_single_records(graph):
    """The first record, so many, or the one that there must be."""
    executions = graph.filter_types(["Execution"])
    one, none = executions.filter_ids(["b" * 36]), executions.filter_ids(["x"])

    assert (one.one().id, one.one_or_none().id, one.first().id) == ("b" * 36,) * 3
    assert (none.one_or_none(), none.first(), list(none.limit(5))) == (None, None, [])
    assert [execution.id[0] for execution in executions.order_by("time").limit(2)] == ["c", "b"]
    with pytest.raises(NoResultFound, match="there is none"):
        none.one()
    with pytest.raises(MultipleResultsFound, match="there are several"):
        executions.one_or_none()


@pytest.mark.usefixtures("two_runs")
def test_columns(graph):
    """Ids and types can be read without the records, as tuples or flat."""
    executions = graph.filter_types(["Execution"]).order_by("time")

    assert list(executions.select("id", flat=True)) == [key * 36 for key in "cba"]
    assert next(executions.select("type", "id")) == ("Execution", "c" * 36)
    assert set(graph.select("type", flat=True)) == set(TYPES)
    assert len(graph.session.identity_map) == 0


@pytest.mark.parametrize(("columns", "flat"), [((), False), (("name",), False), (("id", "type"), True)])
def test_wrong_columns_are_an_error(graph, columns, flat):
    """What is no column can't be selected, nor two as one."""
    with pytest.raises(ValueError, match="can't be selected; use 'id' or 'type'"):
        list(graph.select(*columns, flat=flat))


@pytest.mark.usefixtures("two_runs")
def test_statements(graph):
    """The statements of a query can be had, one for each type, to go on with."""
    statements = graph.filter_task_names(["inc"]).build()

    jobs = graph.session.scalars(statements["Job"].order_by(None).limit(1)).all()
    assert (list(statements), [job.task.name for job in jobs]) == (["Execution", "Job", "CallNode", "Task"], ["inc"])


def test_one_statement_for_each_type(run, graph, backend):
    """A query sends one statement for each type, however many filters it has and records it finds."""
    run([inc(number) for number in range(50)])
    statements = []
    engine = graph.session.get_bind()
    from sqlalchemy import event

    event.listen(engine, "before_cursor_execute", lambda *given: statements.append(given[2]))

    found = list(graph.filter_task_names(["inc"]).filter_types(["Job", "CallNode"]).order_by("time").all())

    assert len(found) == 100
    assert len([statement for statement in statements if statement.startswith("SELECT")]) == 2


def test_records_are_read_piece_by_piece(run, graph, monkeypatch):
    """Of many records no more are loaded than were asked for, and some in advance."""
    monkeypatch.setattr(graph_query, "_ROWS_AT_ONCE", 5)
    run([inc(number) for number in range(100)])

    records = graph.filter_types(["Job"]).order_by("time").all()
    first = next(records)

    assert isinstance(first, Job)
    assert len(graph.session.identity_map) <= 10


@pytest.mark.usefixtures("two_runs")
def test_one_record_is_inferred(graph, run):
    """The record that a user means is found by the start of its id, the name of a task, or a path."""
    run(write("out.txt"))
    session = graph.session

    assert infer_id(session, "aaaa").id == "a" * 36
    assert [infer_id(session, key).hash for key in ("graph.inc", "inc", inc.hash[:12])] == [inc.hash] * 3
    assert infer_id(session, address(4)[:12]).preview == "4"
    assert infer_id(session, "out.txt").path == "out.txt"
    assert infer_id(session, "out.txt", include_files=False) is None
    assert (infer_id(session, "nothing"), infer_id(session, "")) == (None, None)
    with pytest.raises(BackendError, match="nothing is recorded under 'nothing'"):
        infer_id(session, "nothing", required=True)


def test_ambiguous_ids_are_an_error(graph, run):
    """When several records fit, the error names two of them."""
    for number in "12":
        run(inc(1), execution_id=f"abcdef{number}" * 5)

    with pytest.raises(BackendError, match=r"'abcdef' stands for several records, Execution\(.*\) and Execution\("):
        infer_id(graph.session, "abcdef")


def test_files_are_found_with_the_job_that_made_them(graph, run, backend, tmp_path):
    """A file is found with the latest job that made it, or else that read it."""
    (tmp_path / "in").write_text("x")
    run(write("out"))
    run(read(FileValue("in")))

    found = [find_file(graph.session, path) for path in ("out", f"{tmp_path}/in", "gone")]

    assert [(file.path, job.task.name, kind) for file, job, kind in found[:2]] == [
        ("out", "write", "result"),
        ("in", "read", "arg"),
    ]
    assert found[2] is None
    with Session(backend.database.make_engine()) as other, pytest.raises(BackendError, match="the session of a store"):
        find_file(other, "out")
