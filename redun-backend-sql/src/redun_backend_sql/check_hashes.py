"""Checks of addresses: that what a row says is what it is addressed by.

Addresses are hashes of what they address, so a row can be verified by itself. Two things can't be told from the rows: a
call counts the calls below it also where these keep no provenance, and its arguments without those that a task leaves
out of its address. Where either explains a difference, nothing is found.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations, islice
from typing import Any, NamedTuple

from redun.hashing import hash_argument, hash_arguments, hash_call_node, hash_eval, hash_tag
from redun_backend_sql.check import Finding, Kind, Survey, delete_evaluation
from redun_backend_sql.paging import read_pages

MAX_KEY = 100
"""How long the name of an argument is kept by a database that keeps to the declared length."""

MAX_ARGUMENTS, MAX_SUBSETS = 20, 2_000
"""Of how many arguments it is tried to leave out some, and how often."""

_EDGES = "SELECT parent_id, child_id FROM call_edge WHERE parent_id IN ({keys})"
_ARGUMENTS = "SELECT call_hash, arg_hash, arg_position, arg_key, value_hash FROM argument WHERE call_hash IN ({keys})"
_SUBTREES = "SELECT call_hash, task_hash FROM call_subtree_task WHERE call_hash IN ({keys})"
_SOURCES = "SELECT hash, source FROM task WHERE hash IN ({keys})"
_PARENTS = "SELECT child_id, parent_id FROM tag_edit WHERE child_id IN ({keys})"

_CHANGED = "Something changed the rows, or the disk did: restore a copy, or pull these calls from another repository."

CALL_HASH = Kind(
    "call-hash", "calls whose task, arguments, result or children are not those of their address", _CHANGED
)
ARGS_HASH = Kind("args-hash", "calls whose arguments are not those of their address", _CHANGED)
ARGUMENT_HASH = Kind("argument-hash", "arguments that are not those of their address", _CHANGED)
EVALUATION_HASH = Kind(
    "evaluation-hash",
    "cached results that stand under the address of another call",
    "They could answer the wrong call; --repair removes them.",
    delete_evaluation,
)
TAG_HASH = Kind("tag-hash", "tags that are not those of their address", _CHANGED)


class _Call(NamedTuple):
    call_hash: str
    task_name: str
    task_hash: str
    args_hash: str
    value_hash: str


class _Argument(NamedTuple):
    arg_hash: str
    position: int | None
    key: str | None
    value_hash: str


def check_calls(survey: Survey) -> Iterator[Finding]:
    """Find calls and arguments that are not those of their address."""
    for page in read_pages(survey.database, "call_node", _Call._fields):
        calls = [_Call(*row) for row in page]
        survey.counts["calls"] += len(calls)
        hashes = [call.call_hash for call in calls]
        children = _group(survey.database.select_in(_EDGES, hashes))
        arguments: dict[str, list[_Argument]] = {}
        for call_hash, *argument in survey.database.select_in(_ARGUMENTS, hashes):
            arguments.setdefault(call_hash, []).append(_Argument(*argument))
        for call in calls:
            yield from _check_arguments(call, arguments.get(call.call_hash, ()))
        survey.counts["arguments"] += sum(map(len, arguments.values()))
        suspects = [call for call in calls if not _is_addressed(call, children.get(call.call_hash, ()))]
        hiding = _find_hiding(survey, suspects, children)
        yield from (
            Finding(CALL_HASH, call.call_hash, call.task_name) for call in suspects if call.call_hash not in hiding
        )


def _is_addressed(call: _Call, children: Sequence[str]) -> bool:
    return hash_call_node(call.task_hash, call.args_hash, call.value_hash, children) == call.call_hash


def _find_hiding(survey: Survey, calls: Sequence[_Call], children: Mapping[str, Sequence[str]]) -> set[str]:
    """Return those calls that had calls below them without provenance, as far as that shows."""
    below = {call.call_hash: children.get(call.call_hash, ()) for call in calls}
    wanted = [*below, *(child for found in below.values() for child in found)]
    subtrees = _group(survey.database.select_in(_SUBTREES, wanted)) if wanted else {}
    sources = dict(survey.database.select_in(_SOURCES, [call.task_hash for call in calls])) if calls else {}
    hiding: set[str] = set()
    for call in calls:
        own = subtrees.get(call.call_hash, ())
        seen = {call.task_hash}.union(*(subtrees.get(child, ()) for child in below[call.call_hash]))
        has_hidden = call.task_hash in own and not seen.issuperset(own)
        if has_hidden or "prov" in sources.get(call.task_hash, ""):
            hiding.add(call.call_hash)
    return hiding


def _check_arguments(call: _Call, arguments: Sequence[_Argument]) -> Iterator[Finding]:
    for argument in arguments:
        arg_hash, position, key, value_hash = argument
        is_cut = key is not None and len(key) >= MAX_KEY
        if not is_cut and hash_argument(call.call_hash, position, key, value_hash) != arg_hash:
            yield Finding(ARGUMENT_HASH, arg_hash, f"of call {call.call_hash[:8]} {call.task_name}")
    if not any(_hash(chosen) == call.args_hash for chosen in _choose_arguments(arguments)):
        yield Finding(ARGS_HASH, call.call_hash, call.task_name)


def _choose_arguments(arguments: Sequence[_Argument]) -> Iterator[Sequence[_Argument]]:
    """Return all arguments, then those that stay when some are left out, as tasks can leave out some."""
    if len(arguments) > MAX_ARGUMENTS:
        return iter([arguments])
    subsets = (chosen for size in range(len(arguments), -1, -1) for chosen in combinations(arguments, size))
    return islice(subsets, MAX_SUBSETS)


def _hash(arguments: Sequence[_Argument]) -> str:
    placed = sorted((argument.position, argument.value_hash) for argument in arguments if argument.position is not None)
    named = {argument.key: argument.value_hash for argument in arguments if argument.key is not None}
    return hash_arguments([value_hash for _, value_hash in placed], named)


def check_evaluations(survey: Survey) -> Iterator[Finding]:
    """Find cached results that stand under the address of another call."""
    for page in read_pages(survey.database, "evaluation", ("eval_hash", "task_hash", "args_hash")):
        survey.counts["cached results"] += len(page)
        for eval_hash, task_hash, args_hash in page:
            if hash_eval(task_hash, args_hash) != eval_hash:
                yield Finding(EVALUATION_HASH, eval_hash, f"of task {task_hash[:8]}")


def check_tags(survey: Survey) -> Iterator[Finding]:
    """Find tags that are not those of their address."""
    is_exact = survey.database.dialect == "sqlite"
    columns = ("tag_hash", "entity_type", "entity_id", "key", "value")
    for page in read_pages(survey.database, "tag", columns):
        survey.counts["tags"] += len(page)
        parents = _group(survey.database.select_in(_PARENTS, [row[0] for row in page]))
        for tag_hash, entity_type, entity_id, key, text in page:
            value = json.loads(text)
            is_right = hash_tag(entity_id, key, value, parents.get(tag_hash, ())) == tag_hash
            if not is_right and (is_exact or not _may_be_rewritten(value)):
                yield Finding(TAG_HASH, tag_hash, f"{key} on {entity_type} {entity_id[:8]}")


def _may_be_rewritten(value: Any) -> bool:
    """Whether a database with a type for JSON may have written a value in another way than it was hashed in."""
    if isinstance(value, dict):
        return any(map(_may_be_rewritten, [*value, *value.values()]))
    if isinstance(value, list):
        return any(map(_may_be_rewritten, value))
    if isinstance(value, str):
        return not value.isprintable() or "\N{SYMBOL FOR NULL}" in value or value in ("NaN", "Infinity", "-Infinity")
    return isinstance(value, int | float) and not isinstance(value, bool)


def _group(rows: Sequence[Any]) -> dict[str, list[str]]:
    grouped: dict[str, list[str]] = {}
    for key, value in rows:
        grouped.setdefault(key, []).append(value)
    return grouped
