"""Graphs in DOT, the language of Graphviz: to be laid out by `dot`, or edited."""

from __future__ import annotations

from collections.abc import Iterator

from redun_viz.graph import SYMBOLS, Graph, Node
from redun_viz.text import cut

LABEL_LENGTH, DETAIL_LENGTH = 60, 80

_COLORS = {"DONE": "#1a7f37", "CACHED": "#0969da", "FAILED": "#cf222e", "RUNNING": "#9a6700", "LOST": "#8250df"}
_FILE_COLOR = "#6e5494"
_STYLES = {"call": "solid", "argument": "solid", "result": "dashed", "file": "solid"}


def write_dot(graph: Graph) -> str:
    """Return a graph in DOT. What users wrote stands in quoted strings only."""
    numbers = {node.key: number for number, node in enumerate(graph.nodes)}
    lines = [
        f"digraph {_quote(graph.name)} {{",
        "  rankdir=LR;",
        '  node [shape=box, style=rounded, fontname="sans-serif", fontsize=11];',
        '  edge [fontname="sans-serif", fontsize=9, color="#8c959f"];',
        *([f"  label={_quote(graph.note)};"] if graph.note else []),
        *(f"  n{numbers[node.key]} [{', '.join(_describe(node))}];" for node in graph.nodes),
    ]
    for edge in graph.edges:
        attributes = [f"style={_STYLES[edge.kind]}", *([f"label={_quote(edge.text)}"] if edge.text else [])]
        lines.append(f"  n{numbers[edge.source]} -> n{numbers[edge.target]} [{', '.join(attributes)}];")
    return "\n".join([*lines, "}", ""])


def _describe(node: Node) -> Iterator[str]:
    status = node.status
    label = cut(node.label, LABEL_LENGTH) + (f" {SYMBOLS[status]}" if status else "")
    detail = cut(node.detail, DETAIL_LENGTH)
    yield f"label={_quote(label + chr(10) + detail if detail else label)}"
    yield f'color="{_COLORS[status] if status else _FILE_COLOR}"'
    if not status:
        yield "shape=note"
    if node.job_id:
        yield f"id={_quote(f'job-{node.job_id}')}"


def _quote(text: str) -> str:
    r"""Return a quoted string; what starts an escape or an entity in Graphviz's labels, ``\`` or ``&``, is escaped."""
    shown = "\n".join(cut(line, 1_000) for line in text.split("\n"))
    return '"' + shown.replace("&", "&amp;").replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
