"""What is reduced under a job while its result is being reduced."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING, Any, NamedTuple

from redun.expression import ApplyExpression
from redun.promise import PENDING, Promise

if TYPE_CHECKING:
    from redun.scheduler.forks import Forks
    from redun.scheduler.job import Job, Outcome


class Reduction(Promise[Any]):
    """The promise of what an expression is reduced to."""

    __slots__ = ("expression",)

    def __init__(self, expression: ApplyExpression[Any]) -> None:
        self._state, self._value, self._waiters = PENDING, None, None  # What the base does, for less.
        self.expression = expression


class AdoptedCall(NamedTuple):
    """A call that was made for a job by another scheduler, and is recorded; a child of the job as others are."""

    outcome: Outcome
    promise: Promise[Any]


class Scope:
    """What is reduced under a job while its result is being reduced.

    Attributes
    ----------
    children : list of Job or AdoptedCall
        The jobs made under it, in the order of their expressions.
    evaluated : dict
        The promises of reduced expressions, by their keys.
    forks : Forks or None
        How the states that calls get of handles are numbered, once one of them gets any.
    """

    __slots__ = ("children", "evaluated", "forks")

    def __init__(self, children: list[Job | AdoptedCall] | None = None) -> None:
        self.children: list[Job | AdoptedCall] = [] if children is None else children
        self.evaluated: dict[Hashable, Reduction] = {}
        self.forks: Forks | None = None
