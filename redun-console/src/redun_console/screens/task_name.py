"""The definitions of a task, and its latest jobs."""

from __future__ import annotations

from collections.abc import Iterator

from redun_console.layout import Column, Fact, Line, Page, Row, Span, lay_out_facts, lay_out_table, plain, title
from redun_console.reader import Question
from redun_console.routes import TaskNameRoute, TaskRoute
from redun_console.screens.base import RouteScreen
from redun_console.screens.parts import count_text, lay_out_jobs, show_id, show_time
from redun_console.views.tasks import Definition, TaskNameView, load_task_name

_COLUMNS = (Column("DEFINITION"), Column("LAST USED", 1), Column("LINES", 2, is_number=True), Column("SOURCE"))


class TaskNameScreen(RouteScreen[TaskNameRoute, TaskNameView]):
    """A table of definitions, and one of jobs."""

    def make_question(self) -> Question[TaskNameView | None]:
        route = self.route
        return lambda store: load_task_name(store, route)

    def lay_out(self, view: TaskNameView, width: int) -> Page:
        return Page(Line(), list(self._lay_out(view, width)))

    def _lay_out(self, view: TaskNameView, width: int) -> Iterator[Line]:
        yield from lay_out_facts([Fact("Task", plain(view.fullname), "name")], width)
        yield from title(count_text(len(view.definitions), "definition"))
        head, lines = lay_out_table(_COLUMNS, [_make_row(item) for item in view.definitions], width)
        yield head
        yield from lines
        yield from title("Latest jobs")
        if view.jobs:
            yield from lay_out_jobs(view.jobs, self.now, width)
        else:
            yield Line([Span("  None.", "dim")])


def _make_row(item: Definition) -> Row:
    source = item.task.source.strip().splitlines()
    first = next((line for line in source if line.lstrip().startswith(("def ", "async def "))), "".join(source[:1]))
    cells = [
        show_id(item.task.hash),
        show_time(item.latest.start_time if item.latest is not None else None),
        Span(str(len(source)), "dim"),
        Span(plain(first.strip()), "source"),
    ]
    return Row(cells, TaskRoute(key=item.task.hash))
