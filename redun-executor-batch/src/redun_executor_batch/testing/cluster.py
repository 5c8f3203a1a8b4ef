"""Where jobs wait, run and end: a queue, so many processors, and one process for each attempt.

One thread moves jobs from the queue to processors; each attempt has a thread that starts its process, passes on what it
prints, and says how it ended. What a process has started ends with it, as with a container.
"""

from __future__ import annotations

import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from redun_executor_batch.testing.faults import Faults
from redun_executor_batch.testing.jobs import (
    EXITED,
    NO_MEMORY,
    NOT_STARTED,
    RECLAIMED,
    TIMED_OUT,
    Attempt,
    Job,
    find_fault,
    fits,
    is_tried_again,
    roll_up,
)
from redun_executor_batch.testing.log_events import LogService
from redun_executor_batch.testing.processes import Launcher, Process

_TICK = 0.02
_RECLAIM_DELAY = 0.1


@dataclass
class Settings:
    """What the machines are like.

    Attributes
    ----------
    vcpus : float
        How many processors there are.
    grace : float
        How many seconds a job that is to end has after SIGTERM.
    pace : float
        How much faster the time of timeouts passes.
    images : dict of str to str
        The programs that images have, as a search path; others have those of this machine.
    environment : dict of str to str
        The variables of every job.
    """

    vcpus: float = 4
    grace: float = 2
    pace: float = 1
    images: dict[str, str] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)


@dataclass
class _Run:
    """An attempt that runs.

    Attributes
    ----------
    process : Process
        Its process.
    since : float
        When it was started, on the monotonic clock.
    cause : str
        Why it has been ended or will be, empty if it has not.
    kill_at : float
        When it is ended for good.
    """

    process: Process
    since: float
    cause: str = ""
    kill_at: float = float("inf")


