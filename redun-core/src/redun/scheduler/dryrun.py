"""What a dry run finds: the calls that would run, each with why.

Calls that depend on the result of one that would run are not reached, so they are not among them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from logging import Logger
from typing import Any, NamedTuple

from redun.backends.base import Backend, PastCall, find_files
from redun.expression import ApplyExpression, TaskExpression
from redun.hashing import hash_eval
from redun.registry import get_task_registry
from redun.scheduler.explain import Explanation, WantedCall, explain
from redun.scheduler.job import Job
from redun.scheduler.rebuilder import Candidate, Reason
from redun.scheduler.status import format_task_call, list_positional
from redun.traceback import safe_repr, show_variable
from redun.values.base import GraphValue
from redun.values.codec import list_children_first
from redun.values.registry import get_type_registry

MAX_EXAMPLES = 3
"""How many calls of each task are kept."""

_MAX_INCLUDED = 60

MAX_PATHS = 20
"""How many files among a call's arguments are looked for in earlier calls."""


class Miss(NamedTuple):
    """A call that would run, as it is written, and why."""

    call: str
    explanation: Explanation


@dataclass(slots=True)
class TaskMisses:
    """The calls of a task that would run: how many, and the first few of them."""

    count: int = 0
    examples: list[Miss] = field(default_factory=list)


class Misses:
    """Explains the calls that would run, and counts them by task.

    Parameters
    ----------
    backend
        The store, which may know earlier calls.
    logger
        Where each explanation is reported.

    Attributes
    ----------
    by_task : dict of str to TaskMisses
        The calls by the full name of their task.
    """

    def __init__(self, backend: Backend, logger: Logger) -> None:
        self._backend = backend
        self._logger = logger
        self._known: dict[tuple[str, str | None], Sequence[PastCall]] = {}
        self.by_task: dict[str, TaskMisses] = {}

    def note(self, job: Job, reason: Reason, candidate: Candidate | None) -> None:
        """Explain why a call would run, in the log, and count it.

        Parameters
        ----------
        job
            The job whose call it is, its arguments encoded.
        reason
            What was decided.
        candidate
            The recorded result that can't be used, if there is one.
        """
        explanation = self._explain(job, reason)
        if reason is Reason.INVALID and candidate is not None:
            explanation = explanation._replace(details=list(_find_invalid(candidate.leaves)))
        if explanation.line:
            self._logger.info("Miss   Job %s:  %s", job.id[:8], explanation.line)
        for line in explanation.details:
            self._logger.info("    %s", line)
        misses = self.by_task.setdefault(job.task.fullname, TaskMisses())
        misses.count += 1
        if len(misses.examples) < MAX_EXAMPLES:
            misses.examples.append(Miss(format_task_call(job.task, job.args, job.kwargs), explanation))

    def _explain(self, job: Job, reason: Reason) -> Explanation:
        task, arguments = job.task, job.encoded
        assert arguments is not None
        wanted = WantedCall(
            task.fullname,
            task.hash,
            task.source,
            list_positional(task),
            arguments,
            frozenset(task.unhashed),
            get_type_registry().encode(task).data,
            [_name_included(included) for included in task.hash_includes],
        )
        if reason is not Reason.NOT_FOUND:
            return explain(wanted, reason)
        past = self._find_calls(wanted)
        eval_hashes = {hash_eval(call.task_hash, arguments.args_hash): call.task_hash for call in past}
        evaluated = {eval_hashes[key] for key in self._backend.lookup(list(eval_hashes))} if past else ()
        return explain(wanted, reason, past, evaluated)

    def _find_calls(self, wanted: WantedCall) -> Sequence[PastCall]:
        """Return recorded calls of a task: those that were given the same files, then the latest."""
        values = [*wanted.arguments.positional, *wanted.arguments.keyword.values()]
        paths = dict.fromkeys(path for value in values for path in find_files(value))
        given = [self._ask(wanted.task_name, path) for path in islice(paths, MAX_PATHS)]
        calls = [call for found in (*given, self._ask(wanted.task_name)) for call in found]
        return list({call.call_hash: call for call in calls}.values())

    def _ask(self, task_name: str, path: str | None = None) -> Sequence[PastCall]:
        """Return what the store knows of a task, or of its calls with a file; it is asked once."""
        key = (task_name, path)
        if key not in self._known:
            self._known[key] = self._backend.find_calls(task_name, [] if path is None else [path])
        return self._known[key]


def _name_included(value: Any) -> str:
    """Return how an explanation calls what a task has in ``hash_includes``."""
    name = getattr(value, "fullname", None) or getattr(value, "__qualname__", None)
    return name if isinstance(name, str) else show_variable("", value, _MAX_INCLUDED)


def _find_invalid(leaves: Sequence[Any]) -> Iterator[str]:
    """Yield a line for each external value in a recorded result, or in a call it makes, that is not as it was."""
    is_valid = get_type_registry().is_valid
    nodes = list_children_first(leaf for leaf in leaves if isinstance(leaf, GraphValue))
    inside = [part for node in nodes if isinstance(node, ApplyExpression) for part in node.argument_leaves]
    external = {id(leaf): leaf for leaf in (*leaves, *inside) if not isinstance(leaf, GraphValue)}
    for leaf in external.values():
        if not is_valid(leaf):
            yield f"{safe_repr(leaf)} is not as it was recorded"
    for name in dict.fromkeys(node.task_name for node in nodes if isinstance(node, TaskExpression)):
        if get_task_registry().get(name) is None:
            yield f"task {name!r} is not defined any more"
