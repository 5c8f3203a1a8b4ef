"""Limits: how much of a named resource the calls of a scheduler may hold together.

A task asks for units of resources with its option ``limits``; the configuration section ``[limits]`` says how many
there are, one of each that it does not name. A call holds its units from its start to the end of its function; calls
answered from the cache hold none. Calls that have to wait start in the order in which they came: none overtakes
another one that waits for a resource they share. A coroutine holds its units while it awaits other calls, too: they
stand for what it has in hand, such as a connection.
"""

from __future__ import annotations

import heapq
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import count
from typing import Any, NamedTuple

from redun.errors import ConfigError, SchedulerError
from redun.scheduler.job import Job

DEFAULT_CAPACITY = 1
"""How many units there are of a resource that the configuration does not name."""

Request = Mapping[str, int]


class _Waiting(NamedTuple):
    order: int
    job: Job
    request: Request


class Starved(NamedTuple):
    """A job that waited, a resource of which there was not enough for it, and the jobs that hold that."""

    job: Job
    resource: str
    holders: Sequence[Job]


class Limits:
    """The resources of one execution, who holds them and who waits for them.

    Parameters
    ----------
    capacities
        How many units there are, by resource.
    """

    def __init__(self, capacities: Mapping[str, int]) -> None:
        self._capacities = capacities
        self._used: Counter[str] = Counter()
        self._held: dict[str, tuple[Job, Request]] = {}
        self._queues: dict[frozenset[str], deque[_Waiting]] = {}
        self._order = count()

    def admit(self, job: Job) -> bool:
        """Return whether a job may start now, holding what it asks for; otherwise it waits until `release` returns it.

        Raises
        ------
        SchedulerError
            When it asks for more than there is, or for what is no number of units.
        """
        wanted = job.options.get("limits")
        if not wanted:
            return True
        request = read_request(wanted, job.task.fullname)
        for name, units in request.items():
            if units > self._capacity(name):
                raise SchedulerError(
                    f"task {job.task.fullname} asks for {units} of limit {name!r}, of which there are only "
                    f"{self._capacity(name)}; raise it in section [limits] of redun.ini, or ask for less"
                )
        names = frozenset(request)
        if self._fits(request) and not any(queued & names for queued in self._queues):
            self._take(job, request)
            return True
        self._queues.setdefault(names, deque()).append(_Waiting(next(self._order), job, request))
        return False

    def release(self, job: Job) -> list[Job]:
        """Give back what a job holds, and return the waiting jobs that may start now; they hold theirs."""
        held = self._held.pop(job.id, None)
        if held is None:
            return []
        self._used.subtract(held[1])
        return self.start_waiting()

    def forget_waiting(self, is_given_up: Callable[[Job], object] = lambda job: True) -> list[Job]:
        """Give up jobs that wait, all or some, and return them."""
        forgotten = []
        for names, queue in list(self._queues.items()):
            forgotten += [waiting.job for waiting in queue if is_given_up(waiting.job)]
            left = deque(waiting for waiting in queue if not is_given_up(waiting.job))
            if left:
                self._queues[names] = left
            else:
                del self._queues[names]
        return forgotten

    def forget_longest_waiting(self) -> Starved | None:
        """Give up the job that has waited longest, and return why it had to wait; None if none waits."""
        if not self._queues:
            return None
        names = min(self._queues, key=lambda names: self._queues[names][0].order)
        _, job, request = self._queues[names].popleft()
        if not self._queues[names]:
            del self._queues[names]
        resource = next(name for name, units in request.items() if not self._has_room(name, units))
        return Starved(job, resource, [holder for holder, held in self._held.values() if resource in held])

    def start_waiting(self) -> list[Job]:
        """Start waiting jobs in their order; one that does not fit keeps its resources from all that came later."""
        started: list[Job] = []
        blocked: set[str] = set()
        heads = [(queue[0].order, names) for names, queue in self._queues.items()]
        heapq.heapify(heads)
        while heads:
            _, names = heapq.heappop(heads)
            queue = self._queues[names]
            waiting = queue[0]
            if blocked & names or not self._fits(waiting.request):
                blocked |= names
                continue
            queue.popleft()
            self._take(waiting.job, waiting.request)
            started.append(waiting.job)
            if queue:
                heapq.heappush(heads, (queue[0].order, names))
            else:
                del self._queues[names]
        return started

    def _take(self, job: Job, request: Request) -> None:
        self._held[job.id] = job, request
        self._used.update(request)

    def _fits(self, request: Request) -> bool:
        return all(self._has_room(name, units) for name, units in request.items())

    def _has_room(self, name: str, units: int) -> bool:
        return self._used[name] + units <= self._capacity(name)

    def _capacity(self, name: str) -> int:
        return self._capacities.get(name, DEFAULT_CAPACITY)


def read_request(limits: Any, task_name: str) -> Request:
    """Return how many units of each resource the option ``limits`` asks for.

    Parameters
    ----------
    limits
        Names, one unit each, or a mapping of names to units.
    task_name
        The full name of the task that is called, for messages.

    Raises
    ------
    SchedulerError
        For anything else.

    Examples
    --------
    >>> read_request(["web", "disk"], "demo.fetch")
    {'web': 1, 'disk': 1}
    """
    what = f"task option limits={limits!r} of {task_name} must"
    if isinstance(limits, Mapping):
        request = dict(limits)
    elif isinstance(limits, Iterable) and not isinstance(limits, str):
        names = list(limits)
        if not all(isinstance(name, str) for name in names):
            raise SchedulerError(f"{what} be a list of names, or a mapping of names to units")
        request = dict(Counter(names))
    else:
        raise SchedulerError(f"{what} be a list of names, or a mapping of names to units")
    for name, units in request.items():
        if not isinstance(name, str) or isinstance(units, bool) or not isinstance(units, int) or units < 0:
            raise SchedulerError(f"{what} give each name a whole number of units")
    return {name: units for name, units in request.items() if units}


def read_capacities(section: Mapping[str, str]) -> dict[str, int]:
    """Return the capacities in configuration section ``[limits]``.

    Raises
    ------
    ConfigError
        When one is no whole number, or negative.
    """
    capacities = {}
    for name, text in section.items():
        if not text.strip().isdecimal():
            raise ConfigError(f"[limits] {name} = {text!r} is no whole number of units")
        capacities[name] = int(text)
    return capacities
