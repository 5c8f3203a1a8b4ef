"""Jobs that an earlier scheduler submitted and that still are in flight: they are waited for, not submitted again."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any

from redun.logging import logger
from redun_executor_batch.api import BatchApi
from redun_executor_batch.endings import FAILED, IN_FLIGHT
from redun_executor_batch.requests import read_job_name
from redun_remote.jobs import read_array_hashes


class InFlight:
    """The jobs of queues that were in flight when they were first asked for.

    Parameters
    ----------
    api
        AWS Batch.
    scratch
        The scratch space, which knows the parts of arrays.
    """

    def __init__(self, api: BatchApi, scratch: str) -> None:
        self._api = api
        self._scratch = scratch
        self._lock = threading.Lock()
        self._found: dict[tuple[str, str], dict[str, str]] = {}

    def find(self, queue: str, prefix: str, names: Sequence[str]) -> dict[str, str]:
        """Return the ids of the jobs in flight of calls, by the name of the call; jobs that have failed are left out.

        Parameters
        ----------
        queue
            The job queue.
        prefix
            What the names of jobs begin with.
        names
            The names of the calls.
        """
        with self._lock:
            if (queue, prefix) not in self._found:
                self._found[queue, prefix] = self._list(queue, prefix)
            known = self._found[queue, prefix]
            found = {name: known.pop(name) for name in names if name in known}
        if not found:
            return {}
        described = self._api.describe_all(list(found.values()))
        return {name: job_id for name, job_id in found.items() if _is_of_use(described.get(job_id))}

    def _list(self, queue: str, prefix: str) -> dict[str, str]:
        jobs: dict[str, str] = {}
        for job in self._api.list_jobs(queue, IN_FLIGHT):
            read = read_job_name(prefix, job["jobName"])
            if read is None:
                continue
            name, is_array = read
            if is_array:
                jobs.update(self._list_parts(name, job["jobId"]))
            else:
                jobs[name] = job["jobId"]
        if jobs:
            logger.info("AWS Batch: %d jobs of earlier executions are in flight in queue %s", len(jobs), queue)
        return jobs

    def _list_parts(self, name: str, array_id: str) -> dict[str, str]:
        try:
            names = read_array_hashes(self._scratch, name)
        except OSError as error:
            logger.debug("the parts of array %s can't be read: %s", array_id, error)
            return {}
        return {part: f"{array_id}:{index}" for index, part in enumerate(names)}


def _is_of_use(job: Mapping[str, Any] | None) -> bool:
    return job is not None and job["status"] != FAILED
