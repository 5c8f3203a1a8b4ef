"""A job: its call, its error, why it ran, its task, and the jobs around it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import ClassVar

from textual.binding import Binding, BindingType

from redun_console.layout import Fact, Line, Page, Span, lay_out_facts, lay_out_text, plain, title
from redun_console.reader import Question
from redun_console.routes import ExecutionRoute, JobRoute, TaskRoute, UpstreamsRoute, ValueRoute
from redun_console.screens.base import RouteScreen
from redun_console.screens.parts import (
    SHORT,
    lay_out_jobs,
    make_tag_facts,
    make_task_fact,
    make_value_fact,
    measure,
    show_time,
)
from redun_console.views.job import JobView, load_job


class JobScreen(RouteScreen[JobRoute, JobView]):
    """Everything about a job."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("w", "why", "Why")]

    def make_question(self) -> Question[JobView | None]:
        route = self.route
        return lambda store: load_job(store, route)

    def is_live(self, view: JobView) -> bool:
        return view.line.job.status == "RUNNING"

    def lay_out(self, view: JobView, width: int) -> Page:
        return Page(Line(), list(self._lay_out(view, width)))

    def _lay_out(self, view: JobView, width: int) -> Iterator[Line]:
        yield from lay_out_facts(self._list_facts(view), width)
        yield from title("Call")
        yield from lay_out_facts(_list_call(view), width)
        if view.error:
            yield from title("Error")
            for line in view.error:
                yield from lay_out_text(line, width, "error" if line == view.error[-1] else "")
        if view.reason:
            yield from title("Why it ran, or did not have to")
            for line in view.reason:
                yield from lay_out_text(line, width)
        if view.children.items:
            yield from title("Jobs below")
            yield from lay_out_jobs(view.children.items, self.now, width)
            if view.children.has_more:
                yield Line([Span("... more jobs", "link")], self._children_route(view))
        if view.task is not None:
            yield from title("Source")
            yield from lay_out_text(view.task.source.rstrip(), width, "source")

    def _list_facts(self, view: JobView) -> Iterator[Fact]:
        job = view.line.job
        yield Fact("Job", plain(job.id), "id")
        yield Fact("Status", job.status, job.status.lower())
        yield make_task_fact("Task", job.task_name)
        yield Fact("Started", ", took ".join(filter(None, [show_time(job.start_time).text, measure(job, self.now)])))
        yield Fact("Execution", plain(job.execution_id), "id", ExecutionRoute(key=job.execution_id))
        for index, above in enumerate(view.ancestors):
            text = f"{above.id[:SHORT]} {above.task_name}"
            yield Fact("Below" if index == 0 else "", plain(text), "", JobRoute(key=above.id))
        if view.has_more_ancestors:
            yield Fact("", "...", "dim")
        yield from make_tag_facts([*view.line.tags, *view.call_tags])

    def _children_route(self, view: JobView) -> ExecutionRoute:
        job = view.line.job
        return ExecutionRoute(key=job.execution_id, job=job.id, children=True)

    def check_action(self, action: str, parameters: Sequence[object]) -> bool | None:
        """Say which keys mean something here."""
        if action in ("focus_job", "children"):
            return True
        return super().check_action(action, parameters)

    def action_why(self) -> None:
        """Show why the job ran, or leave it out again."""
        self.change_route(replace(self.route, why=not self.route.why))

    def action_focus_job(self) -> None:
        """Show the execution with what is below this job."""
        if self.view is not None:
            job = self.view.line.job
            self.console_app.follow(ExecutionRoute(key=job.execution_id, job=job.id))

    def action_children(self) -> None:
        """Show the execution with the jobs directly below this one."""
        if self.view is not None:
            self.console_app.follow(self._children_route(self.view))


def _list_call(view: JobView) -> Iterator[Fact]:
    job, task, result = view.line.job, view.task, view.result
    if task is not None:
        yield Fact("Definition", task.hash, "id", TaskRoute(key=task.hash))
    if view.call is None:
        ended = "the job failed before its arguments were known; the job above it has the error"
        yield Fact("Call", "unknown: the job has not ended" if job.end_time is None else f"unknown: {ended}", "dim")
    else:
        yield Fact("Call", view.call.call_hash, "id")
    yield from (make_value_fact(argument.name, argument.value) for argument in view.arguments)
    if result is not None:
        if view.error:
            yield Fact("Raised", view.error[-1], "error", ValueRoute(key=result.value_hash))
        else:
            yield make_value_fact("Result", result)
        yield Fact("Comes from", "the dataflow upstream", "link", UpstreamsRoute(key=result.value_hash))
