"""What is drawn for a wish: which records are read, whether they are grouped, and which writer gets them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from redun.errors import RedunError
from redun_backend_sql.database import Database
from redun_backend_sql.query import count_jobs
from redun_backend_sql.records import JobLine
from redun_viz.dataflow import draw_dataflow
from redun_viz.details import read_details
from redun_viz.dot import write_dot
from redun_viz.graph import Graph, group
from redun_viz.jobs import draw_jobs
from redun_viz.mermaid import write_mermaid
from redun_viz.page import write_page
from redun_viz.read import Recorded, Subject, add_arguments, read_job_lines, read_recorded
from redun_viz.read_dataflow import read_flow, read_flow_by_task
from redun_viz.svg import write_svg
from redun_viz.text import format_count
from redun_viz.timeline import Span, find_critical_path
from redun_viz.totals import draw_totals

FEW_JOBS = 60
"""Up to how many jobs are drawn one by one when nothing is said about that."""

MAX_ONE_BY_ONE = 5_000
"""Up to how many jobs can be drawn one by one."""

PAGE_ONE_BY_ONE = 2_000
"""Up to how many jobs a page can draw one by one when nothing is said about that."""

_WRITERS: Mapping[str, Callable[[Graph], str]] = {"svg": write_svg, "dot": write_dot, "mermaid": write_mermaid}


@dataclass(frozen=True)
class Wish:
    """What a picture is to be like.

    Attributes
    ----------
    form
        ``"svg"``, ``"dot"``, ``"mermaid"`` or ``"html"``.
    graph
        ``"jobs"`` or ``"dataflow"``.
    is_grouped
        Whether jobs are grouped by task; None to let their number decide.
    """

    form: str
    graph: str = "jobs"
    is_grouped: bool | None = None


@dataclass(frozen=True)
class Drawing:
    """A picture as text in pieces, and what is to be said about it."""

    pieces: Iterable[str]
    summary: str


def draw(database: Database, subject: Subject, wish: Wish) -> Drawing:
    """Return a picture.

    Raises
    ------
    RedunError
        When so many jobs can't be drawn one by one.
    """
    if wish.is_grouped is False and subject.is_whole:
        _check_one_by_one(count_jobs(database, subject.execution.id))
    recorded = read_recorded(database, subject)
    if wish.is_grouped is False:
        _check_one_by_one(recorded.job_count)
    if wish.form == "html":
        pieces = _draw_page(database, recorded, wish)
        return Drawing(pieces, f"{_count(recorded)}.")
    key = _name_graph(recorded, wish)
    needs_lines = recorded.is_complete and key != "jobs-task"
    lines = read_job_lines(database, recorded) if needs_lines else ()
    graph = _draw_graphs(database, recorded, lines, [key])[key]
    how = ", grouped by task" if key.endswith("task") else ""
    return Drawing([_WRITERS[wish.form](graph)], f"{_count(recorded)}{how}.")


def _check_one_by_one(count: int) -> None:
    """Refuse to draw too many jobs one by one."""
    if count > MAX_ONE_BY_ONE:
        raise RedunError(
            f"{format_count(count, 'job')} can't be drawn one by one, at most {MAX_ONE_BY_ONE:,} can: "
            "leave --no-group out, and they are grouped by task"
        )


def _count(recorded: Recorded) -> str:
    return f"{format_count(recorded.job_count, 'job')} of {format_count(len(recorded.totals.tasks), 'task')}"


def _name_graph(recorded: Recorded, wish: Wish) -> str:
    is_grouped = recorded.job_count > FEW_JOBS if wish.is_grouped is None else wish.is_grouped
    return f"{wish.graph}-{'task' if is_grouped else 'call'}"


def _draw_graphs(
    database: Database, recorded: Recorded, lines: Sequence[JobLine], keys: Sequence[str]
) -> Mapping[str, Graph]:
    """Return some of the four graphs: of jobs or of dataflow, by task or by call."""
    by_task = draw_totals(recorded.totals)
    graphs = {"jobs-task": by_task}
    if not recorded.is_complete:
        graphs["dataflow-task"] = read_flow_by_task(database, recorded.subject.execution.id, by_task)
    elif lines:
        tree = graphs["jobs-call"] = draw_jobs(add_arguments(recorded, lines).jobs)
        if any(key.startswith("dataflow") for key in keys):
            calls = read_flow(database, lines, {node.key: node.detail for node in tree.nodes})
            flow = graphs["dataflow-call"] = draw_dataflow(calls)
            graphs["dataflow-task"] = group(flow)
    return {key: graphs.get(key, Graph("Nothing", [], [])) for key in keys}


def _draw_page(database: Database, recorded: Recorded, wish: Wish) -> Iterable[str]:
    lines = read_job_lines(database, recorded)
    limit = MAX_ONE_BY_ONE if wish.is_grouped is False else PAGE_ONE_BY_ONE
    keys = ["jobs-task", "dataflow-task"]
    if recorded.job_count <= limit and wish.is_grouped is not True:
        keys += ["jobs-call", "dataflow-call"]
    return write_page(
        recorded,
        read_details(database, recorded, lines),
        _draw_graphs(database, recorded, lines, keys),
        _name_graph(recorded, wish),
        _find_path(recorded),
    )


def _find_path(recorded: Recorded) -> Sequence[Span] | None:
    """Return the critical path; None where some jobs are not known, or the first one is not."""
    root = recorded.subject.root
    if root is None or not recorded.is_complete or root.id not in {job.id for job in recorded.jobs}:
        return None
    return find_critical_path(recorded.jobs, root.id, recorded.seconds)
