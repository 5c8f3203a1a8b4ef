"""Where boxes and arrows of a graph are drawn: in columns, from left to right.

A tree is laid out exactly: leaves one below the other, and each box in the middle of those to its right. Other graphs
are laid out in layers (Sugiyama's method): arrows that close a circle are turned round, each box gets a column to the
right of those with arrows to it, long arrows get a place to pass in every column between, boxes in a column are ordered
by where their neighbours are, and moved as near to them as there is room. Nothing recurses, and the work grows about
with the number of arrows.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from redun_viz.graph import Edge, Graph, Node
from redun_viz.text import cut, format_times

MIN_WIDTH = 90.0
"""How wide a box is at least."""

HEIGHT, GAP, COLUMN_GAP, MARGIN = 40.0, 14.0, 64.0, 16.0
LABEL_LENGTH, DETAIL_LENGTH = 40, 48
_LABEL_WIDTH, _DETAIL_WIDTH = 8.1, 6.4
_LABEL_ROOM, _DETAIL_ROOM = 44.0, 26.0
_SWEEPS = 8
_MAX_PASSES = 20_000

Point = tuple[float, float]


class Box(NamedTuple):
    """A node with its place: the upper left corner, the size, and the lines that fit in."""

    node: Node
    x: float
    y: float
    width: float
    height: float
    label: str
    detail: str


class Arrow(NamedTuple):
    """An edge with the points that it goes through."""

    edge: Edge
    points: Sequence[Point]


@dataclass(frozen=True)
class Layout:
    """A graph with places, and how large it is."""

    boxes: Sequence[Box]
    arrows: Sequence[Arrow]
    width: float
    height: float


def lay_out(graph: Graph) -> Layout:
    """Return where the boxes and arrows of a graph are drawn.

    An edge from a node to itself gets no arrow; the node's box says that.
    """
    edges = [edge for edge in graph.edges if edge.source != edge.target]
    columns = _Columns([node.key for node in graph.nodes], edges)
    rows = _place_tree(columns) if graph.is_tree else _place_layers(columns)
    return _draw(graph, edges, columns, rows)


class _Columns:
    """Which column each node is in, and the ways of arrows through the columns between, as keys of places to pass."""

    def __init__(self, keys: Sequence[str], edges: Sequence[Edge]) -> None:
        self.keys = list(keys)
        self.turned = _find_turned(keys, edges)
        forward = [(e.target, e.source) if e in self.turned else (e.source, e.target) for e in edges]
        self.column = _assign_columns(keys, forward)
        self.ways: list[list[str]] = []
        has_passes = sum(self.column[b] - self.column[a] - 1 for a, b in forward) <= _MAX_PASSES
        for index, (source, target) in enumerate(forward):
            between = range(self.column[source] + 1, self.column[target]) if has_passes else ()
            passes = [f"\0{index} {column}" for column in between]  # No key of a node has this character.
            self.column.update(zip(passes, between, strict=True))
            self.ways.append([source, *passes, target])

    def is_pass(self, key: str) -> bool:
        return key.startswith("\0")

    def list_columns(self) -> list[list[str]]:
        found: list[list[str]] = [[] for _ in range(max(self.column.values(), default=-1) + 1)]
        for key, column in self.column.items():
            found[column].append(key)
        return found

    def list_neighbours(self) -> tuple[Mapping[str, list[str]], Mapping[str, list[str]]]:
        """Return the places to the left and to the right of each that an arrow leads to."""
        left: dict[str, list[str]] = defaultdict(list)
        right: dict[str, list[str]] = defaultdict(list)
        for way in self.ways:
            for source, target in pairwise(way):
                right[source].append(target)
                left[target].append(source)
        return left, right


def _find_turned(keys: Sequence[str], edges: Sequence[Edge]) -> set[Edge]:
    """Return the edges that lead back to where a walk came from; without them there are no circles."""
    out: dict[str, list[Edge]] = defaultdict(list)
    for edge in edges:
        out[edge.source].append(edge)
    turned: set[Edge] = set()
    state: dict[str, bool] = {}  # True while the walk is below a node.
    entered = {edge.target for edge in edges}
    for start in sorted(keys, key=lambda key: key in entered):
        stack: list[tuple[str, Iterator[Edge]]] = []
        if start not in state:
            state[start] = True
            stack.append((start, iter(out[start])))
        while stack:
            key, remaining = stack[-1]
            step = next(remaining, None)
            if step is None:
                state[key] = False
                stack.pop()
            elif step.target not in state:
                state[step.target] = True
                stack.append((step.target, iter(out[step.target])))
            elif state[step.target]:
                turned.add(step)
    return turned


def _assign_columns(keys: Sequence[str], edges: Sequence[tuple[str, str]]) -> dict[str, int]:
    """Return the column of each node: right of all that lead to it; what nothing leads to stands next to its target."""
    out: dict[str, list[str]] = defaultdict(list)
    waiting = dict.fromkeys(keys, 0)
    for source, target in edges:
        out[source].append(target)
        waiting[target] += 1
    sources = [key for key in keys if not waiting[key]]
    column = dict.fromkeys(keys, 0)
    queue = deque(sources)
    while queue:
        key = queue.popleft()
        for target in out[key]:
            column[target] = max(column[target], column[key] + 1)
            waiting[target] -= 1
            if not waiting[target]:
                queue.append(target)
    for key in sources:
        if out[key]:
            column[key] = min(column[target] for target in out[key]) - 1
    return column


def _place_tree(columns: _Columns) -> Mapping[str, float]:
    """Return the height of each box of a tree."""
    _, below = columns.list_neighbours()
    roots = [key for key in columns.keys if columns.column[key] == 0]
    height: dict[str, float] = {}
    free = 0.0
    stack = [(key, False) for key in reversed(roots)]
    while stack:
        key, is_done = stack.pop()
        children = below.get(key, [])
        if not children:
            height[key] = free
            free += HEIGHT + GAP
        elif is_done:
            height[key] = (height[children[0]] + height[children[-1]]) / 2
        else:
            stack.append((key, True))
            stack += [(child, False) for child in reversed(children)]
    return height


def _place_layers(columns: _Columns) -> Mapping[str, float]:
    """Return the height of each box and each place to pass."""
    layers = columns.list_columns()
    left, right = columns.list_neighbours()
    for sweep in range(_SWEEPS):
        neighbours, ordered = (left, layers) if sweep % 2 == 0 else (right, layers[::-1])
        rank = {key: float(index) for layer in layers for index, key in enumerate(layer)}
        for layer in ordered:
            wanted = {key: _mean(rank, neighbours.get(key, []), rank[key]) for key in layer}
            layer.sort(key=wanted.__getitem__)
            rank.update((key, float(index)) for index, key in enumerate(layer))
    height = {key: index * (HEIGHT + GAP) for layer in layers for index, key in enumerate(layer)}
    for sweep in range(_SWEEPS):
        neighbours, ordered = (left, layers) if sweep % 2 == 0 else (right, layers[::-1])
        for layer in ordered:
            wanted_heights = [_mean(height, neighbours.get(key, []), height[key]) for key in layer]
            rooms = [(GAP if columns.is_pass(key) else HEIGHT + GAP) for key in layer]
            height.update(zip(layer, _spread(wanted_heights, rooms), strict=True))
    least = min(height.values(), default=0.0)
    return {key: value - least for key, value in height.items()}


def _mean(values: Mapping[str, float], keys: Sequence[str], default: float) -> float:
    return sum(values[key] for key in keys) / len(keys) if keys else default


def _spread(wanted: Sequence[float], rooms: Sequence[float]) -> Sequence[float]:
    """Return heights in the given order, each with its room, as near to the wanted ones as possible.

    Pushed together by the room before each, they must not decrease: the nearest such sequence is that of the means of
    neighbours that would (the pool of adjacent violators).
    """
    offsets = [0.0]
    for room in rooms[:-1]:
        offsets.append(offsets[-1] + room)
    blocks: list[tuple[float, int]] = []  # Of neighbours that stand together: their sum, and how many they are.
    for value, offset in zip(wanted, offsets, strict=True) if wanted else ():
        total, count = value - offset, 1
        while blocks and blocks[-1][0] * count >= total * blocks[-1][1]:
            before, number = blocks.pop()
            total, count = total + before, count + number
        blocks.append((total, count))
    means = [total / count for total, count in blocks for _ in range(count)]
    return [mean + offset for mean, offset in zip(means, offsets, strict=False)]


def _draw(graph: Graph, edges: Sequence[Edge], columns: _Columns, rows: Mapping[str, float]) -> Layout:
    loops = {
        edge.source: f" · calls itself {format_times(edge.count)}" for edge in graph.edges if edge.source == edge.target
    }
    lines = {
        node.key: (cut(node.label, LABEL_LENGTH), cut(node.detail, DETAIL_LENGTH) + loops.get(node.key, ""))
        for node in graph.nodes
    }
    widths = {key: _measure(*shown) for key, shown in lines.items()}
    count = max(columns.column.values(), default=-1) + 1
    column_widths = [0.0] * count
    for key, width in widths.items():
        column_widths[columns.column[key]] = max(column_widths[columns.column[key]], width)
    lefts = [MARGIN]
    for width in column_widths:
        lefts.append(lefts[-1] + width + COLUMN_GAP)
    boxes = [
        Box(node, lefts[columns.column[node.key]], rows[node.key] + MARGIN, widths[node.key], HEIGHT, *lines[node.key])
        for node in graph.nodes
    ]
    placed = {box.node.key: box for box in boxes}
    arrows = []
    for edge, way in zip(edges, columns.ways, strict=True):
        first, last = placed[way[0]], placed[way[-1]]
        points = [(first.x + first.width, first.y + HEIGHT / 2)]
        for key in way[1:-1]:
            start, y = lefts[columns.column[key]], rows[key] + MARGIN + HEIGHT / 2
            points += [(start, y), (start + column_widths[columns.column[key]], y)]
        points.append((last.x, last.y + HEIGHT / 2))
        arrows.append(Arrow(edge, points[::-1] if edge in columns.turned else points))
    width = max((box.x + box.width for box in boxes), default=0.0) + MARGIN
    height = max((y for _, y in _corners(boxes, arrows)), default=0.0) + MARGIN
    return Layout(boxes, arrows, width, height)


def _corners(boxes: Sequence[Box], arrows: Sequence[Arrow]) -> Iterator[Point]:
    yield from ((box.x, box.y + box.height) for box in boxes)
    for arrow in arrows:
        yield from arrow.points


def _measure(label: str, detail: str) -> float:
    """Return how wide a box has to be for its lines; characters of East Asian width are as wide as two."""
    label_width = _LABEL_WIDTH * _count_cells(label) + _LABEL_ROOM
    return max(label_width, _DETAIL_WIDTH * _count_cells(detail) + _DETAIL_ROOM, MIN_WIDTH)


def _count_cells(text: str) -> int:
    return sum(2 if ord(character) > 0x2E80 else 1 for character in text)
