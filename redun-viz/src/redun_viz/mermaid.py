"""Graphs in the language of Mermaid, which many wikis and code hosts draw."""

from __future__ import annotations

import re
from collections.abc import Sequence

from redun_viz.graph import SYMBOLS, Graph, Node
from redun_viz.text import cut

LABEL_LENGTH, DETAIL_LENGTH = 60, 80

_SPECIAL = re.compile(r"[^\w\s.,()=+:/?\u00b7\u00d7\u2713\u21ba\u2717\u25b8\u2026-]", re.ASCII)
_ARROWS = {"call": "-->", "argument": "-->", "result": "-.->", "file": "-->"}
_CLASSES = (
    "classDef done stroke:#1a7f37",
    "classDef cached stroke:#0969da",
    "classDef failed stroke:#cf222e,stroke-width:2px",
    "classDef running stroke:#9a6700",
    "classDef lost stroke:#8250df",
    "classDef file stroke:#6e5494,stroke-dasharray:3 2",
)


def write_mermaid(graph: Graph) -> str:
    """Return a graph as a flowchart of Mermaid. What users wrote stands in quotes, its special characters as codes."""
    numbers = {node.key: number for number, node in enumerate(graph.nodes)}
    lines = ["flowchart LR", *([f"  %% {_escape(cut(graph.note, 200))}"] if graph.note else [])]
    lines += [f'  n{numbers[node.key]}["{_write_label(node)}"]' for node in graph.nodes]
    for edge in graph.edges:
        shown = f'|"{_escape(cut(edge.text, LABEL_LENGTH))}"|' if edge.text else ""
        lines.append(f"  n{numbers[edge.source]} {_ARROWS[edge.kind]}{shown} n{numbers[edge.target]}")
    lines += [f"  {line}" for line in _CLASSES]
    for name, members in _classify(graph.nodes, numbers).items():
        lines.append(f"  class {','.join(members)} {name}")
    return "\n".join([*lines, ""])


def _write_label(node: Node) -> str:
    status = node.status
    label = _escape(cut(node.label, LABEL_LENGTH) + (f" {SYMBOLS[status]}" if status else ""))
    detail = _escape(cut(node.detail, DETAIL_LENGTH))
    return f"{label}<br/>{detail}" if detail else label


def _classify(nodes: Sequence[Node], numbers: dict[str, int]) -> dict[str, list[str]]:
    members: dict[str, list[str]] = {}
    for node in nodes:
        members.setdefault((node.status or "file").lower(), []).append(f"n{numbers[node.key]}")
    return members


def _escape(text: str) -> str:
    """Return a text with everything that Mermaid, Markdown or HTML gives a meaning to as its code."""
    return _SPECIAL.sub(lambda match: f"#{ord(match[0])};", text)
