"""The calls of recorded jobs, with all of their arguments, so that they can be made again."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from redun.backends.base import JobCall
from redun.control import root_task
from redun.errors import BackendError
from redun.values.codec import EncodedValue
from redun_backend_sql.database import Database
from redun_backend_sql.meant import list_meant, take_one
from redun_backend_sql.records import ExecutionRow, JobRow, read_jobs

_KINDS: tuple[type[ExecutionRow | JobRow], ...] = (ExecutionRow, JobRow)
_ARGUMENTS = "SELECT arg_position, arg_key, value_hash FROM argument WHERE call_hash = ? ORDER BY arg_position, arg_key"
_FORMATS = "SELECT value_hash, type, format FROM value WHERE value_hash IN ({keys})"
_IDS = "SELECT id FROM job WHERE id >= ? AND id < ? ORDER BY id LIMIT 1000"
_TAGS = "SELECT entity_id, key, value FROM tag WHERE is_current AND entity_type = 'Job' AND entity_id IN ({keys})"
_SOURCE = "SELECT source FROM task WHERE hash = ?"
_ARGV = "SELECT args FROM execution WHERE id = ?"
_CHILDREN = "SELECT id FROM job WHERE parent_id = ? LIMIT 2"

ReadBytes = Callable[[Sequence[str]], Mapping[str, bytes]]


def find_job_call(database: Database, key: str, read_bytes: ReadBytes) -> JobCall | None:
    """Return the call of the job that a user means by a key; None if there is none.

    Parameters
    ----------
    database
        The database.
    key
        The start of an id, ``-`` or ``~n``; an execution stands for the call of its workflow.
    read_bytes
        Reads the bytes of values, wherever they are.

    Raises
    ------
    BackendError
        When the key stands for several jobs, or the arguments of the job are not recorded.
    """
    found = list_meant(database, key, _KINDS)
    jobs = {job.id: job for job in (_find_job(database, record) for record in found) if job is not None}
    if not jobs:
        return None
    job = take_one(key, list(jobs.values()))
    if job.call_hash is None:
        raise BackendError(f"job {job.id[:8]} of task {job.task_name} has not ended, so its arguments are not recorded")
    places = database.select(_ARGUMENTS, job.call_hash)
    values = _read_values(database, [value_hash for *_, value_hash in places], read_bytes)
    for position, name, value_hash in places:
        if value_hash not in values:
            place = name if name is not None else position
            raise BackendError(f"argument {place!r} of job {job.id[:8]} is not in the store any more")
    return JobCall(
        job.id,
        job.task_name,
        [values[value_hash] for position, _, value_hash in places if position is not None],
        {name: values[value_hash] for _, name, value_hash in places if name is not None},
        "".join(source for (source,) in database.select(_SOURCE, job.task_hash)),
        [word for (argv,) in database.select(_ARGV, job.execution_id) for word in json.loads(argv)],
    )


def find_job_tags(database: Database, key: str) -> Mapping[str, Mapping[str, Any]]:
    """Return the tags of the jobs whose ids begin with a key, by job."""
    tags: dict[str, dict[str, Any]] = {job_id: {} for (job_id,) in database.select(_IDS, key, f"{key}~")}
    for job_id, name, value in database.select_in(_TAGS, list(tags)) if tags else ():
        tags[job_id][name] = json.loads(value)
    return tags


def _find_job(database: Database, record: ExecutionRow | JobRow) -> JobRow | None:
    """Return the job of a record: of an execution its root, or the job that its workflow consists of."""
    job = record if isinstance(record, JobRow) else record.root
    if job is not None and job.task_name == root_task.fullname:
        children = [key for (key,) in database.select(_CHILDREN, job.id)]
        if len(children) != 1:
            raise BackendError(f"the workflow of execution {job.execution_id[:8]} is no single call: name a job of it")
        [job] = read_jobs(database, children)
    return job


def _read_values(database: Database, hashes: Sequence[str], read_bytes: ReadBytes) -> Mapping[str, EncodedValue]:
    rows = database.select_in(_FORMATS, list(set(hashes)))
    data = read_bytes([key for key, *_ in rows])
    return {key: EncodedValue(key, kind, form, data[key]) for key, kind, form in rows if key in data}
