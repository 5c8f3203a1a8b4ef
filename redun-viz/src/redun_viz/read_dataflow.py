"""The calls of jobs, with what is needed to draw how data flowed between them, read from the store."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from itertools import islice

from redun_backend_sql.database import Database
from redun_backend_sql.parameters import Parameters, parse_parameters
from redun_backend_sql.records import JobLine, Place, read_calls, read_places, read_tasks
from redun_viz.dataflow import Argument, Call, File
from redun_viz.graph import Edge, Graph, Node
from redun_viz.text import format_count

MAX_ROWS = 200_000
"""How many references between calls are read, of each kind."""

MAX_FILES = 100
"""How many files of one value are drawn."""

_UPSTREAM = "SELECT arg_hash, result_call_hash FROM argument_result WHERE arg_hash IN ({keys})"
_CHILDREN = "SELECT parent_id, child_id FROM call_edge WHERE parent_id IN ({keys}) ORDER BY parent_id, call_order"
_FILES = "SELECT value_hash, value_hash, path FROM file WHERE value_hash IN ({keys})"
_FILES_INSIDE = (
    "SELECT subvalue.parent_value_hash, file.value_hash, file.path FROM subvalue "
    "JOIN file ON file.value_hash = subvalue.value_hash WHERE subvalue.parent_value_hash IN ({keys})"
)
_BY_TASK = (
    "SELECT maker.task_hash, job.task_hash, count(*) FROM job "
    "JOIN argument ON argument.call_hash = job.call_hash "
    "JOIN argument_result ON argument_result.arg_hash = argument.arg_hash "
    "JOIN call_node AS maker ON maker.call_hash = argument_result.result_call_hash "
    "WHERE job.execution_id = ? GROUP BY maker.task_hash, job.task_hash"
)


def read_flow(database: Database, lines: Sequence[JobLine], details: Mapping[str, str]) -> Sequence[Call]:
    """Return the calls of some jobs, each once.

    Parameters
    ----------
    database
        The database.
    lines
        The jobs.
    details
        What is to be written into the box of a job's call, by the id of the job.
    """
    jobs = {line.job.call_hash: line.job for line in reversed(lines) if line.job.call_hash is not None}
    calls = read_calls(database, list(jobs)[::-1])
    places = read_places(database, [call.call_hash for call in calls])
    tasks = read_tasks(database, list({call.task_hash for call in calls}))
    parameters = {task.hash: parse_parameters(task.source) for task in tasks}
    given = {place.value_hash for found in places.values() for place in found}
    files = _read_files(database, given | {call.value_hash for call in calls})
    upstream = _collect(database, _UPSTREAM, [place.arg_hash for found in places.values() for place in found])
    children = _collect(database, _CHILDREN, [call.call_hash for call in calls])
    return [
        Call(
            call.call_hash,
            jobs[call.call_hash].id,
            call.task_name,
            details.get(jobs[call.call_hash].id, ""),
            jobs[call.call_hash].status,
            call.value_hash,
            files.get(call.value_hash, ()),
            [
                Argument(
                    name_place(parameters.get(call.task_hash, Parameters()), place),
                    place.value_hash,
                    upstream.get(place.arg_hash, ()),
                    files.get(place.value_hash, ()),
                )
                for place in places[call.call_hash]
            ],
            children.get(call.call_hash, ()),
        )
        for call in calls
    ]


def name_place(parameters: Parameters, place: Place) -> str:
    """Return the name of an argument."""
    return place.key if place.key is not None else parameters.name_position(place.position or 0)


def _collect(database: Database, statement: str, keys: Collection[str]) -> Mapping[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for key, value in islice(database.iterate_in(statement, list(dict.fromkeys(keys))), MAX_ROWS):
        found[key].append(value)
    return found


def _read_files(database: Database, values: Collection[str]) -> Mapping[str, list[File]]:
    found: dict[str, list[File]] = defaultdict(list)
    for statement in (_FILES, _FILES_INSIDE):
        for key, address, path in islice(database.iterate_in(statement, list(values)), MAX_ROWS):
            if len(found[key]) < MAX_FILES:
                found[key].append(File(address, path))
    return found


def read_flow_by_task(database: Database, execution_id: str, by_task: Graph) -> Graph:
    """Return between which tasks data flowed in an execution, however many jobs it has.

    Parameters
    ----------
    database
        The database.
    execution_id
        The execution.
    by_task
        The graph of which task made which: its tasks are those that are drawn.
    """
    rows = database.select(_BY_TASK, execution_id)
    tasks = read_tasks(database, list({key for source, target, _ in rows for key in (source, target)}))
    names = {task.hash: task.fullname for task in tasks}
    counts: dict[tuple[str, str], int] = defaultdict(int)
    for source, target, count in rows:
        counts[names.get(source, source[:8]), names.get(target, target[:8])] += int(count)
    nodes = {node.key: node for node in by_task.nodes}
    for name in {name for pair in counts for name in pair} - set(nodes):
        nodes[name] = Node(name, "task", name, "", name, {}, None, 0)
    edges = [Edge(source, target, "argument", "", count) for (source, target), count in counts.items()]
    count = format_count(sum(node.count for node in by_task.nodes), "job")
    note = f"Of {count} arrows go from what returned data to what was given it; files are not drawn."
    return Graph("Dataflow, by task", list(nodes.values()), edges, note=note)
