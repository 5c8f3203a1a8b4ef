"""Screens over large databases: what they cost must not grow with them, beyond counting jobs by index."""

from redun_console.reader import Store
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

SMALL, LARGE = 4_000, 12_000
STEPS_PER_JOB = 8
"""How many steps of SQLite's machine one more job may cost: counting it by index takes some, reading its row many."""


def list_questions(graph):
    """What is asked, by a short description: functions of a store."""
    study, root = graph.make_id("study"), graph.make_id("study", "root")
    reference = graph.address("state", graph.REFERENCE)
    return {
        "executions": lambda store: load_executions(store, ExecutionsRoute(), 20),
        "executions, found": lambda store: load_executions(store, ExecutionsRoute(find="study"), 20),
        "namespaces": lambda store: load_namespaces(store, NamespacesRoute()),
        "wide execution": lambda store: load_execution(store, ExecutionRoute(key=study)),
        "what failed in it": lambda store: load_execution(store, ExecutionRoute(key=study, status=("FAILED",))),
        "its children": lambda store: load_execution(store, ExecutionRoute(key=study, job=root, children=True)),
        "deep execution": lambda store: load_execution(store, ExecutionRoute(key=graph.make_id("descent"))),
        "job with very many below": lambda store: load_job(store, JobRoute(key=root)),
        "failed job": lambda store: load_job(store, JobRoute(key=graph.make_id("study", 13))),
        "tasks": lambda store: load_tasks(store, TasksRoute()),
        "task of half of all jobs": lambda store: load_task_name(store, TaskNameRoute(key="lab.measure")),
        "value of half of all jobs": lambda store: load_value(store, ValueRoute(key=reference)),
        "value returned by very many": lambda store: load_value(store, ValueRoute(key=graph.address("value", 0))),
        "its dataflow": lambda store: load_upstreams(store, UpstreamsRoute(key=graph.address("value", 0))),
        "files": lambda store: load_files(store, FilesRoute()),
        "files by prefix": lambda store: load_files(store, FilesRoute("out/1")),
        "latest jobs": lambda store: load_search(store, SearchRoute(("--job",))),
        "short id": lambda store: resolve(store, parse_route([study[:6]])),
    }


def count_steps(store, question):
    """Return how many steps SQLite's machine takes to answer a question, in hundreds; and the answer."""
    count = 0

    def note():
        nonlocal count
        count += 1

    connection = store.database.connection
    connection.set_progress_handler(note, 100)
    answer = question(store)
    connection.set_progress_handler(None, 0)
    return 100 * count, answer


def test_cost_grows_with_counting_only(open_big_database, bench, monkeypatch):
    """In a database of three times as many jobs no screen costs more, but for counting jobs by index."""
    monkeypatch.setattr("redun_console.views.execution.MAX_COUNTED_BY_TASK", SMALL // 4)
    costs = {}
    for jobs in (SMALL, LARGE):
        with open_big_database(jobs) as backend:
            store = Store(backend)
            for name, question in list_questions(bench[1]).items():
                steps, answer = count_steps(store, question)
                assert answer is not None, name
                costs.setdefault(name, []).append(steps)

    too_high = {
        name: (small, large)
        for name, (small, large) in costs.items()
        if large - small > STEPS_PER_JOB * (LARGE - SMALL)
    }
    assert too_high == {}


def test_wide_execution_leads_to_its_children(open_big_database, bench):
    """Of very many jobs below one the first are shown, and a line leads to all of them, page by page."""
    study, root = bench[1].make_id("study"), bench[1].make_id("study", "root")
    with open_big_database(SMALL) as backend:
        store = Store(backend)
        view = load_execution(store, ExecutionRoute(key=study))
        route = ExecutionRoute(key=study, job=root, children=True, page=3)
        children = load_execution(store, route)

    [rest] = [item for item in view.jobs.items if item.line is None]
    assert (rest.parent_id, rest.depth) == (root, 1)
    assert rest.left_out > 1_000
    assert len(children.jobs.items) == 100
    assert children.jobs.has_more
