"""``redun log``: past executions, jobs, tasks and files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from itertools import chain

import click
from sqlalchemy.orm import Session

from redun.errors import BackendError, RedunError
from redun.workspace import Workspace
from redun_backend_sql import display
from redun_backend_sql.backend import SqlBackend
from redun_backend_sql.models import CallNode, Execution, Job, Task, Value
from redun_backend_sql.query import (
    count_jobs,
    find_file,
    find_first_job,
    find_records,
    find_value_use,
    list_executions,
    list_jobs,
    open_session,
)

_RECENT = 100


@click.command()
@click.argument("key", metavar="[ID]", required=False)
@click.option("--all", "show_all", is_flag=True, help=f"List all executions, not only the latest {_RECENT}.")
@click.pass_obj
def log(workspace: Workspace, key: str | None, show_all: bool) -> None:
    """Show past executions; or one of them, a job, a task, a call, a value or a file.

    ID is the start of an id or hash, a task's name, a path of a file, or - for the latest execution and ~1, ~2, ...
    for those before it.

    \b
    Examples:
      redun log              the latest executions
      redun log -            the jobs of the latest one
      redun log 3f2a9c       whatever has an id that starts like this
      redun log results.csv  which task made the file, from which inputs, by which code
    """
    backend = workspace.open_backend(create=False)
    if not isinstance(backend, SqlBackend):
        backend.close()
        raise BackendError("the configured store keeps no log: set [backend] db_uri to a database")
    with closing(backend), open_session(backend) as session:
        lines = _describe(session, key) if key else _list_recent(session, None if show_all else _RECENT)
        for line in lines:
            click.echo(line)


def _list_recent(session: Session, limit: int | None) -> Iterator[str]:
    executions = list_executions(session, limit)
    if not executions:
        return iter(["No executions are recorded yet: run a workflow with `redun run`."])
    return display.describe_executions(executions)


def _describe(session: Session, key: str) -> Iterator[str]:
    records = find_records(session, key)
    if records:
        shown = [_describe_record(session, record) for record in records]
        return chain(shown[0], *(chain([""], lines) for lines in shown[1:]))
    use = find_file(session, key)
    if use is not None:
        return display.describe_file(use, count_jobs(session, use.job.execution_id))
    raise RedunError(f"nothing is recorded under {key!r}: give the start of an id, a task's name or a file's path")


def _describe_record(session: Session, record: Execution | Job | CallNode | Task | Value) -> Iterator[str]:
    if isinstance(record, Execution):
        return display.describe_execution(record, list_jobs(session, record.id))
    if isinstance(record, Job):
        return display.describe_job(record, count_jobs(session, record.execution_id))
    if isinstance(record, CallNode):
        return display.describe_call_node(record)
    if isinstance(record, Task):
        return display.describe_task(record, find_first_job(session, record))
    return display.describe_value(record, find_value_use(session, record.value_hash))
