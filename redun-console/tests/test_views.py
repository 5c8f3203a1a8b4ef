"""What the screens show, as data."""

import pytest

from redun_console.routes import (
    ExecutionRoute,
    ExecutionsRoute,
    FilesRoute,
    JobRoute,
    NamespacesRoute,
    SearchRoute,
    TaskNameRoute,
    TaskRoute,
    TasksRoute,
    UpstreamsRoute,
    ValueRoute,
)
from redun_console.views.execution import load_execution
from redun_console.views.executions import load_executions, load_namespaces
from redun_console.views.files import load_files
from redun_console.views.job import load_job
from redun_console.views.search import load_search
from redun_console.views.tasks import load_task, load_task_name, load_tasks
from redun_console.views.values import load_upstreams, load_value

EXECUTION = "1aaaaaaa-0000-4000-8000-000000000001"
FAILED = "2aaaaaaa-0000-4000-8000-000000000002"
ROOT = "1bbbbbbb-0000-4000-8000-000000000001"


def list_ids(view):
    return [item.execution.id[0] for item in view.page.items]


def list_calls(view):
    return [(item.depth, item.line.job.id[0], item.line.job.task_name) for item in view.jobs.items]


@pytest.mark.parametrize(
    ("route", "expected"),
    [
        (ExecutionsRoute(), "321"),
        (ExecutionsRoute(id="2aa"), "2"),
        (ExecutionsRoute(namespace="lab"), "321"),
        (ExecutionsRoute(namespace="la"), ""),
        (ExecutionsRoute(find="MAIN --n 8"), "2"),
        (ExecutionsRoute(find="lab.main"), "321"),
        (ExecutionsRoute(find="%"), ""),
    ],
)
def test_executions_are_filtered(store, route, expected):
    """Executions are found by the start of their ids, by the namespace, and by command or task in any letters."""
    assert list_ids(load_executions(store, route, 10)) == list(expected)


@pytest.mark.parametrize("find", ["", "main"])
def test_executions_come_in_pages(store, find):
    """A page has as many executions as asked for, and tells whether there are more."""
    pages = [load_executions(store, ExecutionsRoute(find=find, page=page), 2) for page in (1, 2, 3)]

    assert [(list_ids(view), view.page.has_more) for view in pages] == [(["3", "2"], True), (["1"], False), ([], False)]
    assert pages[2].is_any_recorded


def test_namespaces_are_counted_and_sorted(store, recorder):
    """Namespaces are listed with how many executions they have, by time, name or number."""
    task = recorder.task("zip", "def zip(): ...", "archive")
    recorder.execution(4, '["redun", "run"]', 11)
    recorder.job(11, 4, task, 20_000, 20_001)
    recorder.execution(5, '["redun", "run"]', 99)

    views = [load_namespaces(store, NamespacesRoute(sort)) for sort in ("time", "namespace", "count")]

    assert [[item.namespace for item in view.page.items] for view in views] == [
        ["archive", "lab", ""],
        ["", "archive", "lab"],
        ["lab", "", "archive"],
    ]


def test_jobs_of_an_execution_are_a_tree(store):
    """An execution is shown with the tree of its jobs, counted by task and status."""
    view = load_execution(store, ExecutionRoute(key=EXECUTION))

    assert list_calls(view)[:3] == [(0, "1", "lab.main"), (1, "2", "lab.clean"), (1, "3", "lab.clean")]
    assert {task.fullname: task.counts["CACHED"] for task in view.tasks} == {
        "lab.clean": 2,
        "lab.measure": 0,
        "lab.main": 0,
        "lab.write": 0,
    }
    assert view.counts == {"DONE": 4, "CACHED": 2, "FAILED": 0, "RUNNING": 0}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"status": ("CACHED",)}, "23"),
        ({"status": ("DONE",), "task": ("lab.measure", "lab.write")}, "456"),
        ({"status": ("CACHED", "DONE"), "task": ("clean",)}, "23"),
        ({"task": ("lab.nothing",)}, ""),
        ({"status": ("FAILED",)}, ""),
        ({"status": ("RUNNING",)}, ""),
        ({"job": ROOT, "status": ("CACHED",)}, "23"),
        ({"job": ROOT, "task": ("write",)}, "6"),
        ({"job": ROOT, "children": True}, "23456"),
        ({"job": "6bbbbbbb-0000-4000-8000-000000000006"}, "6"),
    ],
)
def test_jobs_of_an_execution_are_filtered(store, changes, expected):
    """Jobs are chosen by status, by task, and by the job that they are below."""
    view = load_execution(store, ExecutionRoute(key=EXECUTION, **changes))

    assert [item.line.job.id[0] for item in view.jobs.items] == list(expected)


def test_failed_and_running_jobs_are_found(store):
    """Jobs that failed and jobs that run are found in their executions alone."""
    failed = load_execution(store, ExecutionRoute(key=FAILED, status=("FAILED",)))
    running = load_execution(store, ExecutionRoute(key="3aaaaaaa-0000-4000-8000-000000000003", status=("RUNNING",)))
    both = load_execution(store, ExecutionRoute(key=FAILED, status=("FAILED", "RUNNING")))

    assert [item.line.job.id[0] for item in failed.jobs.items] == ["8", "7"]
    assert [item.line.job.id[:2] for item in running.jobs.items] == ["9b", "10"]
    assert {item.line.job.id[0] for item in both.jobs.items} == {"7", "8"}


def test_execution_without_jobs_is_shown(store, recorder):
    """An execution whose jobs are missing, as after a kill before the first was recorded, is shown as failed."""
    recorder.execution(4, "damaged", 99)

    view = load_execution(store, ExecutionRoute(key="4aaaaaaa-0000-4000-8000-000000000004"))

    assert (view.execution.status, list(view.jobs.items), sum(view.counts.values())) == ("FAILED", [], 0)


