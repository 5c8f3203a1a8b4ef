"""Finding out which tasks are below calls that were recorded without saying so.

The final result of a call stands as long as all tasks below it are as they were. Records of older programs don't name
those tasks; then they are those of the call's children and its own. Calls without provenance are no children, but the
address of a call covers them: if it is the one that the recorded children make, there are no others. Where it isn't, or
where nothing is known of a child, nothing is known of the call, and its final result answers no call.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from redun.hashing import hash_call_node
from redun_backend_sql.database import Database, Row

_CALLS = "SELECT call_hash, task_hash, args_hash, value_hash FROM call_node WHERE call_hash IN ({keys})"
_CHILDREN = "SELECT parent_id, child_id FROM call_edge WHERE parent_id IN ({keys})"
_SUBTREES = "SELECT call_hash, task_hash FROM call_subtree_task WHERE call_hash IN ({keys})"
_HAVE_SUBTREES = "SELECT DISTINCT call_hash FROM call_subtree_task WHERE call_hash IN ({keys})"


def find_subtrees(source: Database, destination: Database, calls: Sequence[str]) -> Sequence[Row]:
    """Return pairs of a call and a task below or at it, for calls of which the source doesn't say.

    Parameters
    ----------
    source
        Has the calls.
    destination
        Knows the calls below them.
    calls
        Their addresses, every call after those below it.
    """
    known = {call for (call,) in source.select_in(_HAVE_SUBTREES, calls)}
    unknown = [call for call in calls if call not in known]
    if not unknown:
        return ()
    parts = {call: row for call, *row in source.select_in(_CALLS, unknown)}
    children: dict[str, list[str]] = {call: [] for call in unknown}
    for parent, child in source.select_in(_CHILDREN, unknown):
        children[parent].append(child)
    below = list({child for found in children.values() for child in found})
    subtrees = _read_subtrees((source, destination), below)
    for call in unknown:
        task, arguments, result = parts[call]
        whole = [subtrees[child] for child in children[call] if child in subtrees]
        if hash_call_node(task, arguments, result, children[call]) == call and len(whole) == len(children[call]):
            subtrees[call] = {task}.union(*whole)
    return [(call, task) for call in unknown for task in sorted(subtrees.get(call, ()))]


def _read_subtrees(databases: Iterable[Database], calls: Sequence[str]) -> dict[str, set[str]]:
    subtrees: dict[str, set[str]] = {}
    for database in databases:
        for call, task in database.select_in(_SUBTREES, calls):
            subtrees.setdefault(call, set()).add(task)
    return subtrees
