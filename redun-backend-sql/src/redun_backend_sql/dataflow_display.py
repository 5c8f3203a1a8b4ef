"""A dataflow as text: a section for each value, which says where it comes from.

::

    value = <6daae768> File(path='prog', hash='6daae768')

    value <-- <1ddb7325> link(prog_path, o_files)
      prog_path = <ea439e92> 'prog'
      o_files   = <ecf0db54> [File(path='prog.o', hash='ea439e92')]

    prog_path <-- argument of <88f47605> make_prog(prog_path, c_files)
              <-- origin

    o_files <-- derives from
      compile_result = <ea439e92> File(path='prog.o', hash='ea439e92')

A line ``<--`` passes the value on, from the result of a call or an argument of one. What can't be followed further has
its origin there. A dataflow that goes on beyond what is shown ends in ``...``.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import Enum
from itertools import islice
from typing import Any, NamedTuple

from redun.traceback import trim_string
from redun_backend_sql.dataflow import (
    ArgumentNode,
    DataflowEdge,
    DataflowNode,
    ResultNode,
    ValueNode,
    walk_dataflow,
)
from redun_backend_sql.records import ValueRow

ORIGIN, MORE, DERIVED = "origin", "...", "derives from"
_MAX_PARAMETERS, _MAX_VALUE = 100, 120


class DataflowSectionKind(str, Enum):
    """Whether a section ends in a call with its arguments, in other values, or in neither."""

    CALL = "call"
    DATA = "data"
    END = "end"


class DataflowArg(NamedTuple):
    """A variable that stands for a value, from which the one of the section was made."""

    name: str
    value: ValueRow


class DataflowSection(NamedTuple):
    """Where a value comes from.

    Attributes
    ----------
    kind
        What the section ends in.
    name
        The variable that stands for the value.
    steps
        The calls that it came through, the last one first, and what it ends in, as text.
    args
        The values that it was made from.
    has_more
        Whether there are more of those.
    """

    kind: DataflowSectionKind
    name: str
    steps: Sequence[str]
    args: Sequence[DataflowArg]
    has_more: bool = False


class DataflowDom(NamedTuple):
    """A dataflow laid out: the value that it is about, its sections, and whether there are more of those."""

    start: DataflowArg
    sections: Sequence[DataflowSection]
    has_more: bool = False


def make_dataflow_dom(
    edges: Iterable[DataflowEdge],
    new_varname: str = "value",
    max_sections: int | None = None,
    max_args: int | None = None,
) -> DataflowDom | None:
    """Return a dataflow laid out in sections; None if there is no edge.

    Parameters
    ----------
    edges
        The edges as `walk_dataflow` yields them; all are read, so cut those of a large dataflow with `islice`.
    new_varname
        The name of the variable that stands for the value.
    max_sections, max_args
        How many sections there are at most, and how many values in each that another one was derived from; by default
        as many as there are.
    """
    graph: dict[tuple[str, str], list[DataflowNode | None]] = {}
    start: DataflowNode | None = None
    for edge in edges:
        start = start or edge.source
        graph.setdefault(edge.source.key, []).append(edge.destination)
    if start is None:
        return None
    sections = _Layout(graph, max_args).make_sections(start, new_varname)
    shown = list(islice(sections, max_sections))
    has_more = next(sections, None) is not None
    return DataflowDom(DataflowArg(new_varname, start.value), shown, has_more)


class _Layout:
    """Makes sections, each call's arguments in one of them only, and names for their variables."""

    def __init__(
        self, graph: Mapping[tuple[str, str], Sequence[DataflowNode | None]], max_args: int | None = None
    ) -> None:
        self.graph = graph
        self.max_args = max_args
        self._names: dict[tuple[str, str], str] = {}
        self._taken: set[str] = set()
        self._counts: dict[str, int] = defaultdict(lambda: 1)
        self._explained: set[tuple[str, str]] = set()

    def make_sections(self, start: DataflowNode, name: str) -> Iterator[DataflowSection]:
        self._names[start.key] = name
        self._taken.add(name)
        queue: deque[tuple[str, DataflowNode, bool]] = deque([(name, start, False)])
        while queue:
            name, node, is_shown = queue.popleft()
            steps = [_format_node(node)] if is_shown else []
            node, sources = self._follow(node, steps)
            is_call = isinstance(node, ResultNode) and isinstance(sources[0], ArgumentNode) if sources else False
            if sources and not is_call:
                steps.append(DERIVED)
            kind = DataflowSectionKind.CALL if is_call else DataflowSectionKind.DATA
            shown = sources if is_call else sources[: self.max_args]
            queue.extend(
                (self._make_name(source), source, not is_call) for source in shown if source.key not in self._names
            )
            args = [(self._names[source.key], source) for source in shown]
            yield DataflowSection(
                kind if sources else DataflowSectionKind.END,
                name,
                steps,
                [DataflowArg(name, source.value) for name, source in args],
                len(shown) < len(sources),
            )

    def _follow(self, node: DataflowNode, steps: list[str]) -> tuple[DataflowNode, Sequence[DataflowNode]]:
        """Go on as long as a value is only passed on; return where it was not, and what it was made from there."""
        while True:
            if node.key in self._explained:
                return node, ()
            self._explained.add(node.key)
            found = self.graph.get(node.key)
            if found is None:
                steps.append(MORE)
                return node, ()
            sources = [source for source in found if source is not None]
            if not sources:
                steps.append(ORIGIN)
                return node, ()
            if not _is_passed_on(node, sources):
                return node, sources
            node = sources[0]
            steps.append(_format_node(node))

    def _make_name(self, node: DataflowNode) -> str:
        if isinstance(node, ResultNode):
            base = f"{node.call.task_name.rpartition('.')[2]}_result"
        else:
            base = node.name if isinstance(node, ArgumentNode) else "value"
        name = base
        while name in self._taken:
            self._counts[base] += 1
            name = f"{base}_{self._counts[base]}"
        self._taken.add(name)
        self._names[node.key] = name
        return name


