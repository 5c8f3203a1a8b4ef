"""A sign of life in the scratch space, so that jobs that nobody waits for can be told from others.

Each session writes a file every minute while it has jobs, with the jobs of earlier schedulers that it waits for, and
removes it at its end. A job whose scheduler has left no recent sign, and for which no other one waits, is an orphan.
"""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple
from uuid import uuid4

from redun.logging import logger
from redun_executor_batch.api import BatchApi
from redun_executor_batch.endings import IN_FLIGHT
from redun_executor_batch.requests import read_job_name
from redun_remote.storage import read_if_exists, remove, write_bytes
from redun_value_file.filesystems import get_filesystem
from redun_value_file.schemes import join_path

SCHEDULER_TAG = "redun_scheduler"
_INTERVAL = 60.0


class Presence:
    """The sign of life of one session.

    Parameters
    ----------
    scratch
        The scratch space.

    Attributes
    ----------
    id : str
        What jobs of the session are tagged with.
    """

    def __init__(self, scratch: str) -> None:
        self.id = uuid4().hex
        self._path = _locate(scratch, self.id)
        self._adopted: set[str] = set()
        self._written = float("-inf")

    def adopt(self, job_ids: Iterable[str]) -> None:
        """Say that this session waits for jobs of earlier ones."""
        self._adopted.update(job_id.partition(":")[0] for job_id in job_ids)
        self._written = float("-inf")

    def show(self) -> None:
        """Write the sign, if the last one is not new."""
        now = time.monotonic()
        if now - self._written < _INTERVAL:
            return
        self._written = now
        sign = {"time": time.time(), "host": socket.gethostname(), "adopted": sorted(self._adopted)}
        try:
            write_bytes(self._path, json.dumps(sign).encode())
        except OSError as error:
            logger.warning("the sign of life %s can't be written: %s", self._path, error)

    def end(self) -> None:
        """Remove the sign."""
        if self._written > float("-inf"):
            try:
                remove(self._path)
            except OSError as error:
                logger.warning("the sign of life %s can't be removed: %s", self._path, error)


class Orphan(NamedTuple):
    """A job that nobody waits for: what AWS Batch says of it, and since when nobody is there, if that is known."""

    job: Mapping[str, Any]
    since: float | None


def find_orphans(api: BatchApi, queue: str, prefix: str, scratch: str, seconds: float) -> list[Orphan]:
    """Return the jobs of a queue that nobody waits for.

    Parameters
    ----------
    api
        AWS Batch.
    queue
        The queue.
    prefix
        What the names of jobs begin with.
    scratch
        The scratch space of those who may wait for them.
    seconds
        How old a sign of life may be.
    """
    listed = [job["jobId"] for job in api.list_jobs(queue, IN_FLIGHT) if read_job_name(prefix, job["jobName"])]
    described = api.describe_all(listed)
    signs = {scheduler: _read(scratch, scheduler) for scheduler in list_schedulers(scratch)}
    alive = {name: sign for name, sign in signs.items() if time.time() - float(sign.get("time", 0)) <= seconds}
    adopted = {job_id for sign in alive.values() for job_id in sign.get("adopted", ())}
    orphans = []
    for job_id in listed:
        job = described.get(job_id)
        scheduler = (job or {}).get("tags", {}).get(SCHEDULER_TAG)
        if job is None or scheduler is None or scheduler in alive or job_id in adopted:
            continue
        if time.time() - job["createdAt"] / 1000 <= seconds:  # Its scheduler may not have left its first sign yet.
            continue
        orphans.append(Orphan(job, signs.get(scheduler, {}).get("time")))
    return orphans


def list_schedulers(scratch: str) -> Sequence[str]:
    """Return the ids of the sessions that have left a sign."""
    folder = join_path(scratch, "schedulers")
    return [path.rpartition("/")[2].removesuffix(".json") for path in get_filesystem(url=folder).iter_files(folder)]


def _read(scratch: str, scheduler: str) -> Mapping[str, Any]:
    data = read_if_exists(_locate(scratch, scheduler))
    try:
        sign = json.loads(data or b"{}")
    except ValueError:
        return {}
    return sign if isinstance(sign, dict) else {}


def _locate(scratch: str, scheduler: str) -> str:
    return join_path(scratch, f"schedulers/{scheduler}.json")
