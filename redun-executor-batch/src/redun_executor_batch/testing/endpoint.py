"""A handle on the endpoint's process: start it, steer it, stop it."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from redun.errors import ExecutorError

_LOOK_SECONDS = 0.02

QUEUE = "redun-queue"
BUCKET = "redun-bucket"


class BatchEndpoint:
    """AWS Batch, CloudWatch Logs, STS and S3 on this machine, in a process of their own.

    The commands of jobs run as processes of this machine. The endpoint ends when `stop` is called, and when the process
    that started it is gone; jobs end with it.

    Parameters
    ----------
    folder
        Where S3 keeps its objects, also for a later endpoint; by default they are lost when it ends.
    vcpus
        How many processors jobs can have together.
    buckets
        Buckets that are there from the start.
    queues
        The job queues.

    Attributes
    ----------
    url : str
        The address, once it has been started.
    bucket, queue : str
        The first of the buckets and queues.

    Examples
    --------
    >>> with BatchEndpoint() as endpoint:
    ...     sorted(endpoint.environment())[:2]
    ['AWS_ACCESS_KEY_ID', 'AWS_DEFAULT_REGION']
    """

    def __init__(
        self,
        folder: Path | None = None,
        vcpus: float = 4,
        buckets: Sequence[str] = (BUCKET,),
        queues: Sequence[str] = (QUEUE,),
    ) -> None:
        self._buckets, self._queues = buckets or [BUCKET], queues or [QUEUE]
        self.bucket, self.queue, self.url = self._buckets[0], self._queues[0], ""
        self._folder = folder
        self._vcpus = vcpus
        self._process: subprocess.Popen[str] | None = None
        self._temporary: tempfile.TemporaryDirectory[str] | None = None

    def start(self) -> None:
        """Start the process and wait until it answers.

        Raises
        ------
        ExecutorError
            When it does not start.
        """
        if self._folder is None:
            self._temporary = tempfile.TemporaryDirectory(prefix="redun-endpoint-")
        folder = self._folder or Path(self._temporary.name if self._temporary else "")
        module = "redun_executor_batch.testing"
        queues = [word for queue in self._queues for word in ("--queue", queue)]
        command = [sys.executable, "-m", module, "--folder", str(folder), *queues]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,  # Ctrl-C is for the run, which still needs the endpoint to end its jobs.
        )
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().strip()
        if not self.url:
            self.stop()
            raise ExecutorError("the endpoint for trying AWS Batch does not start; see what it printed above")
        self.configure(vcpus=self._vcpus)
        for bucket in self._buckets:
            self._ask("PUT", f"/{bucket}")

    def stop(self) -> None:
        """Stop the process, with all jobs."""
        process, self._process = self._process, None
        if process is not None:
            process.communicate()
        if self._temporary is not None:
            self._temporary.cleanup()
            self._temporary = None

    def environment(self) -> dict[str, str]:
        """Return the environment variables with which programs talk to the endpoint."""
        from redun_executor_batch.testing.__main__ import make_client_environment

        return make_client_environment(self.url)

    def set_faults(self, **faults: Any) -> None:
        """Let things go wrong; the names are those of `redun_executor_batch.testing.faults.Faults`."""
        self._ask("PUT", "/_control/faults", faults)

    def clear_faults(self) -> None:
        """Let nothing go wrong any more."""
        self._ask("DELETE", "/_control/faults")

    def configure(self, **settings: Any) -> None:
        """Change what machines are like; the names are those of `redun_executor_batch.testing.cluster.Settings`."""
        self._ask("PUT", "/_control/settings", settings)

    def reset(self, vcpus: float) -> None:
        """Bring back the first state: no faults, no jobs, no calls; objects stay."""
        self._ask("DELETE", "/_control/jobs")
        self.clear_faults()
        self.configure(vcpus=vcpus, grace=2, pace=1, images={})
        self.calls(forget=True)

    def calls(self, operation: str | None = None, forget: bool = False) -> list[dict[str, Any]]:
        """Return which requests were made, in order, all or those of an operation."""
        found = self._ask("DELETE" if forget else "GET", "/_control/calls")
        return [call for call in found if operation in (None, call["operation"])]

    def jobs(self) -> list[dict[str, Any]]:
        """Return all jobs with what is known of them, children too."""
        found: list[dict[str, Any]] = self._ask("GET", "/_control/jobs")
        return found

    def wait_for(self, condition: Callable[[list[dict[str, Any]]], bool], seconds: float = 60) -> None:
        """Wait until what is known of all jobs fulfils a condition.

        Raises
        ------
        TimeoutError
            When that takes longer.
        """
        until = time.monotonic() + seconds
        while not condition(found := self.jobs()):
            if time.monotonic() > until:
                raise TimeoutError(f"it did not come to this in {seconds:g} seconds; jobs are {found}")
            time.sleep(_LOOK_SECONDS)

    def reclaim(self, job_id: str) -> bool:
        """Take the machine away from a running job; return whether there was one."""
        return bool(self._ask("POST", f"/_control/jobs/{job_id}", {"do": "reclaim"}))

    def exhaust(self, job_id: str) -> bool:
        """End a running job for its use of memory; return whether there was one."""
        return bool(self._ask("POST", f"/_control/jobs/{job_id}", {"do": "exhaust"}))

    def forget(self, job_id: str) -> None:
        """Let a job not be known any more, as a day after its end."""
        self._ask("POST", f"/_control/jobs/{job_id}", {"do": "forget"})

    def _ask(self, method: str, path: str, content: Any = None) -> Any:
        body = None if content is None else json.dumps(content).encode()
        request = urllib.request.Request(self.url + path, data=body, method=method)  # noqa: S310
        try:
            with urllib.request.urlopen(request) as answer:  # noqa: S310
                text = answer.read()
        except urllib.error.HTTPError as error:
            with error:
                raise ExecutorError(f"the endpoint refuses {path}: {error.read().decode()}") from None
        return json.loads(text) if text else None

    def __enter__(self) -> BatchEndpoint:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()
