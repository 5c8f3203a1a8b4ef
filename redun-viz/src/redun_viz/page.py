"""Executions as a page: one HTML file that opens from disk, asks nothing of a network, and shows everything at once.

The page's own program and style are files in `page/`, the data is JSON in the middle. A browser is told to load nothing
else, and to run no other program than this one, whatever the data holds.
"""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from html import escape
from typing import Any

from redun._version import __version__
from redun_viz.details import Details
from redun_viz.graph import SYMBOLS, Graph
from redun_viz.layout import Box, lay_out
from redun_viz.read import MAX_JOBS, Recorded
from redun_viz.svg import MAX_NAME, find_name_place, read_asset, write_path
from redun_viz.text import cut, format_count, make_printable
from redun_viz.timeline import Span

_STYLES = ("graph.css", "page.css")
_SCRIPTS = ("dom.js", "model.js", "graph.js", "timeline.js", "table.js", "detail.js", "main.js")
_PLACE = re.compile(r"\{\{(\w+)\}\}")


def write_page(
    recorded: Recorded, details: Details, graphs: Mapping[str, Graph], first: str, path: Sequence[Span] | None
) -> Iterator[str]:
    """Yield a page piece by piece.

    Parameters
    ----------
    recorded
        What is shown.
    details
        What is known of each job beside that.
    graphs
        The graphs, by what they are of and of what grain: ``"jobs-task"``, ``"dataflow-task"``, and, if jobs can be
        drawn one by one, ``"jobs-call"`` and ``"dataflow-call"``.
    first
        The name of the graph that is shown first.
    path
        The critical path; None if it is not known.
    """
    style = "".join(map(read_asset, _STYLES))
    script = '"use strict";\n' + "".join(map(read_asset, _SCRIPTS))
    pieces = {
        "title": escape(make_printable(f"{recorded.subject.name}: {details.command or 'redun'}")),
        "policy": _write_policy(script, style),
        "style": style,
        "script": script,
        "data": _write_json(_describe(recorded, details, graphs, first, path)),
    }
    # In one go, so that what stands in the data is not taken for a place to fill.
    position = 0
    template = read_asset("page.html")
    for match in _PLACE.finditer(template):
        yield template[position : match.start()]
        yield pieces[match[1]]
        position = match.end()
    yield template[position:]


def _write_policy(script: str, style: str) -> str:
    """Return the content security policy: nothing but this very program and style, and no network."""
    own = [b64encode(sha256(text.encode()).digest()).decode() for text in (script, style)]
    return (
        f"default-src 'none'; script-src 'sha256-{own[0]}'; style-src 'sha256-{own[1]}'; "
        "base-uri 'none'; form-action 'none'"
    )


def _write_json(data: Any) -> str:
    """Return data as JSON that nothing in HTML takes for the end of a script or the start of a comment."""
    text = json.dumps(data, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _describe(
    recorded: Recorded, details: Details, graphs: Mapping[str, Graph], first: str, path: Sequence[Span] | None
) -> Mapping[str, Any]:
    numbers = {job.id: number for number, job in enumerate(recorded.jobs)}
    tasks = {name: number for number, name in enumerate(dict.fromkeys([*recorded.totals.tasks, *_tasks(recorded)]))}
    subject = recorded.subject
    return {
        "version": __version__,
        "name": subject.name,
        "id": subject.id,
        "execution": subject.execution.id,
        "isWhole": subject.is_whole,
        "status": subject.root.status if not subject.is_whole and subject.root else subject.execution.status,
        "command": make_printable(details.command),
        "tags": details.tags.get(subject.execution.id, ()),
        "started": round(recorded.started.timestamp() * 1000),
        "seconds": _round(recorded.seconds),
        "symbols": SYMBOLS,
        "jobCount": recorded.job_count,
        "note": _describe_cut(recorded),
        "tasks": [make_printable(name) for name in tasks],
        "sources": {tasks[name]: source for name, source in details.sources.items() if name in tasks},
        "totals": [
            [
                tasks[name],
                total.count,
                total.statuses,
                _round(total.seconds),
                _round(total.first if total.count else 0.0),
                _round(total.last),
                total.running,
            ]
            for name, total in recorded.totals.tasks.items()
        ],
        "jobs": [
            [
                job.id,
                numbers.get(job.parent_id or ""),
                tasks[job.task],
                job.status,
                _round(job.start),
                None if job.end is None else _round(job.end),
                details.arguments.get(job.id, ()),
                details.results.get(job.id),
                details.errors.get(job.id),
                details.tags.get(job.id, ()),
            ]
            for job in recorded.jobs
        ],
        "errors": details.tracebacks,
        "path": None
        if path is None
        else [[numbers[span.job_id], _round(span.start), _round(span.end)] for span in path],
        "noPath": _explain_missing_path(recorded) if path is None else "",
        "graphs": {key: _describe_graph(graph, numbers, tasks) for key, graph in graphs.items()},
        "first": first,
    }


def _tasks(recorded: Recorded) -> Iterator[str]:
    return (job.task for job in recorded.jobs)


def _describe_cut(recorded: Recorded) -> str:
    if recorded.is_complete:
        return ""
    return (
        f"{format_count(recorded.job_count, 'job')} are too many to be listed: totals and graphs count all of them; "
        f"{format_count(len(recorded.jobs), 'job')} are listed, those that failed first and those that took longest."
    )


def _explain_missing_path(recorded: Recorded) -> str:
    if recorded.is_complete:
        return "There is no critical path, because the first job is not recorded."
    return (
        "The critical path is not known: finding it takes all jobs, and of more than "
        f"{MAX_JOBS:,} only some are listed. "
        "A page of one job, redun viz JOB, has the path of what is below it, if that is fewer jobs."
    )


def _describe_graph(graph: Graph, numbers: Mapping[str, int], tasks: Mapping[str, int]) -> Mapping[str, Any]:
    layout = lay_out(graph)
    index = {box.node.key: number for number, box in enumerate(layout.boxes)}
    return {
        "name": graph.name,
        "note": graph.note,
        "width": round(layout.width),
        "height": round(layout.height),
        "boxes": [_describe_box(box, numbers, tasks) for box in layout.boxes],
        "arrows": [
            [
                write_path(arrow.points),
                arrow.edge.kind,
                cut(arrow.edge.text, MAX_NAME),
                *(round(number, 1) for number in find_name_place(arrow)),
                index[arrow.edge.source],
                index[arrow.edge.target],
            ]
            for arrow in layout.arrows
        ],
    }


def _describe_box(box: Box, numbers: Mapping[str, int], tasks: Mapping[str, int]) -> Sequence[Any]:
    node = box.node
    return [
        node.kind,
        *(round(number, 1) for number in (box.x, box.y, box.width, box.height)),
        box.label,
        box.detail,
        make_printable(node.label),
        node.status,
        None if node.kind == "task" else numbers.get(node.job_id or ""),
        None if node.kind in ("file", "files") else tasks.get(node.label),
        node.count,
    ]


def _round(seconds: float) -> float:
    return round(seconds, 6)
