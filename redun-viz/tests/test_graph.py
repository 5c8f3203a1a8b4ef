"""Grouping and counting."""

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from redun_viz.graph import Edge, Graph, Node, group
from redun_viz.jobs import Job
from redun_viz.totals import MAX_TASKS, OTHER, PARTS, count_jobs, draw_totals

quick = settings(max_examples=60, deadline=None)
STATUSES = st.sampled_from(["DONE", "CACHED", "FAILED", "RUNNING", "LOST"])


@st.composite
def graphs(draw):
    """Graphs of jobs of a few tasks, with any edges."""
    nodes = [
        Node(str(key), "call", f"task{task}", "", f"task{task}", {status: 1}, f"job{key}")
        for key, (task, status) in enumerate(draw(st.lists(st.tuples(st.integers(0, 3), STATUSES), max_size=15)))
    ]
    keys = st.sampled_from([node.key for node in nodes]) if nodes else st.nothing()
    edges = draw(
        st.lists(st.builds(Edge, keys, keys, st.just("argument"), st.sampled_from(["", "x", "y"])), max_size=20)
    )
    return Graph("Jobs", nodes, edges)


@quick
@given(graphs())
def test_grouping_loses_nothing(graph):
    """A grouped graph counts every job with its status, and every edge, between the groups that they are in."""
    grouped = group(graph)

    statuses = sum((Counter(node.statuses) for node in grouped.nodes), Counter())
    assert sum(node.count for node in grouped.nodes) == len(graph.nodes)
    assert statuses == sum((Counter(node.statuses) for node in graph.nodes), Counter())
    assert sum(edge.count for edge in grouped.edges) == len(graph.edges)
    assert {node.key for node in grouped.nodes} == {node.group for node in graph.nodes}
    groups = {node.key: node.group for node in graph.nodes}
    assert {(edge.source, edge.target) for edge in grouped.edges} == {
        (groups[edge.source], groups[edge.target]) for edge in graph.edges
    }


@quick
@given(graphs())
def test_grouping_twice_is_grouping_once(graph):
    """A grouped graph has groups of one node each."""
    once = group(graph)
    twice = group(once)

    assert [(node.key, node.count) for node in twice.nodes] == [(node.key, node.count) for node in once.nodes]
    assert list(twice.edges) == list(once.edges)


def test_group_has_the_worst_status():
    """A group shows that one of its jobs failed, however many did not."""
    node = Node("a", "task", "a", "", "a", {"DONE": 99, "CACHED": 5, "FAILED": 1})

    assert node.status == "FAILED"


def make_jobs(count, tasks=3):
    """Jobs of some tasks, one after the other, each made by the one before."""
    return [
        (
            Job(str(n), str(n - 1), f"task{n % tasks}", "DONE", float(n), n + 1.0),
            f"task{(n - 1) % tasks}" if n else None,
        )
        for n in range(count)
    ]


def test_totals_count_jobs_by_task():
    """Totals say how many jobs each task has, how long they took, and when."""
    totals = count_jobs(make_jobs(30), 30.0)

    first = totals.tasks["task0"]
    assert {name: total.count for name, total in totals.tasks.items()} == {"task0": 10, "task1": 10, "task2": 10}
    assert (first.seconds, first.first, first.last, first.statuses) == (10.0, 0.0, 28.0, {"DONE": 10})
    assert totals.calls == {("task0", "task1"): 10, ("task1", "task2"): 10, ("task2", "task0"): 9}


def test_totals_say_how_many_jobs_ran_at_a_time():
    """The parts of the time have the number of jobs that ran in them; cached ones ran in none."""
    jobs = [
        (Job("a", None, "t", "DONE", 0.0, 10.0), None),
        (Job("b", None, "t", "RUNNING", 5.0, None), None),
        (Job("c", None, "t", "CACHED", 0.0, 10.0), None),
    ]

    running = count_jobs(jobs, 10.0).tasks["t"].running

    assert len(running) == PARTS
    assert (running[0], running[PARTS // 2 - 1], running[PARTS // 2], running[-1]) == (1, 1, 2, 2)


def test_tasks_beyond_a_number_are_counted_together():
    """With very many tasks, totals stay small, and the graph says that not all are told apart."""
    totals = count_jobs(make_jobs(3 * MAX_TASKS, tasks=3 * MAX_TASKS), 1.0)

    assert len(totals.tasks) == MAX_TASKS + 1
    assert totals.tasks[OTHER].count == 2 * MAX_TASKS
    assert draw_totals(totals).note == f"The first {MAX_TASKS} tasks are told apart."


def test_totals_draw_which_task_made_which():
    """The graph of tasks has an edge for each pair, with how often."""
    graph = draw_totals(count_jobs(make_jobs(4, tasks=2), 4.0))

    assert [(node.key, node.count) for node in graph.nodes] == [("task0", 2), ("task1", 2)]
    assert [(edge.source, edge.target, edge.text) for edge in graph.edges] == [
        ("task0", "task1", "\N{MULTIPLICATION SIGN}2"),
        ("task1", "task0", ""),
    ]
