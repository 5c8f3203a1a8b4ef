"""Where a value comes from: the dataflow behind it, walked from calls to the calls that they got their arguments from.

A walk gives out edges. The source of an edge is a value in some role - as such, as the result of a call, or as an
argument of one -, its destination is where that came from:

- a value: the latest call that returned it;
- the result of a call: the call below it that returned it, or else the arguments of the call;
- an argument: the calls whose results went into it; or the argument of the call above that held it or has parts in
  common with it; or nothing more is known, and the destination is None.

An edge whose ends have the same value passes it on, others derive a value from another one. The walk does not recurse,
visits each node once, and looks at a bounded number of calls and values at each.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from redun_backend_sql.backend import SqlBackend
from redun_backend_sql.database import Database
from redun_backend_sql.lineage import INTERNAL_TASKS, MAX_CALLS, list_holders, list_newest, list_readers, list_results
from redun_backend_sql.parameters import Parameters, parse_parameters
from redun_backend_sql.records import (
    MAX_LINE_BYTES,
    ArgumentRow,
    CallRow,
    ValueRow,
    read_arguments,
    read_calls,
    read_places,
    read_tasks,
    read_values,
)

MAX_SOURCES = 50
"""How many sources of one value are followed."""

_CHILDREN_AMONG = "SELECT child_id FROM call_edge WHERE parent_id = ? AND child_id IN ({keys}) ORDER BY call_order"
_CHILDREN = "SELECT DISTINCT child_id FROM call_edge WHERE parent_id = ? LIMIT ?"
_PARTS = "SELECT value_hash FROM subvalue WHERE parent_value_hash = ? LIMIT ?"
_SHARING = "SELECT value_hash FROM subvalue WHERE parent_value_hash = ? AND value_hash IN ({keys})"
_HOLDING = "SELECT parent_value_hash FROM subvalue WHERE value_hash = ? AND parent_value_hash IN ({keys})"


class ValueNode(NamedTuple):
    """A value as such: where a walk starts."""

    value: ValueRow

    @property
    def key(self) -> tuple[str, str]:
        """What tells it from other nodes."""
        return "value", self.value.value_hash


class ResultNode(NamedTuple):
    """The result of a call; `parameters` are the names of the call's arguments."""

    call: CallRow
    value: ValueRow
    parameters: Sequence[str]

    @property
    def key(self) -> tuple[str, str]:
        """What tells it from other nodes."""
        return "result", self.call.call_hash


class ArgumentNode(NamedTuple):
    """An argument of a call, by its name; `parameters` are the names of all arguments of the call."""

    argument: ArgumentRow
    name: str
    call: CallRow
    parameters: Sequence[str]

    @property
    def value(self) -> ValueRow:
        """The argument's value."""
        return self.argument.value

    @property
    def key(self) -> tuple[str, str]:
        """What tells it from other nodes."""
        return "argument", self.argument.arg_hash


DataflowNode = ValueNode | ResultNode | ArgumentNode


class DataflowEdge(NamedTuple):
    """That a value comes from another one, or from nothing that is known."""

    source: DataflowNode
    destination: DataflowNode | None


def walk_dataflow(backend: SqlBackend, value: Any, call_hash: str | None = None) -> Iterator[DataflowEdge]:
    """Yield the edges of the dataflow behind a value, those near to it first.

    The dataflow may be as large as the call graph: take as much as is needed, with `itertools.islice` for example.

    Parameters
    ----------
    backend
        A store that is loaded.
    value
        The value: an object with a ``value_hash``, such as a `redun_backend_sql.models.Value`, or its address.
    call_hash
        A call that returned the value or received it, to start there and not at the latest call that returned it.

    Examples
    --------
    >>> from redun import Scheduler, task
    >>> from redun.values.registry import get_type_registry
    >>> from redun_backend_sql.backend import SqlBackend
    >>> from redun_backend_sql.options import SqlOptions
    >>> inc = task(name="inc", namespace="docs", source="def inc(x): ...")(lambda x: x + 1)
    >>> scheduler = Scheduler(backend=SqlBackend(SqlOptions("sqlite://")))
    >>> result = scheduler.run(inc(0))
    >>> address = get_type_registry().get_hash(result)
    >>> [type(edge.destination).__name__ for edge in walk_dataflow(scheduler.backend, address)]
    ['ResultNode', 'ArgumentNode', 'NoneType']
    """
    value_hash = value if isinstance(value, str) else value.value_hash
    walk = _Walk(backend.database)
    values = read_values(backend.database, [value_hash], MAX_LINE_BYTES)
    if value_hash not in values:
        return
    start = ValueNode(values[value_hash])
    queue: deque[DataflowNode] = deque([start])
    seen = {start.key}
    while queue:
        node = queue.popleft()
        found = walk.find_sources(node, call_hash if node is start else None)
        if not found:
            yield DataflowEdge(node, None)
        for destination in found:
            yield DataflowEdge(node, destination)
            if destination.key not in seen:
                seen.add(destination.key)
                queue.append(destination)


