"""The files by path."""

from __future__ import annotations

from redun_console.layout import Column, Line, Page, Row, Span, lay_out_table, lay_out_text, plain
from redun_console.reader import Question
from redun_console.routes import FilesRoute, ValueRoute
from redun_console.screens.base import RouteScreen
from redun_console.screens.parts import page_remark, show_id
from redun_console.views.files import FileItem, FilesView, load_files

_COLUMNS = (Column("LATEST", 1), Column("STATES", 2, is_number=True), Column("PATH"))


class FilesScreen(RouteScreen[FilesRoute, FilesView]):
    """A table of paths, each of which leads to the latest state of the file."""

    def make_question(self) -> Question[FilesView | None]:
        route = self.route
        return lambda store: load_files(store, route)

    def has_next(self, view: FilesView) -> bool:
        return view.page.has_more

    def lay_out(self, view: FilesView, width: int) -> Page:
        if not view.page.items:
            text = "No file has a path that starts like this." if self.route.start else "No files are recorded yet."
            return Page(Line(), list(lay_out_text(f"{text}", width, indentation=0)))
        head, lines = lay_out_table(_COLUMNS, [_make_row(item) for item in view.page.items], width)
        return Page(head, lines, page_remark(self.route.page, view.page.has_more))


def _make_row(item: FileItem) -> Row:
    states = f"{item.states}{'+' if item.has_more else ''}"
    cells = [show_id(item.value_hash), Span(states, "dim"), Span(plain(item.path))]
    return Row(cells, ValueRoute(key=item.value_hash))
