"""The tasks by name."""

from __future__ import annotations

from redun_console.layout import Column, Line, Page, Row, Span, lay_out_table, lay_out_text, plain
from redun_console.reader import Question
from redun_console.routes import TaskNameRoute, TasksRoute
from redun_console.screens.base import RouteScreen
from redun_console.screens.parts import page_remark
from redun_console.views.tasks import TaskItem, TasksView, load_tasks

_COLUMNS = (Column("DEFINITIONS", 1, is_number=True), Column("TASK"))


class TasksScreen(RouteScreen[TasksRoute, TasksView]):
    """A table of names of tasks."""

    def make_question(self) -> Question[TasksView | None]:
        route = self.route
        return lambda store: load_tasks(store, route)

    def has_next(self, view: TasksView) -> bool:
        return view.page.has_more

    def lay_out(self, view: TasksView, width: int) -> Page:
        if not view.page.items:
            is_all = self.route == TasksRoute()
            text = "No tasks are recorded yet: run a workflow." if is_all else "No task fits: / changes the filter."
            return Page(Line(), list(lay_out_text(text, width, indentation=0)))
        head, lines = lay_out_table(_COLUMNS, [_make_row(item) for item in view.page.items], width)
        return Page(head, lines, page_remark(self.route.page, view.page.has_more))


def _make_row(item: TaskItem) -> Row:
    return Row(
        [Span(f"{item.definitions:,}", "dim"), Span(plain(item.fullname), "name")],
        TaskNameRoute(key=item.fullname),
    )
