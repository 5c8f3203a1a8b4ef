"""``redun why``: why a job ran, or did not have to."""

from __future__ import annotations

import click

from redun.completing import complete_ids
from redun.workspace import Workspace
from redun_backend_sql.commands.repositories import using
from redun_backend_sql.commands.selecting import echo_lines
from redun_backend_sql.database import Database
from redun_backend_sql.meant import NothingFoundError, list_meant
from redun_backend_sql.query import FileUse
from redun_backend_sql.records import ExecutionRow, JobRow, TaskRow, read_jobs
from redun_backend_sql.why import explain_job

_RECORDS: tuple[type[ExecutionRow | JobRow | TaskRow], ...] = (ExecutionRow, JobRow, TaskRow)
_MAX_JOBS = 100


@click.command()
@click.argument("key", metavar="ID", shell_complete=complete_ids)
@click.pass_obj
def why(workspace: Workspace, key: str) -> None:
    """Say why a job ran, or why it did not have to.

    ID is the start of the id of a job; of an execution, for its first job; the name of a task, for its latest job; a
    path, for the job that made the file; or - for the latest execution and ~1, ~2, ... for those before it.

    \b
    Examples:
      redun why 3f2a9c     which argument, file or line of code made this job run
      redun why align      the same of the latest job of a task
      redun why out.csv    the same of the job that made a file
    """
    with using(workspace.open_backend(create=False), "tell why jobs ran") as backend:
        for index, job in enumerate(_find_jobs(backend.database, key)):
            if index:
                click.echo()
            echo_lines(explain_job(backend.database, job))


def _find_jobs(database: Database, key: str) -> list[JobRow]:
    """Return the jobs that are meant.

    Raises
    ------
    NothingFoundError
        When there is none.
    """
    found = [_find_job(database, record) for record in list_meant(database, key, _RECORDS)]
    jobs = {job.id: job for job in found if job is not None}
    if not jobs:
        jobs = {use.job.id: use.job for use in list_meant(database, key, (FileUse,))}
    if not jobs:
        raise NothingFoundError(key, (*_RECORDS, FileUse), "job")
    return [max(jobs.values(), key=lambda job: job.start_time)] if _is_name(key, jobs) else list(jobs.values())


def _is_name(key: str, jobs: dict[str, JobRow]) -> bool:
    """Whether a key is the name of the task of some jobs, whose definitions may be several."""
    return all(job.task_name == key or job.task_name.endswith(f".{key}") for job in jobs.values())


def _find_job(database: Database, record: ExecutionRow | JobRow | TaskRow) -> JobRow | None:
    if isinstance(record, JobRow):
        return record
    if isinstance(record, ExecutionRow):
        return record.root
    rows = database.select_ordered("id", "job", "task_hash", record.hash, _MAX_JOBS, newest=True)
    return max(read_jobs(database, [key for (key,) in rows]), key=lambda job: job.start_time, default=None)
