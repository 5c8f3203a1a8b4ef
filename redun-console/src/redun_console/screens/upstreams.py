"""The dataflow behind a value."""

from __future__ import annotations

import re
from collections.abc import Iterator

from redun_backend_sql.dataflow_display import MORE, DataflowArg, DataflowSection
from redun_console.layout import Fact, Line, Page, Span, cut_line, lay_out_facts, plain
from redun_console.reader import Question
from redun_console.routes import LookupRoute, UpstreamsRoute, ValueRoute
from redun_console.screens.base import RouteScreen
from redun_console.screens.parts import make_value_fact
from redun_console.views.values import UpstreamsView, load_upstreams

_CALL = re.compile(r"^(argument of )?<([0-9a-f]+)> ")


class UpstreamsScreen(RouteScreen[UpstreamsRoute, UpstreamsView]):
    """Sections that say where a value comes from, with the values and calls on the way."""

    def make_question(self) -> Question[UpstreamsView | None]:
        route = self.route
        return lambda store: load_upstreams(store, route)

    def lay_out(self, view: UpstreamsView, width: int) -> Page:
        return Page(Line(), [cut_line(line, width) for line in _lay_out(view, width)])


def _lay_out(view: UpstreamsView, width: int) -> Iterator[Line]:
    yield from lay_out_facts([make_value_fact("Value", view.value), Fact("", view.value.value_hash, "id")], width)
    if view.dataflow is None:
        yield Line()
        yield Line([Span("Where it comes from is not known.", "dim")])
        return
    for section in view.dataflow.sections:
        yield Line()
        yield from _lay_out_section(section)
    if view.dataflow.has_more:
        yield Line()
        yield Line([Span(MORE, "dim")])


def _lay_out_section(section: DataflowSection) -> Iterator[Line]:
    for index, step in enumerate(section.steps):
        name = Span(plain(section.name), "name") if index == 0 else Span(" " * len(section.name))
        found = _CALL.match(step)
        target = LookupRoute(key=found[2]) if found else None
        yield Line([name, Span(" <-- ", "dim"), Span(plain(step), "" if found else "dim")], target)
    width = max((len(arg.name) for arg in section.args), default=0)
    yield from (_lay_out_argument(arg, width) for arg in section.args)
    if section.has_more:
        yield Line([Span(f"  {MORE}", "dim")])


def _lay_out_argument(arg: DataflowArg, width: int) -> Line:
    spans = [
        Span(f"  {plain(arg.name):<{width}} = "),
        Span(f"<{arg.value.value_hash[:8]}> ", "id"),
        Span(plain(arg.value.preview)),
    ]
    return Line(spans, ValueRoute(key=arg.value.value_hash))