def _is_passed_on(node: DataflowNode, sources: Sequence[DataflowNode]) -> bool:
    if len(sources) > 1 or sources[0].value.value_hash != node.value.value_hash:
        return False
    is_own_argument = (
        isinstance(node, ResultNode)
        and isinstance(sources[0], ArgumentNode)
        and sources[0].call.call_hash == node.call.call_hash
    )
    return not is_own_argument


def _format_node(node: DataflowNode) -> str:
    if not isinstance(node, ResultNode | ArgumentNode):
        return f"<{node.value.value_hash[:8]}>"
    parameters = trim_string(", ".join(node.parameters), _MAX_PARAMETERS)
    call = f"<{node.call.call_hash[:8]}> {node.call.task_name}({parameters})"
    return f"argument of {call}" if isinstance(node, ArgumentNode) else call


def display_dataflow(dom: DataflowDom | None) -> Iterator[str]:
    """Yield the lines that show a dataflow; none if there is none."""
    if dom is None:
        return
    yield f"{dom.start.name} = {_format_value(dom.start.value)}"
    for section in dom.sections:
        yield ""
        margin = " " * len(section.name)
        for index, step in enumerate(section.steps):
            yield f"{margin if index else section.name} <-- {step}"
        width = max((len(arg.name) for arg in section.args), default=0)
        yield from (f"  {arg.name:<{width}} = {_format_value(arg.value)}" for arg in section.args)
        if section.has_more:
            yield f"  {MORE}"
    if dom.has_more:
        yield ""
        yield MORE


def _format_value(value: ValueRow) -> str:
    return f"<{value.value_hash[:8]}> {trim_string(value.preview, _MAX_VALUE)}"


def serialize_dataflow(dom: DataflowDom | None) -> Sequence[Mapping[str, Any]]:
    """Return the sections of a dataflow as data for JSON."""
    return [
        {
            "kind": section.kind.value,
            "name": section.name,
            "steps": list(section.steps),
            "args": [
                {"name": arg.name, "value_hash": arg.value.value_hash, "preview": arg.value.preview}
                for arg in section.args
            ],
        }
        for section in ([] if dom is None else dom.sections)
    ]


__all__ = [
    "ArgumentNode",
    "DataflowArg",
    "DataflowDom",
    "DataflowEdge",
    "DataflowNode",
    "DataflowSection",
    "DataflowSectionKind",
    "ResultNode",
    "ValueNode",
    "display_dataflow",
    "make_dataflow_dom",
    "serialize_dataflow",
    "walk_dataflow",
]