class Cluster:
    """Runs jobs.

    Parameters
    ----------
    logs
        Where what they print goes.
    faults
        What goes wrong.
    settings
        What the machines are like.

    Attributes
    ----------
    jobs : dict of str to Job
        What is known, by id.
    changed : Condition
        To be held while jobs are looked at; notified when something changes.
    prepare : Callable
        Called before the first job is started.
    """

    def __init__(self, logs: LogService, faults: Faults, settings: Settings) -> None:
        self.jobs: dict[str, Job] = {}
        self.changed = threading.Condition(threading.RLock())
        self.settings = settings
        self.prepare: Callable[[], None] = lambda: None
        self._logs = logs
        self._faults = faults
        self._launcher = Launcher(lambda: self.prepare())
        self._queue: list[Job] = []
        self._used = 0.0
        self._runs: dict[str, _Run] = {}
        self._is_open = True
        threading.Thread(target=self._work, name="cluster", daemon=True).start()

    def add(self, job: Job) -> None:
        """Take a job in, with its children."""
        with self.changed:
            for part in (job, *job.children):
                self.jobs[part.id] = part
                _enter(part, "SUBMITTED")
                if part.container is not None:
                    self._queue.append(part)
            if job.children:
                _enter(job, "PENDING")
            self.changed.notify_all()

    def forget(self, job_id: str) -> None:
        """Remove a job from what is known; what runs goes on."""
        with self.changed:
            self.jobs.pop(job_id, None)

    def end(self, job: Job, reason: str) -> None:
        """End a job, whatever its status, as TerminateJob does."""
        with self.changed:
            job.ordered = job.ordered or reason
            for child in job.children:
                self.end(child, reason)
            if job.id in self._runs:
                self._stop(self._runs[job.id], "ordered")
            elif job in self._queue:
                self._queue.remove(job)
                self._finish(job, "FAILED", reason)
            self.changed.notify_all()

    def reclaim(self, job_id: str) -> bool:
        """Take its machine away from a job; return whether it ran."""
        with self.changed:
            run = self._runs.get(job_id)
            if run is not None:
                self._stop(run, "reclaimed", 0)
            return run is not None

    def exhaust(self, job_id: str) -> bool:
        """End a job as one that used too much memory; return whether it ran."""
        with self.changed:
            run = self._runs.get(job_id)
            if run is not None:
                self._stop(run, "memory", 0)
            return run is not None

    def clear(self) -> None:
        """End all jobs and forget them."""
        with self.changed:
            for job in self.jobs.values():
                job.ordered = job.ordered or "everything is over"
            self._queue.clear()
            self.jobs.clear()
            for run in self._runs.values():
                run.process.kill()

    def close(self) -> None:
        """End everything."""
        with self.changed:
            self._is_open = False
            self.clear()
            self.changed.notify_all()

    def _work(self) -> None:
        with self.changed:
            while self._is_open:
                self._start_what_fits()
                now = time.monotonic()
                for job_id, run in self._runs.items():
                    limit = self.jobs[job_id].timeout if job_id in self.jobs else None
                    if limit is not None and (now - run.since) * self.settings.pace > limit:
                        self._stop(run, "timeout")
                    if now > run.kill_at:
                        run.process.kill()
                self.changed.wait(_TICK if self._runs or self._queue else None)

    def _start_what_fits(self) -> None:
        waiting = []
        for place, job in enumerate(self._queue):
            assert job.container is not None
            if job.status == "SUBMITTED":
                _enter(job, "RUNNABLE")
            if self._used >= self.settings.vcpus and not self._faults.hold:
                waiting += self._queue[place:]
                break
            is_held = any(fits(pattern, job.label) for pattern in self._faults.hold)
            if is_held or self._used + job.container.vcpus > self.settings.vcpus:
                waiting.append(job)
                continue
            self._used += job.container.vcpus
            _enter(job, "STARTING")
            name = job.definition.rpartition("/")[2].partition(":")[0]
            job.attempts.append(Attempt(f"{name}/default/{uuid.uuid4().hex}"))
            threading.Thread(target=self._run, args=(job, job.attempts[-1]), daemon=True).start()
        self._queue = waiting
        for job in waiting:
            if job.status == "SUBMITTED":
                _enter(job, "RUNNABLE")

    def _stop(self, run: _Run, cause: str, grace: float | None = None) -> None:
        if not run.cause:
            run.cause = cause
            run.kill_at = time.monotonic() + (self.settings.grace if grace is None else grace)
            if grace is None:
                run.process.terminate()
            else:
                run.process.kill()

    def _run(self, job: Job, attempt: Attempt) -> None:
        """Run one attempt of a job to its end."""
        with tempfile.TemporaryDirectory(prefix="redun-batch-", ignore_cleanup_errors=True) as folder:
            refused = find_fault(self._faults.refuse, job)
            try:
                if refused is not None:
                    raise OSError(refused)
                assert job.container is not None
                process = self._launcher.launch(job.container.command, self._environment(job, folder), folder)
            except OSError as error:
                attempt.reason = str(refused or f"CannotStartContainerError: {_explain(error)}")
                attempt.status_reason = NOT_STARTED
                self._conclude(job, attempt, False)
                return
            run = self._begin(job, attempt, process)
            reader = threading.Thread(target=self._log, args=(attempt, process), daemon=True)
            reader.start()
            code = process.wait()
            reader.join()
        self._note_end(job, attempt, run.cause, code)
        self._conclude(job, attempt, code == 0 and not run.cause)

    def _log(self, attempt: Attempt, process: Process) -> None:
        for lines in process.read_lines():
            self._logs.write(attempt.log_stream, lines)

    def _begin(self, job: Job, attempt: Attempt, process: Process) -> _Run:
        with self.changed:
            run = self._runs[job.id] = _Run(process, time.monotonic())
            attempt.started_at = _now()
            _enter(job, "RUNNING")
            assert job.container is not None
            if job.ordered is not None or not self._is_open:
                self._stop(run, "ordered")
            elif job.container.memory < (find_fault(self._faults.memory, job) or 0):
                self._stop(run, "memory", 0)
            elif len(job.attempts) <= (find_fault(self._faults.reclaim, job) or 0):
                run.cause, run.kill_at = "reclaimed", time.monotonic() + _RECLAIM_DELAY  # Even if it is quicker.
            self.changed.notify_all()
        return run

    def _note_end(self, job: Job, attempt: Attempt, cause: str, code: int) -> None:
        attempt.exit_code = None if cause == "reclaimed" else code
        attempt.reason = NO_MEMORY if cause == "memory" else None
        reasons = {"reclaimed": RECLAIMED, "timeout": TIMED_OUT, "ordered": job.ordered}
        attempt.status_reason = reasons.get(cause) or EXITED

    def _conclude(self, job: Job, attempt: Attempt, succeeded: bool) -> None:
        """Write down how an attempt ended, and go on from there."""
        with self.changed:
            self._runs.pop(job.id, None)
            assert job.container is not None
            self._used -= job.container.vcpus
            attempt.stopped_at = _now()
            if not succeeded and is_tried_again(job):
                job.status_reason = attempt.status_reason
                _enter(job, "RUNNABLE")
                self._queue.append(job)
            else:
                self._finish(job, "SUCCEEDED" if succeeded else "FAILED", attempt.status_reason)
            self.changed.notify_all()

    def _finish(self, job: Job, status: str, reason: str | None) -> None:
        job.status_reason = reason
        job.stopped_at = _now()
        _enter(job, status)
        parent = job.parent
        if parent is None or parent.is_final:
            return
        if job.node == 0:
            for child in parent.children:
                if not child.is_final:
                    self.end(child, "Main node exited")
        ended = roll_up(parent)
        if ended is not None:
            self._finish(parent, ended, None if ended == "SUCCEEDED" else reason)

    def _environment(self, job: Job, folder: str) -> Mapping[str, str]:
        assert job.container is not None
        path = self.settings.images.get(job.container.image)
        known = {
            **self.settings.environment,
            **({} if path is None else {"PATH": path}),
            "HOME": folder,
            "AWS_BATCH_JOB_ID": job.id,
            "AWS_BATCH_JOB_ATTEMPT": str(len(job.attempts)),
            "AWS_BATCH_JQ_NAME": job.queue.rpartition("/")[2],
            "AWS_BATCH_CE_NAME": "endpoint",
        }
        if job.index is not None:
            known["AWS_BATCH_JOB_ARRAY_INDEX"] = str(job.index)
        if job.node is not None and job.parent is not None:
            known["AWS_BATCH_JOB_NODE_INDEX"] = str(job.node)
            known["AWS_BATCH_JOB_MAIN_NODE_INDEX"] = "0"
            known["AWS_BATCH_JOB_NUM_NODES"] = str(len(job.parent.children))
        return {**known, **job.container.environment}


def _enter(job: Job, status: str) -> None:
    job.history.append((time.time(), status))


def _now() -> int:
    return round(time.time() * 1000)


def _explain(error: OSError) -> Any:
    if isinstance(error, FileNotFoundError):
        return f'failed to create task for container: exec: "{error.filename}": executable file not found in $PATH'
    return error
