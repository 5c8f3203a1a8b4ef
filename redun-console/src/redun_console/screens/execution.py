"""An execution with its jobs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from redun_backend_sql.display import format_duration
from redun_console.layout import Column, Fact, Line, Page, Row, Span, cut, lay_out_facts, lay_out_table, plain, title
from redun_console.lines import Lines
from redun_console.reader import Question
from redun_console.routes import ExecutionRoute
from redun_console.screens.base import RouteScreen
from redun_console.screens.parts import (
    JOB_COLUMNS,
    make_job_row,
    make_tag_facts,
    measure,
    page_remark,
    show_call,
    show_time,
)
from redun_console.views.execution import STATUSES, ExecutionView, JobItem, TaskCount, load_execution
from redun_console.views.executions import read_command

_MAX_TASKS = 8


class ExecutionScreen(RouteScreen[ExecutionRoute, ExecutionView]):
    """An execution: what became of it, its jobs by task and status, and the tree of them."""

    def make_question(self) -> Question[ExecutionView | None]:
        route = self.route
        return lambda store: load_execution(store, route)

    def is_live(self, view: ExecutionView) -> bool:
        return view.execution.status == "RUNNING"

    def has_next(self, view: ExecutionView) -> bool:
        return view.jobs.has_more

    def lay_out(self, view: ExecutionView, width: int) -> Page:
        lines = [
            *lay_out_facts(self._list_facts(view), width),
            *self._lay_out_counts(view, width),
            *self._lay_out_jobs(view, width),
        ]
        return Page(Line(), lines, page_remark(self.route.page, view.jobs.has_more))

    def _list_facts(self, view: ExecutionView) -> Iterator[Fact]:
        execution, root = view.execution, view.execution.root
        yield Fact("Execution", plain(execution.id), "id")
        yield Fact("Status", execution.status, execution.status.lower())
        yield Fact("Command", read_command(execution.args), "name")
        if root is not None:
            took = measure(root, self.now)
            yield Fact("Started", show_time(root.start_time).text + (f", took {took}" if took else ""))
        if execution.status == "RUNNING" and execution.updated_time is not None:
            yield Fact(
                "Last seen", f"{format_duration(execution.updated_time, self.now).rpartition('.')[0]} ago", "dim"
            )
        if execution.progress is not None:
            yield Fact("Reached", "{} of {} jobs had ended when its process was gone".format(*execution.progress))
        yield from make_tag_facts(view.tags)

    def _lay_out_counts(self, view: ExecutionView, width: int) -> Iterator[Line]:
        total = sum(view.counts.values())
        yield from title(f"{total:,} jobs" if total != 1 else "1 job")
        statuses = [status for status in view.counts if view.counts[status] or status in STATUSES]
        unused = {status: 0 if view.counts[status] else 1 for status in statuses}
        columns = [*(Column(status, unused[status], is_number=True) for status in statuses), Column("TASK")]
        rows = [self._make_count_row(TaskCount("", view.counts), statuses)]
        tasks = view.tasks or []
        if len(tasks) > 1:
            rows += [self._make_count_row(task, statuses) for task in tasks[:_MAX_TASKS]]
        head, lines = lay_out_table(columns, rows, width)
        yield head
        yield from lines
        if len(tasks) > _MAX_TASKS:
            yield Line([Span(f"... {len(tasks) - _MAX_TASKS} more tasks", "dim")])
        elif view.tasks is None:
            yield Line([Span("There are too many jobs to count them by task.", "dim")])

    def _make_count_row(self, task: TaskCount, statuses: Sequence[str]) -> Row:
        """Return the row of a task, the cells of which lead to its jobs with a status."""
        names = (task.fullname,) if task.fullname else ()
        cells = []
        for status in statuses:
            count = task.counts.get("RUNNING" if status == "LOST" and task.fullname else status, 0)
            # Of very many jobs, some statuses are counted together.
            wanted = ("RUNNING",) if status == "LOST" else tuple(status.split(" or "))
            target = self._filter(names, wanted) if count else None
            cells.append(Span(f"{count:,}", status.partition(" ")[0].lower() if count else "dim", target))
        name = Span(plain(task.fullname), "name") if task.fullname else Span("all", "dim")
        return Row([*cells, name], self._filter(names, ()))

    def _filter(self, tasks: tuple[str, ...], statuses: tuple[str, ...]) -> ExecutionRoute:
        return replace(self.route, task=tasks, status=statuses, page=1, children=False)

    def _lay_out_jobs(self, view: ExecutionView, width: int) -> Iterator[Line]:
        yield from title(" ".join(["Jobs", *self._describe_filters(view)]))
        if not view.jobs.items:
            yield Line([Span("  None; g shows all jobs again." if self._is_filtered else "  None.", "dim")])
            return
        rows = [self._make_row(item) for item in view.jobs.items]
        head, lines = lay_out_table(JOB_COLUMNS, rows, width)
        yield head
        yield from lines

    def _make_row(self, item: JobItem) -> Row:
        if item.line is not None:
            return make_job_row(item.line, self.now, item.depth)
        target = replace(self.route, job=item.parent_id, children=True, page=1, status=(), task=())
        empty = Span("")
        text = Span(f"{'  ' * min(item.depth, 20)}... {item.left_out:,} more jobs", "link")
        return Row([empty, empty, empty, empty, text], target, item.parent_id)

    def _describe_filters(self, view: ExecutionView) -> Iterator[str]:
        if view.focus is not None:
            where = "directly below" if self.route.children else "below"
            yield f"{where} {cut(show_call(view.focus), 60)}"
        if self.route.status:
            yield f"that are {' or '.join(self.route.status)}"
        if self.route.task:
            yield f"of {plain(' or '.join(self.route.task))}"

    @property
    def _is_filtered(self) -> bool:
        return bool(self.route.job or self.route.status or self.route.task)

    def check_action(self, action: str, parameters: Sequence[object]) -> bool | None:
        """Say which keys mean something here."""
        if action in ("focus_job", "children"):
            return True
        if action == "unfocus_job":
            return self._is_filtered
        return super().check_action(action, parameters)

    def action_focus_job(self) -> None:
        """Show only what is below the job that has the cursor."""
        self._look_below(children=False)

    def action_children(self) -> None:
        """Show only what is directly below the job that has the cursor."""
        self._look_below(children=True)

    def action_unfocus_job(self) -> None:
        """Show all jobs."""
        self.change_route(ExecutionRoute(key=self.route.key))

    def _look_below(self, **changes: Any) -> None:
        job = self.query_one(Lines).current.job
        if job:
            self.change_route(replace(self.route, job=job, page=1, status=(), task=(), **changes))
        else:
            self.notify("Put the cursor on a job first.")
