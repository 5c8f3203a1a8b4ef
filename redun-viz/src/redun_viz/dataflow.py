"""How data flowed between calls: which results became whose arguments, and which files were read and written.

Many calls only pass data on: a workflow's main task hands its arguments to the calls it makes, and returns what one of
them returned. Those are not drawn: an arrow begins at the call that *made* a result, the lowest one that returned it,
and ends at the calls that *used* it, the lowest ones that were given it. A call that put its result together from those
of calls below it is drawn after them. A file stands between the call that made it and the calls that read it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from redun_viz.graph import Edge, EdgeKind, Graph, Node, join_names

MAX_EDGES = 20_000
"""How many arrows between two calls are followed; of more, the first ones are drawn."""


MAX_ALIKE = 100
"""To how many calls arrows lead from one whose result was given to them by another one that returned the same."""


class File(NamedTuple):
    """A file in one of its states."""

    address: str
    path: str


@dataclass(frozen=True, slots=True)
class Argument:
    """An argument of a call: its name, the address of its value, the calls it came from, and files in it."""

    name: str
    address: str
    upstream: Sequence[str] = ()
    files: Sequence[File] = ()


@dataclass(frozen=True, slots=True)
class Call:
    """A finished call.

    Attributes
    ----------
    key
        Its address.
    job_id
        A job that came to it.
    task, detail, status
        What is written into its box, and what became of it.
    result
        The address of its result.
    files
        The files in its result.
    arguments
        Its arguments.
    children
        The calls that it made.
    """

    key: str
    job_id: str
    task: str
    detail: str
    status: str
    result: str
    files: Sequence[File] = ()
    arguments: Sequence[Argument] = ()
    children: Sequence[str] = ()


def draw_dataflow(calls: Sequence[Call]) -> Graph:
    """Return the graph of how data flowed between some calls.

    Parameters
    ----------
    calls
        The calls. What came from other ones is drawn as coming from nowhere.
    """
    return _Flow(calls).draw()


class _Flow:
    """The calls, the arrows found so far with the arguments that they lead to, and the calls that made results."""

    def __init__(self, calls: Sequence[Call]) -> None:
        self.calls: Mapping[str, Call] = {call.key: call for call in calls}
        self.edges: dict[tuple[str, str, EdgeKind], dict[str, None]] = {}
        self.files: dict[str, File] = {}
        self.makers: dict[str, Call] = {}

    def draw(self) -> Graph:
        for call in self.calls.values():
            self._connect_arguments(call)
            self._connect_files(call)
        self._connect_results()
        fed = {target for _, target, _ in self.edges}
        for call in self.calls.values():
            self._connect_derived(call, fed)
        edges = [Edge(*key, join_names(names)) for key, names in self.edges.items()]
        connected = {end for edge in edges for end in (edge.source, edge.target)}
        leaves = [call for call in self.calls.values() if call.key in connected or not self._children_of(call)]
        note = f"The first {MAX_EDGES:,} arrows are drawn." if len(edges) >= MAX_EDGES else ""
        return Graph("Dataflow", [*map(_draw_call, leaves), *self._draw_files()], edges, note=note)

    def _children_of(self, call: Call) -> list[Call]:
        return [self.calls[key] for key in dict.fromkeys(call.children) if key in self.calls]

    def _find_maker(self, call: Call) -> Call:
        """Return the lowest call that returned the result of a call; remembered for all calls on the way there."""
        way = [call.key]
        while way[-1] not in self.makers:
            below = (child.key for child in self._children_of(self.calls[way[-1]]) if child.result == call.result)
            found = next(below, None)
            if found is None:
                self.makers[way[-1]] = self.calls[way[-1]]
            else:
                way.append(found)
        maker = self.makers[way[-1]]
        self.makers.update(dict.fromkeys(way, maker))
        return maker

    def _find_users(self, call: Call, argument: Argument) -> Iterator[tuple[Call, str]]:
        """Yield the lowest calls that were given an argument of a call, with the name that it has there."""
        stack, seen = [(call, argument.name)], {call.key}
        while stack:
            user, name = stack.pop()
            given = [
                (child, found.name)
                for child in self._children_of(user)
                for found in child.arguments
                if found.address == argument.address and not found.upstream
            ]
            if not given:
                yield user, name
            stack += [(child, found) for child, found in given if child.key not in seen]
            seen.update(child.key for child, _ in given)

    def _connect_arguments(self, call: Call) -> None:
        for argument in call.arguments:
            makers = {self._find_maker(self.calls[key]).key for key in argument.upstream if key in self.calls}
            carried = set(argument.files)
            makers = {key for key in makers if not carried.intersection(self.calls[key].files)}
            for user, name in self._find_users(call, argument) if makers else ():
                if len(self.edges) >= MAX_EDGES:
                    return
                for maker in sorted(makers):
                    self._add(maker, user.key, "argument", name)

    def _connect_files(self, call: Call) -> None:
        """Connect a call to the files that it made or read itself."""
        below = self._children_of(call)
        given = {file for argument in call.arguments for file in argument.files}
        returned_below = {file for child in below for file in child.files}
        given_below = {file for child in below for argument in child.arguments for file in argument.files}
        for file in dict.fromkeys(call.files):
            if file not in given and file not in returned_below:
                self._add_file(file)
                self._add(call.key, file.address, "file", "")
        for argument in call.arguments:
            for file in argument.files:
                if file not in given_below:
                    self._add_file(file)
                    self._add(file.address, call.key, "file", argument.name)

    def _connect_results(self) -> None:
        """Connect the calls whose results became no argument to the one above, which put its result together from them.

        When several calls return the same, and a call that all of them would lead to is made once, its argument is
        known to come from one of them only; the others lead there as well.
        """
        used: set[str] = set()
        received: dict[str, dict[str, Argument]] = {}
        for call in self.calls.values():
            for argument in call.arguments:
                used.update(argument.upstream)
                results = (self.calls[key].result for key in argument.upstream if key in self.calls)
                received.setdefault(call.key, {}).update(dict.fromkeys(results, argument))
        for call in self.calls.values():
            below = self._children_of(call)
            alike: dict[str, list[tuple[Call, Argument]]] = {}
            for child in below:
                for result, argument in received.get(child.key, {}).items():
                    alike.setdefault(result, []).append((child, argument))
            for child in below:
                if child.key not in used:
                    self._connect_result(call, child, alike.get(child.result, [])[:MAX_ALIKE])

    def _connect_result(self, call: Call, child: Call, others: Sequence[tuple[Call, Argument]]) -> None:
        maker, own = self._find_maker(child), set(call.files)
        for other, argument in others:
            for user, name in self._find_users(other, argument):
                self._add(maker.key, user.key, "argument", name)
        if not others and self._find_maker(call) is call and not (own and own <= set(child.files)):
            self._add(maker.key, call.key, "result", "")

    def _connect_derived(self, call: Call, fed: set[str]) -> None:
        """Connect a call that changed what it was given before it handed it down to the calls that got that."""
        if call.key in fed and self._find_maker(call) is not call:
            for child in self._children_of(call):
                if child.key not in fed:
                    self._add(call.key, child.key, "argument", "")

    def _add(self, source: str, target: str, kind: EdgeKind, name: str) -> None:
        if source != target and (len(self.edges) < MAX_EDGES or (source, target, kind) in self.edges):
            self.edges.setdefault((source, target, kind), {}).update({name: None} if name else {})

    def _add_file(self, file: File) -> None:
        self.files.setdefault(file.address, file)

    def _draw_files(self) -> Iterator[Node]:
        """Yield a box for each file that has an arrow; files are grouped by the tasks that made and read them."""
        near: dict[str, tuple[set[str], set[str]]] = {}
        for source, target, _ in self.edges:
            if source in self.files:
                near.setdefault(source, (set(), set()))[1].add(self.calls[target].task)
            elif target in self.files:
                near.setdefault(target, (set(), set()))[0].add(self.calls[source].task)
        for address, (makers, readers) in near.items():
            key = f"file {' '.join(sorted(makers))} > {' '.join(sorted(readers))}"
            yield Node(address, "file", self.files[address].path, address[:8], key)


def _draw_call(call: Call) -> Node:
    return Node(call.key, "call", call.task, call.detail, f"call {call.task}", {call.status: 1}, call.job_id)
