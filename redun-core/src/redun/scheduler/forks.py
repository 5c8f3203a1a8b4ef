"""Numbering the states that calls get of one handle, so that the numbers do not depend on which call is ready first.

Each call under a job that is given the same state of a handle gets a fork of its own, and the number of the fork is
part of the call's address. So a call must have the same number in every run, whatever its other arguments take to
compute. The numbers are those of the calls in the order in which their expressions are written: arguments before the
calls they are passed to, from left to right. A call whose expression was only made while others ran gets the next
number.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from redun.arguments import add_defaults
from redun.expression import ApplyExpression, Expression, SchedulerExpression, TaskExpression
from redun.registry import get_task_registry
from redun.scheduler.scope import Scope
from redun.values.codec import list_children_first
from redun.values.nested import find_leaves
from redun.values.state import StateValue, list_states

if TYPE_CHECKING:
    from redun.scheduler.job import Job


class Forks:
    """The numbers of the calls under one job.

    Parameters
    ----------
    scope
        What is reduced under the job.
    """

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._written: dict[tuple[str, str], int] = {}
        self._users: dict[str, int] = {}
        self._taken: dict[str, dict[int, str]] = {}
        self._next: dict[str, int] = {}
        roots = [reduction.expression for reduction in scope.evaluated.values()]
        for node in list_children_first(roots):
            if isinstance(node, TaskExpression) and not isinstance(node, SchedulerExpression):
                self._count(node)
        self._free = max(self._users.values(), default=0)

    def _count(self, call: TaskExpression[Any]) -> None:
        """Number a call among those to which the same is passed: a state, or what the same expression comes to."""
        task = get_task_registry().get(call.task_name)
        leaves = call.argument_leaves
        if task is not None and task.defaults:
            leaves = [*leaves, *find_leaves(add_defaults(task.defaults, call.args, call.kwargs))]
        sources = [leaf.get_hash() for leaf in leaves if isinstance(leaf, StateValue | Expression)]
        for source in dict.fromkeys(sources):
            if (call.get_hash(), source) not in self._written:
                self._written[call.get_hash(), source] = self._users.get(source, 0)
                self._users[source] = self._users.get(source, 0) + 1

    def number(self, job: Job, states: Iterable[str]) -> Mapping[str, int]:
        """Return the number of a job's call among those that get the same, for each state that is passed to it.

        Parameters
        ----------
        job
            The job, whose arguments are known.
        states
            The addresses of the states.
        """
        key = job.expr.get_hash()
        numbers: dict[str, int] = {}
        for state_hash in states:
            taken = self._taken.setdefault(state_hash, {})
            number = self._written.get((key, self._find_source(job, state_hash)))
            if number is None or taken.get(number, key) != key:
                number = self._next.get(state_hash, self._free)
                self._next[state_hash] = number + 1
            taken[number] = key
            numbers[state_hash] = number
        return numbers

    def _find_source(self, job: Job, state_hash: str) -> str:
        """Return the address of the argument, as it is written, that a state came from; empty if it is not known."""
        expr = job.expr
        if (expr.get_hash(), state_hash) in self._written:
            return state_hash
        written = [
            *zip(expr.args, job.args, strict=False),
            *((expr.kwargs[key], job.kwargs[key]) for key in expr.kwargs),
        ]
        for raw, known in written:
            if not _has_state(known, state_hash):
                continue
            leaves = [leaf for leaf in find_leaves(raw) if isinstance(leaf, Expression)]
            for leaf in leaves:
                reduced = self._scope.evaluated.get(leaf.get_key()) if isinstance(leaf, ApplyExpression) else None
                is_source = reduced is not None and reduced.is_fulfilled and _has_state(reduced.value, state_hash)
                if is_source or len(leaves) == 1:
                    return leaf.get_hash()
        return ""


def _has_state(value: Any, state_hash: str) -> bool:
    return any(state.get_hash() == state_hash for state in list_states(find_leaves(value)))
