"""``redun why``: why a job ran, or did not have to."""

from __future__ import annotations

import click

from redun.completing import complete_ids
from redun.errors import RedunError
from redun.workspace import Workspace
from redun_backend_sql.commands.repositories import using
from redun_backend_sql.commands.selecting import echo_lines
from redun_backend_sql.database import Database
from redun_backend_sql.query import find_file, find_records
from redun_backend_sql.records import ExecutionRow, JobRow, TaskRow, read_jobs
from redun_backend_sql.why import explain_job

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
    RedunError
        When there is none.
    """
    jobs: dict[str, JobRow] = {}
    for record in find_records(database, key):
        job = _find_job(database, record)
        if job is not None:
            jobs[job.id] = job
    if not jobs and (use := find_file(database, key)) is not None:
        jobs[use.job.id] = use.job
    if not jobs:
        raise RedunError(f"no job is recorded under {key!r}: give the start of an id, a task's name or a file's path")
    return [max(jobs.values(), key=lambda job: job.start_time)] if _is_name(key, jobs) else list(jobs.values())


def _is_name(key: str, jobs: dict[str, JobRow]) -> bool:
    """Whether a key is the name of the task of some jobs, whose definitions may be several."""
    return all(job.task_name == key or job.task_name.endswith(f".{key}") for job in jobs.values())


def _find_job(database: Database, record: object) -> JobRow | None:
    if isinstance(record, JobRow):
        return record
    if isinstance(record, ExecutionRow):
        return record.root
    if isinstance(record, TaskRow):
        rows = database.select_ordered("id", "job", "task_hash", record.hash, _MAX_JOBS, newest=True)
        return max(read_jobs(database, [key for (key,) in rows]), key=lambda job: job.start_time, default=None)
    return None
