"""Gathering jobs into arrays, so that a thousand of them are submitted by one request.

Jobs of one kind wait together. A group is *open* while members come; it is *due* when none has come for a while, or
when it is as large as an array may be. Then it is submitted: as arrays, or one by one if it is too small for one.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

from redun.executors.base import Call
from redun.traceback import safe_repr
from redun_remote.errors import WorkerSetupError

T = TypeVar("T")

MAX_ARRAY_SIZE = 10_000
"""How large an array may be at most, on any platform."""

INDEX_VARIABLES = ("AWS_BATCH_JOB_ARRAY_INDEX", "JOB_COMPLETION_INDEX", "BATCH_TASK_INDEX")
"""The environment variables that say which job of an array this is, in the order in which they are looked at."""

_MAX_OPTION = 10_000


def get_job_array_index(
    environment: Mapping[str, str] = os.environ, names: Sequence[str] = INDEX_VARIABLES
) -> int | None:
    """Return which job of an array this process is, counted from 0; None if it is none.

    Parameters
    ----------
    environment
        The environment variables.
    names
        Those that may say so.

    Raises
    ------
    WorkerSetupError
        When the variable has something else than a number.

    Examples
    --------
    >>> get_job_array_index({"AWS_BATCH_JOB_ARRAY_INDEX": "3"}), get_job_array_index({})
    (3, None)
    """
    name = next((name for name in names if name in environment), None)
    if name is None:
        return None
    if not environment[name].isdecimal():
        raise WorkerSetupError(f"the index of a job in its array must be a number; {name} is {environment[name]!r}")
    return int(environment[name])


class JobDescription(NamedTuple):
    """What the calls of an array have in common: the task, and the options that say how it runs."""

    task_name: str
    options: tuple[tuple[str, str], ...]


def group_calls(call: Call) -> JobDescription | None:
    """Return with which other calls one may be in an array; None for a script, which may be in none.

    Examples
    --------
    >>> call = Call("demo.add", print, [1], {}, {"memory": 4, "image": "a"}, "0a", "1", "workflow", False)
    >>> group_calls(call) == group_calls(call._replace(args=[2], options={"image": "a", "memory": 4}))
    True
    """
    if call.is_script:
        return None
    shown = {name: safe_repr(value, _MAX_OPTION) for name, value in call.options.items()}
    return JobDescription(call.task_name, (("may_reuse", str(call.may_reuse)), *sorted(shown.items())))


def split_group(members: Sequence[T], min_size: int, max_size: int) -> list[Sequence[T]]:
    """Return the batches in which the members of a group are submitted: arrays, and batches of one.

    Parameters
    ----------
    members
        The members, in order.
    min_size
        How many make an array at least; 0 for no arrays.
    max_size
        How many an array may have.

    Examples
    --------
    >>> split_group("abcdefgh", 2, 5), split_group("abc", 4, 5), split_group("abcdef", 2, 5)
    (['abcde', 'fgh'], ['a', 'b', 'c'], ['abcde', 'f'])
    """
    batches: list[Sequence[T]] = []
    for start in range(0, len(members), max_size):
        part = members[start : start + max_size]
        batches += [part] if min_size and len(part) >= max(min_size, 2) else [part[n : n + 1] for n in range(len(part))]
    return batches


class JobArrayer(Generic[T]):
    """Gathers jobs, and submits them in batches from a thread of its own.

    Parameters
    ----------
    submit_jobs
        Submits a batch: an array of jobs of one group, or a single job. Called by one thread at a time.
    on_error
        Called with what `submit_jobs` raised, and the batch.
    submit_interval
        How long to wait between two batches at least, in seconds.
    stale_time
        How long a group waits for another member, in seconds.
    min_array_size
        How many jobs make an array at least; 0 for no arrays.
    max_array_size
        How many jobs an array has at most, no more than `MAX_ARRAY_SIZE`.
    group
        Returns what jobs of an array have in common, or None for one that is always submitted alone; by default jobs
        are calls.

    Raises
    ------
    ValueError
        When an array would have to be larger than it may be.

    Examples
    --------
    >>> arrayer = JobArrayer(print, print, stale_time=60, min_array_size=2, max_array_size=3, group=len)
    >>> for word in ("one", "two", "four", "six", "ten"):
    ...     arrayer.add(word)
    >>> arrayer.stop()
    ['one', 'two', 'six']
    ['four']
    ['ten']
    """

    def __init__(
        self,
        submit_jobs: Callable[[Sequence[T]], None],
        on_error: Callable[[Exception, Sequence[T]], None],
        submit_interval: float = 0.0,
        stale_time: float = 3.0,
        min_array_size: int = 5,
        max_array_size: int = 1000,
        group: Callable[[Any], Hashable | None] = group_calls,
    ) -> None:
        if max_array_size < max(min_array_size, 1):
            raise ValueError(
                f"max_array_size = {max_array_size} is smaller than min_array_size = {min_array_size}, or than 1"
            )
        self._submit_jobs = submit_jobs
        self._on_error = on_error
        self._group = group
        self._stale_time = stale_time
        self._min_size = min_array_size
        self._max_size = min(max_array_size, MAX_ARRAY_SIZE)
        self._interval = submit_interval
        self._changed = threading.Condition()
        self._open: dict[Hashable, list[T]] = {}
        self._deadlines: dict[Hashable, float] = {}
        self._due: list[Sequence[T]] = []
        self._is_stopping = False
        self._thread: threading.Thread | None = None

    def add(self, job: T) -> None:
        """Take a job."""
        self.add_many([job])

    def add_many(self, jobs: Iterable[T]) -> None:
        """Take jobs. Those of a group that fills up, and those that are submitted alone, are due at once."""
        now = time.monotonic()
        with self._changed:
            for job in jobs:
                key = self._group(job) if self._min_size else None
                if key is None:
                    self._due.append([job])
                    continue
                members = self._open.setdefault(key, [])
                members.append(job)
                self._deadlines[key] = now + self._stale_time
                if len(members) >= self._max_size:
                    self._close(key)
            self._start()
            self._changed.notify()

    def remove(self, job: T) -> bool:
        """Take a job back, if it has not been submitted; return whether that was so."""
        with self._changed:
            for key, members in self._open.items():
                if job in members:
                    members.remove(job)
                    if not members:
                        del self._open[key], self._deadlines[key]
                    return True
            for number, batch in enumerate(self._due):
                if job in batch:
                    self._due[number : number + 1] = [rest] if (rest := [each for each in batch if each != job]) else []
                    return True
        return False

    def count(self) -> int:
        """Return how many jobs have not been submitted."""
        with self._changed:
            return sum(map(len, self._open.values())) + sum(map(len, self._due))

    def stop(self) -> None:
        """Submit what is left, and end the thread. `add` may follow."""
        with self._changed:
            self._is_stopping = True
            self._changed.notify()
            thread = self._thread
        if thread is not None:
            thread.join()

    def _start(self) -> None:
        if self._thread is None:
            self._is_stopping = False
            self._thread = threading.Thread(target=self._run, name="redun-arrayer", daemon=True)
            self._thread.start()

    def _close(self, key: Hashable) -> None:
        """Make a group due."""
        del self._deadlines[key]
        self._due += split_group(self._open.pop(key), self._min_size, self._max_size)

    def _run(self) -> None:
        while (batch := self._wait()) is not None:
            try:
                self._submit_jobs(batch)
            except Exception as error:
                self._on_error(error, batch)

    def _wait(self) -> Sequence[T] | None:
        """Return the next batch when it is due; None when there is nothing left and the arrayer is to stop."""
        with self._changed:
            if self._interval and not self._is_stopping:
                self._changed.wait_for(lambda: self._is_stopping, self._interval)
            while True:
                now = time.monotonic()
                for key in [key for key, deadline in self._deadlines.items() if self._is_stopping or deadline <= now]:
                    self._close(key)
                if self._due:
                    return self._due.pop(0)
                if self._is_stopping:
                    self._thread = None
                    return None
                self._changed.wait(min(self._deadlines.values()) - now if self._deadlines else None)
