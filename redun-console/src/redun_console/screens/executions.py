"""The executions, newest first."""

from __future__ import annotations

from redun.tags import DOC_KEY, PROJECT_KEY, USER_KEY
from redun_console.layout import Column, Line, Page, Row, Span, lay_out_table, lay_out_text, plain
from redun_console.reader import Question
from redun_console.routes import ExecutionRoute, ExecutionsRoute
from redun_console.screens.base import RouteScreen
from redun_console.screens.parts import measure, page_remark, show_id, show_status, show_time
from redun_console.views.executions import ExecutionItem, ExecutionsView, load_executions, read_command

_COLUMNS = (
    Column("ID", 1),
    Column("STATUS"),
    Column("STARTED", 2),
    Column("TOOK", 3),
    Column("USER", 4, 12),
    Column("PROJECT", 5, 16),
    Column("COMMAND"),
)
_MIN_SIZE, _OTHER_LINES = 5, 6


class ExecutionsScreen(RouteScreen[ExecutionsRoute, ExecutionsView]):
    """A table of executions."""

    def make_question(self) -> Question[ExecutionsView | None]:
        route, size = self.route, max(_MIN_SIZE, self.app.size.height - _OTHER_LINES)
        return lambda store: load_executions(store, route, size)

    def is_live(self, view: ExecutionsView) -> bool:
        return self.route.page == 1

    def has_next(self, view: ExecutionsView) -> bool:
        return view.page.has_more

    def lay_out(self, view: ExecutionsView, width: int) -> Page:
        if not view.page.items:
            nothing = "No execution fits: / changes the filter."
            if not view.is_any_recorded:
                nothing = "No executions are recorded yet: run a workflow with `redun run`. It appears here by itself."
            return Page(Line(), list(lay_out_text(nothing, width, indentation=0)))
        head, lines = lay_out_table(_COLUMNS, [self._make_row(item) for item in view.page.items], width)
        return Page(head, lines, page_remark(self.route.page, view.page.has_more))

    def _make_row(self, item: ExecutionItem) -> Row:
        execution, tags = item.execution, dict(item.tags)
        root = execution.root
        start = execution.updated_time if root is None else root.start_time
        doc = f"  {tags[DOC_KEY]}" if DOC_KEY in tags else ""
        cells = [
            show_id(execution.id),
            show_status(execution.status),
            show_time(start),
            Span("" if root is None else measure(root, self.now), "dim"),
            Span(plain(str(tags.get(USER_KEY, ""))), "dim"),
            Span(plain(str(tags.get(PROJECT_KEY, ""))), "dim"),
            Span(plain(read_command(execution.args) + doc)),
        ]
        return Row(cells, ExecutionRoute(key=execution.id))
