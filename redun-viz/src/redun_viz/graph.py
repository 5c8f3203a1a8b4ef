"""Graphs as all formats draw them: boxes that stand for jobs, calls, tasks or files, and arrows between them.

A graph of single calls becomes one of tasks by grouping: nodes of one group become one node that counts them, and the
edges between two groups become one edge.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from redun_viz.text import format_count, format_times

STATUSES = ("FAILED", "LOST", "RUNNING", "DONE", "CACHED")
"""What may become of a job; of a group, the first that one of its jobs has counts."""

SYMBOLS: Mapping[str, str] = {"DONE": "✓", "CACHED": "↺", "FAILED": "✗", "RUNNING": "▸", "LOST": "?"}
"""What stands for a status where there is no room for the word, or no colour."""

NodeKind = Literal["job", "call", "task", "file", "files"]
EdgeKind = Literal["call", "argument", "result", "file"]


@dataclass(frozen=True)
class Node:
    """A box.

    Attributes
    ----------
    key
        What edges call it.
    kind
        What it stands for; ``"task"`` and ``"files"`` stand for several.
    label
        Its first line: the name of a task, or the path of a file.
    detail
        Its second line.
    group
        What it is grouped under.
    statuses
        How many jobs it stands for have each status; empty for files.
    job_id
        The job that it stands for, or one of them.
    count
        How many jobs, calls or files it stands for.
    """

    key: str
    kind: NodeKind
    label: str
    detail: str = ""
    group: str = ""
    statuses: Mapping[str, int] = field(default_factory=dict)
    job_id: str | None = None
    count: int = 1

    @property
    def status(self) -> str | None:
        """The status that counts most of those it has; None for files."""
        return next((status for status in STATUSES if self.statuses.get(status)), None)


@dataclass(frozen=True)
class Edge:
    """An arrow from one box to another: a job that made another one, or data that went there."""

    source: str
    target: str
    kind: EdgeKind
    label: str = ""
    count: int = 1

    @property
    def text(self) -> str:
        """What is written along it: its label, and how many it stands for."""
        return " ".join(
            [*([self.label] if self.label else []), *([format_times(self.count)] if self.count > 1 else [])]
        )


@dataclass(frozen=True)
class Graph:
    """Nodes and the edges between them.

    Attributes
    ----------
    name
        What is drawn, in a few words.
    nodes, edges
        The boxes and arrows; both ends of every edge are among the nodes.
    is_tree
        Whether it is drawn as a tree, each node below the one that has an edge to it.
    note
        What the picture leaves out, as a sentence; empty if it leaves out nothing.
    """

    name: str
    nodes: Sequence[Node]
    edges: Sequence[Edge]
    is_tree: bool = False
    note: str = ""


def group(graph: Graph) -> Graph:
    """Return a graph with one node for each group of nodes, in the order in which groups first appear."""
    members: dict[str, list[Node]] = {}
    for node in graph.nodes:
        members.setdefault(node.group, []).append(node)
    groups = {node.key: node.group for node in graph.nodes}
    return Graph(
        f"{graph.name}, by task",
        [_merge_nodes(key, nodes) for key, nodes in members.items()],
        _merge_edges(graph.edges, groups),
        note=graph.note,
    )


def _merge_nodes(key: str, nodes: Sequence[Node]) -> Node:
    first, count = nodes[0], sum(node.count for node in nodes)
    statuses: Counter[str] = Counter()
    for node in nodes:
        statuses.update(node.statuses)
    if first.kind in ("file", "files"):
        first = min(nodes, key=lambda node: node.label)
        detail = f"and {count - 1:,} more" if count > 1 else first.detail
        return Node(key, "files" if count > 1 else "file", first.label, detail, key, {}, first.job_id, count)
    return Node(key, "task", first.label, format_count(count, first.kind), key, statuses, first.job_id, count)


def _merge_edges(edges: Iterable[Edge], groups: Mapping[str, str]) -> list[Edge]:
    merged: dict[tuple[str, str, EdgeKind], tuple[int, dict[str, None]]] = {}
    for edge in edges:
        key = (groups[edge.source], groups[edge.target], edge.kind)
        count, labels = merged.get(key, (0, {}))
        labels.update(dict.fromkeys(edge.label.split(", ") if edge.label else ()))
        merged[key] = count + edge.count, labels
    return [
        Edge(source, target, kind, join_names(labels), count)
        for (source, target, kind), (count, labels) in merged.items()
    ]


def join_names(names: Iterable[str], limit: int = 3) -> str:
    """Return some names in one line, the first ones if they are many.

    Examples
    --------
    >>> join_names(["reads", "index"]), join_names("abcde")
    ('reads, index', 'a, b, c, …')
    """
    found = list(names)
    return ", ".join([*found[:limit], *(["…"] if len(found) > limit else [])])
