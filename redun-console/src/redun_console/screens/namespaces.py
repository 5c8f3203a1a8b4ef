"""The namespaces of executions."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from textual.binding import Binding, BindingType

from redun_console.layout import Column, Line, Page, Row, Span, lay_out_table, plain
from redun_console.reader import Question
from redun_console.routes import SORTS, ExecutionsRoute, NamespacesRoute
from redun_console.screens.base import RouteScreen
from redun_console.screens.parts import page_remark, show_time
from redun_console.views.executions import NamespaceItem, NamespacesView, load_namespaces

_COLUMNS = (Column("EXECUTIONS", is_number=True), Column("LATEST", 1), Column("NAMESPACE"))


class NamespacesScreen(RouteScreen[NamespacesRoute, NamespacesView]):
    """A table of namespaces, each of which leads to its executions."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("s", "sort", "Sort")]

    def make_question(self) -> Question[NamespacesView | None]:
        route = self.route
        return lambda store: load_namespaces(store, route)

    def has_next(self, view: NamespacesView) -> bool:
        return view.page.has_more

    def lay_out(self, view: NamespacesView, width: int) -> Page:
        if not view.page.items:
            return Page(Line(), [Line([Span("No executions are recorded yet.")])])
        head, lines = lay_out_table(_COLUMNS, [_make_row(item) for item in view.page.items], width)
        remark = page_remark(self.route.page, view.page.has_more)
        return Page(head, lines, remark or f"Sorted by {self.route.sort}: s sorts otherwise")

    def action_sort(self) -> None:
        """Sort by something else."""
        following = SORTS[(SORTS.index(self.route.sort) + 1) % len(SORTS)]
        self.change_route(replace(self.route, sort=following, page=1))


def _make_row(item: NamespaceItem) -> Row:
    name = Span(plain(item.namespace), "name") if item.namespace else Span("(none)", "dim")
    # Executions without a namespace can't be asked for by it: the option is empty when it is not given.
    target = ExecutionsRoute(namespace=item.namespace) if item.namespace else ExecutionsRoute()
    return Row([Span(f"{item.executions:,}"), show_time(item.latest), name], target)
