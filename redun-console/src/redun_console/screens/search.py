"""What a search finds."""

from __future__ import annotations

from redun_console.layout import Line, Page, Span, cut_line, lay_out_text, plain
from redun_console.reader import Question
from redun_console.resolve import route_of
from redun_console.routes import SearchRoute
from redun_console.screens.base import RouteScreen
from redun_console.screens.parts import page_remark
from redun_console.views.search import Found, SearchView, load_search

_HELP = "/ takes an id, a name, or options as `redun log` does: --job --job-status FAILED --exec-id -"


class SearchScreen(RouteScreen[SearchRoute, SearchView]):
    """A list of records of all types."""

    def make_question(self) -> Question[SearchView | None]:
        route = self.route
        return lambda store: load_search(store, route)

    def has_next(self, view: SearchView) -> bool:
        return view.page.has_more

    def lay_out(self, view: SearchView, width: int) -> Page:
        if not view.page.items:
            return Page(Line(), list(lay_out_text(f"Nothing that is recorded fits. {_HELP}", width, indentation=0)))
        lines = [cut_line(_make_line(found), width) for found in view.page.items]
        return Page(Line(), lines, page_remark(self.route.page, view.page.has_more) or _HELP)


def _make_line(found: Found) -> Line:
    kind, _, rest = found.text.partition(" ")
    return Line([Span(f"{kind:<9}", "dim"), Span(plain(rest))], route_of(found.record))
