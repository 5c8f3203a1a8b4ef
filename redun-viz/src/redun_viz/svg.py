"""Graphs as SVG: pictures of their own, light or dark as the reader's screen is, drawn without any other program."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from importlib.resources import files

from redun_viz.graph import SYMBOLS, Graph
from redun_viz.layout import Arrow, Box, Point, lay_out
from redun_viz.text import cut, make_printable

MAX_TITLE = 2_000
"""How long the text is that shows up over a box."""

MAX_NAME = 60
"""How long the text along an arrow is."""

_NOTE_HEIGHT = 24
_HEAD = (
    '<marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
    '<path class="head" d="M0 0L8 4L0 8z"/></marker>'
)


def read_asset(name: str) -> str:
    """Return a file that pictures and pages are made of."""
    return (files("redun_viz") / "page" / name).read_text(encoding="utf-8")


def write_svg(graph: Graph) -> str:
    """Return a graph as an SVG document."""
    layout = lay_out(graph)
    notes = [graph.note] if graph.note else []
    if not graph.nodes:
        notes.append("There is nothing to draw.")
    width, height = max(layout.width, 360), layout.height + _NOTE_HEIGHT * len(notes)
    size = f'width="{width:.0f}" height="{height:.0f}" viewBox="0 0 {width:.0f} {height:.0f}"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="graph" role="img" {size}>',
        f"<title>{_escape(graph.name)}</title>",
        f"<style>{escape(read_asset('graph.css'), quote=False)}</style>",
        f"<defs>{_HEAD}</defs>",
        '<rect class="paper" width="100%" height="100%"/>',
        *map(_draw_arrow, layout.arrows),
        *(line for box in layout.boxes for line in _draw_box(box)),
        *(
            f'<text class="detail" x="16" y="{layout.height + _NOTE_HEIGHT * index + 8:.0f}">{_escape(note)}</text>'
            for index, note in enumerate(notes)
        ),
        "</svg>",
        "",
    ]
    return "\n".join(lines)


def write_path(points: Sequence[Point]) -> str:
    """Return the outline of an arrow through some points: it leaves and enters each of them horizontally."""
    (x, y), *others = points
    path = f"M{x:.1f} {y:.1f}"
    for to_x, to_y in others:
        middle = (x + to_x) / 2
        path += (
            f"L{to_x:.1f} {to_y:.1f}"
            if y == to_y
            else f"C{middle:.1f} {y:.1f} {middle:.1f} {to_y:.1f} {to_x:.1f} {to_y:.1f}"
        )
        x, y = to_x, to_y
    return path


def find_name_place(arrow: Arrow) -> Point:
    """Return where the text along an arrow stands: over the middle of its last part."""
    (x, y), (to_x, to_y) = arrow.points[-2:]
    return (x + to_x) / 2, (y + to_y) / 2 - 3


def _draw_arrow(arrow: Arrow) -> str:
    edge = arrow.edge
    path = f'<path class="arrow {edge.kind}" d="{write_path(arrow.points)}" marker-end="url(#head)"/>'
    if not edge.text:
        return path
    x, y = find_name_place(arrow)
    return f'{path}<text class="name" x="{x:.1f}" y="{y:.1f}">{_escape(cut(edge.text, MAX_NAME))}</text>'


def _draw_box(box: Box) -> Iterator[str]:
    node = box.node
    status = node.status
    lines = [node.label, node.detail, ", ".join(f"{key}: {count:,}" for key, count in node.statuses.items())]
    yield f'<g class="node {node.kind} {status or ""}" transform="translate({box.x:.1f} {box.y:.1f})">'
    yield f"<title>{_escape(chr(10).join(filter(None, lines))[:MAX_TITLE])}</title>"
    yield f'<rect class="box" width="{box.width:.1f}" height="{box.height:.0f}" rx="6"/>'
    stripe = f"M6 0H5V{box.height:.0f}H6A6 6 0 0 1 0 {box.height - 6:.0f}V6A6 6 0 0 1 6 0z"
    yield f'<path class="stripe" d="{stripe}"/>'
    yield f'<text class="label" x="14" y="17">{_escape(box.label)}</text>'
    yield f'<text class="detail" x="14" y="32">{_escape(box.detail)}</text>'
    if status is not None:
        yield f'<text class="symbol" x="{box.width - 8:.1f}" y="17">{SYMBOLS[status]}</text>'
    yield "</g>"


def _escape(text: str) -> str:
    return escape(make_printable(text))
