"""Tasks: by name, the definitions of one name, and one definition."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from redun_backend_sql.database import Database
from redun_backend_sql.query import find_first_job, find_tasks
from redun_backend_sql.records import (
    JobLine,
    JobRow,
    Tags,
    TaskRow,
    join_name,
    read_jobs,
    read_lines,
    read_tags,
    read_tasks,
)
from redun_console.reader import Store
from redun_console.routes import TaskNameRoute, TaskRoute, TasksRoute
from redun_console.views.listing import PAGE, Listing, cut_page, offset

MAX_JOBS = 20
"""How many of the latest jobs of a task are listed with it."""

_TASKS = (
    "SELECT namespace, name, count(*) FROM task{where} GROUP BY namespace, name ORDER BY namespace, name "
    "LIMIT ? OFFSET ?"
)


class TaskItem(NamedTuple):
    """The name of a task, and how many definitions it has or had."""

    namespace: str
    name: str
    definitions: int

    @property
    def fullname(self) -> str:
        """The namespace and name, joined by a dot."""
        return join_name(self.namespace, self.name)


@dataclass(frozen=True)
class TasksView:
    """A page of the names of tasks."""

    page: Listing[TaskItem]


class Definition(NamedTuple):
    """A definition of a task, with the latest of its jobs."""

    task: TaskRow
    latest: JobRow | None


@dataclass(frozen=True)
class TaskNameView:
    """The definitions of a task, that with the latest job first; and its latest jobs."""

    fullname: str
    definitions: Sequence[Definition]
    jobs: Sequence[JobLine]


@dataclass(frozen=True)
class TaskView:
    """A definition of a task, with its first job and its latest ones."""

    task: TaskRow
    tags: Tags
    first_job: JobRow | None
    jobs: Sequence[JobLine]


def load_tasks(store: Store, route: TasksRoute) -> TasksView:
    """Return a page of the names of tasks."""
    conditions, parameters = [], []
    if route.find:
        conditions.append("lower(namespace || '.' || name) LIKE ? ESCAPE '!'")
        parameters.append(f"%{_escape(route.find.lower())}%")
    if route.namespace:
        conditions.append("namespace = ?")
        parameters.append(route.namespace)
    statement = _TASKS.format(where=f" WHERE {' AND '.join(conditions)}" if conditions else "")
    rows = store.database.select(statement, *parameters, PAGE + 1, offset(route.page))
    return TasksView(cut_page(TaskItem(namespace, name, int(count)) for namespace, name, count in rows))


def load_task_name(store: Store, route: TaskNameRoute) -> TaskNameView | None:
    """Return the definitions of a task by its full name; None when there is none."""
    database = store.database
    tasks = [task for task in find_tasks(database, route.key) if task.fullname == route.key]
    if not tasks:
        return None
    latest = {task.hash: _list_latest(database, task.hash, MAX_JOBS) for task in tasks}
    definitions = [Definition(task, next(iter(latest[task.hash]), None)) for task in tasks]
    definitions.sort(key=lambda item: -item.latest.start_time.timestamp() if item.latest is not None else 0.0)
    jobs = sorted((job for some in latest.values() for job in some), key=lambda job: job.start_time, reverse=True)
    return TaskNameView(route.key, definitions, read_lines(database, jobs[:MAX_JOBS]))


def load_task(store: Store, route: TaskRoute) -> TaskView | None:
    """Return a definition of a task; None when there is no such definition."""
    database = store.database
    tasks = read_tasks(database, [route.key])
    if not tasks:
        return None
    [task] = tasks
    jobs = read_lines(database, _list_latest(database, task.hash, MAX_JOBS))
    return TaskView(
        task, read_tags(database, [task.hash]).get(task.hash, ()), find_first_job(database, task.hash), jobs
    )


def _list_latest(database: Database, task_hash: str, limit: int) -> Sequence[JobRow]:
    """Return the latest jobs of a definition, of those recorded last."""
    jobs = read_jobs(database, [key for (key,) in database.select_ordered("id", "job", "task_hash", task_hash, PAGE)])
    return sorted(jobs, key=lambda job: job.start_time, reverse=True)[:limit]


def _escape(pattern: str) -> str:
    return pattern.replace("!", "!!").replace("%", "!%").replace("_", "!_")