def test_job_is_shown_with_its_arguments_by_name(store):
    """A job has its arguments by the names of the parameters, its result, why it ran, and the jobs below it."""
    job = load_job(store, JobRoute(key="6bbbbbbb-0000-4000-8000-000000000006", why=True))
    root = load_job(store, JobRoute(key=ROOT))

    assert [(argument.name, argument.value.preview) for argument in job.arguments] == [
        ("values", "[0.5, 1.0]"),
        ("path", "'out/report.csv'"),
    ]
    assert [above.id for above in job.ancestors] == [ROOT]
    assert [line.job.id[0] for line in root.children.items] == list("23456")
    assert job.reason[0].startswith("It ran")
    assert root.reason == []


def test_failed_job_has_its_error(store):
    """A job that failed has the error, one that runs has no call."""
    failed = load_job(store, JobRoute(key="8bbbbbbb-0000-4000-8000-000000000008"))
    running = load_job(store, JobRoute(key="9bbbbbbb-0000-4000-8000-000000000009", why=True))

    assert failed.error[-1] == "ValueError('no sample 7')"
    assert (running.call, list(running.arguments), running.result) == (None, [], None)
    assert running.reason == ["It has no call: it has not ended, or failed before its arguments were known."]


@pytest.mark.parametrize(
    ("route", "expected"),
    [
        (TasksRoute(), ["lab.clean", "lab.main", "lab.measure", "lab.write"]),
        (TasksRoute(find="MEA"), ["lab.measure"]),
        (TasksRoute(find="b.m"), ["lab.main", "lab.measure"]),
        (TasksRoute(find="_"), []),
        (TasksRoute(namespace="lab", find="clean"), ["lab.clean"]),
        (TasksRoute(namespace="other"), []),
        (TasksRoute(page=2), []),
    ],
)
def test_tasks_are_listed_by_name(store, route, expected):
    """Tasks are listed by name once, and found by a part of it and by their namespace."""
    assert [item.fullname for item in load_tasks(store, route).page.items] == expected


def test_definitions_of_a_task_are_listed(store):
    """A task has its definitions, that which was used last first, and their latest jobs."""
    view = load_task_name(store, TaskNameRoute(key="lab.clean"))

    newest, older = (definition.task for definition in view.definitions)
    assert ("x + 1" in newest.source, "x + 1" in older.source) == (False, True)
    assert [line.job.id[:2] for line in view.jobs] == ["10", "3b", "2b"]
    assert [line.job.id[:2] for line in load_task(store, TaskRoute(key=older.hash)).jobs] == ["3b", "2b"]


def test_value_is_shown_with_who_made_and_got_it(store):
    """A value has the job that made it, the one that received it, what is inside of it and what it is inside of."""
    [[half]] = store.database.select("SELECT value_hash FROM call_node WHERE task_name = 'lab.measure' LIMIT 1")

    view = load_value(store, ValueRoute(key=half))

    assert view.maker.job.task_name == "lab.measure"
    assert view.reader.job.task_name == "lab.write"
    assert [value.preview for value in view.around] == ["[0.5, 1.0]"]
    inside = load_value(store, ValueRoute(key=view.around[0].value_hash)).inside
    assert sorted(value.preview for value in inside) == ["0.5", "1.0"]


def test_dataflow_behind_a_file_is_walked(store):
    """The dataflow behind a file leads to the calls that it came through."""
    [[report]] = store.database.select("SELECT value_hash FROM call_node WHERE task_name = 'lab.write'")

    view = load_upstreams(store, UpstreamsRoute(key=report))

    steps = [step for section in view.dataflow.sections for step in section.steps]
    assert any("lab.write(values, path)" in step for step in steps)
    assert any("lab.measure" in step for step in steps)


def test_files_are_listed_by_path(store):
    """Files are listed by path, each once with its latest state, and found by how the path starts."""
    everything = load_files(store, FilesRoute()).page.items
    some = load_files(store, FilesRoute("in/")).page.items

    assert [(item.path, item.states) for item in everything] == [
        *((f"in/sample{number}.txt", 1) for number in range(3)),
        ("out/report.csv", 2),
    ]
    assert some == everything[:3]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("--job", "--job-status", "FAILED"), ["Job 7bbbbbbb", "Job 8bbbbbbb"]),
        (("--task", "--task-name", "cl*"), ["Task", "Task"]),
        (("--file-path", "in/*"), ["File", "File", "File"]),
        (("--exec", "-t", "user=grace"), ["Exec 2aaaaaaa"]),
        (("4bbb",), ["Job 4bbbbbbb"]),
        ((), ["Exec 3aaaaaaa", "Exec 2aaaaaaa", "Exec 1aaaaaaa"]),
        (("--tag", "no=where"), []),
    ],
)
def test_search_finds_what_the_log_selects(store, words, expected):
    """A search takes an id, or the options of `redun log`, and finds the same."""
    found = load_search(store, SearchRoute(words)).page.items

    assert len(found) == len(expected)
    assert sorted(item.text[: len(start)] for item, start in zip(found, expected, strict=True)) == sorted(expected)


@pytest.mark.parametrize(
    ("load", "route"),
    [
        (load_execution, ExecutionRoute(key="x")),
        (load_job, JobRoute(key="x")),
        (load_task, TaskRoute(key="x")),
        (load_task_name, TaskNameRoute(key="x")),
        (load_value, ValueRoute(key="x")),
        (load_upstreams, UpstreamsRoute(key="x")),
    ],
)
def test_what_is_not_there_is_none(store, load, route):
    """A record that is not in the database, or not any more, is answered by None."""
    assert load(store, route) is None