class _Walk:
    """Finds the sources of nodes, and remembers which call each call was made by on the way that was taken."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._parents: dict[str, str | None] = {}

    def find_sources(self, node: DataflowNode, call_hash: str | None) -> Sequence[DataflowNode]:
        if isinstance(node, ResultNode):
            return self._find_result_sources(node)
        if isinstance(node, ArgumentNode):
            return self._find_argument_sources(node)
        return self._find_value_sources(node.value.value_hash, call_hash)

    def _find_value_sources(self, value_hash: str, call_hash: str | None) -> Sequence[DataflowNode]:
        holders = list_holders(self.database, value_hash)
        if call_hash is not None:
            results = self._make_results([call_hash])
            if results and results[0].value.value_hash in holders:
                return results
            return [node for node in self._make_arguments(call_hash) if node.value.value_hash in holders]
        calls = list_results(self.database, [value_hash]) or list_results(self.database, holders)
        latest = self._find_latest(calls)
        if latest is not None:
            return self._make_results([latest])
        reader = self._find_latest(list_readers(self.database, holders))
        if reader is None:
            return []
        return [node for node in self._make_arguments(reader) if node.value.value_hash in holders]

    def _find_result_sources(self, node: ResultNode) -> Sequence[DataflowNode]:
        call_hash, value_hash = node.call.call_hash, node.value.value_hash
        below = self._find_children(call_hash, [value_hash])
        if below:
            latest = self._find_latest(below)
            below = [] if latest is None else [latest]
        else:
            parts = [key for (key,) in self.database.select(_PARTS, value_hash, MAX_SOURCES)]
            below = self._find_children(call_hash, [*parts, *list_holders(self.database, value_hash)[1:MAX_SOURCES]])
        self._parents.update(dict.fromkeys(below, call_hash))
        return self._make_results(below[:MAX_SOURCES]) or self._make_arguments(call_hash)

    def _find_argument_sources(self, node: ArgumentNode) -> Sequence[DataflowNode]:
        arg_hash, value_hash = node.argument.arg_hash, node.value.value_hash
        rows = self.database.select_ordered(
            "result_call_hash", "argument_result", "arg_hash", arg_hash, MAX_SOURCES, newest=False
        )
        upstream = [key for (key,) in rows]
        caller = self._find_parent(node.call.call_hash)
        if upstream:
            if caller is not None:
                beside = [key for (key,) in self.database.select_in(_CHILDREN_AMONG, upstream, caller)]
                self._parents.update(dict.fromkeys(beside, caller))
                upstream = list(dict.fromkeys([*beside, *upstream]))
            return self._make_results(upstream)
        if caller is None:
            return []
        given = self._make_arguments(caller)
        same = [node for node in given if node.value.value_hash == value_hash]
        if same:
            return same[:1]
        keys = [node.value.value_hash for node in given]
        related = {key for (key,) in self.database.select_in(_HOLDING, keys, value_hash)} if keys else set()
        if not related:
            parts = [key for (key,) in self.database.select(_PARTS, value_hash, MAX_SOURCES)]
            related = {*parts, *(key for key in keys if self.database.select_in(_SHARING, parts, key))}
        return [node for node in given if node.value.value_hash in related]

    def _find_children(self, call_hash: str, value_hashes: Iterable[str]) -> list[str]:
        """Return the calls directly below one that returned one of some values."""
        found: list[str] = []
        for value_hash in value_hashes:
            calls = list_newest(self.database, "call_node", "call_hash", "value_hash", value_hash, MAX_CALLS)
            if calls:
                found += (key for (key,) in self.database.select_in(_CHILDREN_AMONG, calls, call_hash))
            if len(calls) == MAX_CALLS:  # There may be more, of which one is below the call.
                below = [key for (key,) in self.database.select(_CHILDREN, call_hash, MAX_CALLS)]
                found += (
                    child.call_hash for child in read_calls(self.database, below) if child.value_hash == value_hash
                )
        children = read_calls(self.database, list(dict.fromkeys(found)))
        return [child.call_hash for child in children if child.task_name not in INTERNAL_TASKS]

    def _find_parent(self, call_hash: str) -> str | None:
        """Return the call that made another one: the one that the walk came through, or else the latest."""
        if call_hash not in self._parents:
            parents = list_newest(self.database, "call_edge", "parent_id", "child_id", call_hash, MAX_CALLS)
            self._parents[call_hash] = self._find_latest(parents)
        return self._parents[call_hash]

    def _find_latest(self, calls: Sequence[str]) -> str | None:
        found = read_calls(self.database, list(dict.fromkeys(calls)))
        latest = max(found, key=lambda call: call.timestamp, default=None)
        return None if latest is None else latest.call_hash

    def _make_results(self, call_hashes: Sequence[str]) -> Sequence[ResultNode]:
        calls = read_calls(self.database, call_hashes)
        values = read_values(self.database, {call.value_hash for call in calls}, MAX_LINE_BYTES)
        names = self._name_arguments(calls)
        return [
            ResultNode(call, values[call.value_hash], names[call.call_hash])
            for call in calls
            if call.value_hash in values
        ]

    def _make_arguments(self, call_hash: str) -> Sequence[ArgumentNode]:
        calls = read_calls(self.database, [call_hash])
        names = self._name_arguments(calls)
        arguments = read_arguments(self.database, [call.call_hash for call in calls], MAX_LINE_BYTES)
        return [
            ArgumentNode(argument, name, call, names[call_hash])
            for call in calls
            for argument, name in zip(arguments[call_hash], names[call_hash], strict=True)
        ]

    def _name_arguments(self, calls: Sequence[CallRow]) -> dict[str, Sequence[str]]:
        """Return the names of the arguments of calls, by call."""
        tasks = read_tasks(self.database, list({call.task_hash for call in calls}))
        parameters = {task.hash: parse_parameters(task.source) for task in tasks}
        places = read_places(self.database, [call.call_hash for call in calls])
        return {
            call.call_hash: [
                parameters.get(call.task_hash, Parameters()).name_position(place.position or 0)
                if place.key is None
                else place.key
                for place in places[call.call_hash]
            ]
            for call in calls
        }
