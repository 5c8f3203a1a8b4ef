"""A definition of a task."""

from __future__ import annotations

from collections.abc import Iterator

from redun_console.layout import Fact, Line, Page, Span, lay_out_facts, lay_out_text, title
from redun_console.reader import Question
from redun_console.routes import JobRoute, TaskRoute
from redun_console.screens.base import RouteScreen
from redun_console.screens.parts import SHORT, lay_out_jobs, make_tag_facts, make_task_fact, show_time
from redun_console.views.tasks import TaskView, load_task


class TaskScreen(RouteScreen[TaskRoute, TaskView]):
    """A definition with its source and its latest jobs."""

    def make_question(self) -> Question[TaskView | None]:
        route = self.route
        return lambda store: load_task(store, route)

    def lay_out(self, view: TaskView, width: int) -> Page:
        return Page(Line(), list(self._lay_out(view, width)))

    def _lay_out(self, view: TaskView, width: int) -> Iterator[Line]:
        yield from lay_out_facts(_list_facts(view), width)
        yield from title("Source")
        yield from lay_out_text(view.task.source.rstrip(), width, "source")
        yield from title("Latest jobs")
        if view.jobs:
            yield from lay_out_jobs(view.jobs, self.now, width)
        else:
            yield Line([Span("  None.", "dim")])


def _list_facts(view: TaskView) -> Iterator[Fact]:
    yield make_task_fact("Task", view.task.fullname)
    yield Fact("Definition", view.task.hash, "id")
    job = view.first_job
    if job is not None:
        yield Fact("First job", f"{job.id[:SHORT]} {show_time(job.start_time).text}", "", JobRoute(key=job.id))
    yield from make_tag_facts(view.tags)
