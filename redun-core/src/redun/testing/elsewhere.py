"""What the contract of stores lets other processes do: write batches, and run workflows; until they are killed."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import closing
from typing import Any

from redun.backends.base import Backend, Batch
from redun.scheduler import Scheduler, rivals
from redun.testing import workflows
from redun.testing.records import encode, make_batch, make_call, make_evaluation, make_task
from redun.testing.watching import WatchedBackend

SIZE = 20
"""How many evaluations, and how many calls, of each task a batch has."""


def make_written_batch(names: Sequence[str], number: int) -> Batch:
    """Return a batch as a writer writes it, with evaluations and calls of the tasks of some names."""
    tasks = [make_task(name) for name in names]
    args = [[number, index] for index in range(SIZE)]
    evaluations = [make_evaluation(task, arg, encode(["x" * 1_000, *arg])) for task in tasks for arg in args]
    calls = [make_call(task, arg, encode(arg), timestamp=float(number)) for task in tasks for arg in args]
    return make_batch(tasks, evaluations, calls)


def write_batches(backend_type: type[Backend], options: Any, names: Sequence[str], count: int) -> None:
    """Write so many batches once a line was read, and print the number of each that is written."""
    with closing(backend_type(options)) as backend:
        backend.load()
        print("ready", flush=True)
        sys.stdin.readline()
        for number in range(count):
            backend.record(make_written_batch(names, number))
            print(number, flush=True)


def write_until_killed(backend_type: type[Backend], options: Any, method: str, name: str, moment: int) -> None:
    """Write a batch, then another one, and die before its n-th call or return of a function; print how many it has.

    Parameters
    ----------
    method
        How the batches are written: ``"record"`` or ``"journal"``.
    name
        The task of their records.
    moment
        When to die; 0 for never.
    """
    count = 0

    def pass_moment(*_: object) -> None:
        nonlocal count
        count += 1
        if count == moment:
            os.kill(os.getpid(), signal.SIGKILL)

    backend = backend_type(options)
    backend.load()
    write = getattr(backend, method)
    write(make_written_batch([name], 0))
    batch = make_written_batch([name], 1)
    sys.setprofile(pass_moment)
    write(batch)
    sys.setprofile(None)
    print(count, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)  # Without closing the backend, which may write.


class _MortalBackend(WatchedBackend):
    """Kills the process as soon as so many evaluations have been recorded or journaled."""

    def __init__(self, backend: Backend, count: int) -> None:
        super().__init__(backend)
        self._count = count

    def record(self, batch: Batch) -> None:
        super().record(batch)
        self._die_if_due()

    def journal(self, batch: Batch) -> None:
        super().journal(batch)
        self._die_if_due()

    def _die_if_due(self) -> None:
        safe = {evaluation.eval_hash for batch in (*self.batches, *self.journaled) for evaluation in batch.evaluations}
        if len(safe) >= self._count:
            os.kill(os.getpid(), signal.SIGKILL)


def run_until_safe(backend_type: type[Backend], options: Any, count: int, path: str) -> None:
    """Run a workflow that never ends, and die when all of it is recorded, or journaled, that can be."""
    backend = _MortalBackend(backend_type(options), count + 1)  # One for each task that returns.
    with Scheduler(backend=backend) as scheduler:
        scheduler.run(workflows.add_and_wait(count, path))


def run_sums(backend_type: type[Backend], options: Any, start: int, count: int) -> None:
    """Run a workflow once a line was read, and print its value."""
    with Scheduler(backend=backend_type(options)) as scheduler:
        print("ready", flush=True)
        sys.stdin.readline()
        print(json.dumps(scheduler.run(workflows.add_all(list(range(start, start + count))))), flush=True)


def run_visits(backend_type: type[Backend], options: Any, addresses: Sequence[tuple[str, int]], seconds: float) -> None:
    """Run a workflow of calls that wait at gates; print its value, and how many of the calls were made here."""
    rivals.NOTICE_SECONDS = seconds  # How fast this machine is, is not what is tested.
    with Scheduler(backend=backend_type(options)) as scheduler:
        value = scheduler.run([workflows.visit_gate(*address, seconds) for address in addresses])
        print(json.dumps([value, len(workflows.ran)]), flush=True)


def claim(backend_type: type[Backend], options: Any, name: str, eval_hashes: Sequence[str]) -> None:
    """Claim calls, some at a time, once a line was read; print those that were granted, and wait for another line."""
    with closing(backend_type(options)) as backend:
        backend.load()
        share = backend.share(name)
        assert share is not None
        print("ready", flush=True)
        sys.stdin.readline()
        denied: set[str] = set()
        for start in range(0, len(eval_hashes), SIZE):
            denied.update(share.claim(eval_hashes[start : start + SIZE]))
        print(json.dumps([key for key in eval_hashes if key not in denied]), flush=True)
        sys.stdin.readline()
