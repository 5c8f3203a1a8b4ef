"""Random workflows: recipes that Hypothesis draws, and the expressions that are built of them.

A recipe is a list of nodes that refer to nodes before them, so that sub-expressions are shared. It leaves open what an
edit may change: the numbers that a workflow is called with, the content of its files, the variants of its steps. These
are the world's, in which the recipe is built.
"""

import operator
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from hypothesis import strategies as st

from redun import File, catch, cond
from redun.control import catch_all
from redun.functools import compose, const, delay, flat_map, force, map_, seq

from . import library
from .library import SHAPE_RESULTS, STEPS, Boom, Box, Point

INPUTS = FILES = 2

OPERATORS = {
    "+": operator.add,
    "-": operator.sub,
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}

MODES = {
    "full": {},
    "shallow": {"check_valid": "shallow"},
    "CSE": {"cache_scope": "CSE"},
    "NONE": {"cache_scope": "NONE"},
}


class Node(NamedTuple):
    """A step of a recipe: what to make, of which nodes before it and which constants, and how the call is cached."""

    kind: str
    operands: Sequence[int] = ()
    constant: Any = None
    mode: str = "full"
    is_exported: bool = False


@dataclass
class World:
    """What a workflow depends on and an edit may change.

    Attributes
    ----------
    folder
        Where the files are.
    mode
        How every call is cached; "mixed" for what the recipe says.
    """

    folder: Path
    mode: str = "mixed"
    inputs: list[int] = field(default_factory=lambda: [1, 2])
    contents: list[int] = field(default_factory=lambda: [5, 6])
    variants: list[int] = field(default_factory=lambda: list(range(STEPS)))
    clock: int = 1_000_000_000

    def settle(self) -> None:
        """Define the steps and write the files; a file that changes gets another time."""
        for number, variant in enumerate(self.variants):
            library.define_step(number, variant)
        for number, content in enumerate(self.contents):
            path = self.path(number)
            if not path.exists() or path.read_text() != str(content):
                self.clock += 1
                path.write_text(str(content))
                os.utime(path, (self.clock, self.clock))

    def edit(self, edit: tuple[str, int, int]) -> None:
        """Change one thing, and with "outputs" forget all files that tasks wrote."""
        what, index, value = edit
        if what == "outputs":
            for path in self.folder.glob("out/*"):
                path.unlink()
        else:
            getattr(self, what)[index] = value
        self.settle()

    def path(self, number: int) -> Path:
        """The path of an input file."""
        return self.folder / f"in-{number}"

    def build(self, recipe: Sequence[Node]) -> Any:
        """Return the value with expressions in it that a recipe describes: the last node's."""
        built: list[Any] = []
        for node in recipe:
            built.append(BUILDERS[node.kind](self, node, *(built[index] for index in node.operands)))
        return built[-1]

    def call(self, node: Node, called: Any, *args: Any, **kwargs: Any) -> Any:
        """Return the call of a task with the node's options."""
        options: Mapping[str, Any] = MODES[node.mode if self.mode == "mixed" else self.mode]
        if options:
            called = called.export_options(**options) if node.is_exported else called.options(**options)
        return called(*args, **kwargs)


def _build_step(world, node, x):
    return world.call(node, library.get_step(node.constant), x)


def _call(name):
    return lambda world, node, *operands: world.call(node, getattr(library, name), *operands)


def _call_with_constant(name):
    return lambda world, node, *operands: world.call(node, getattr(library, name), *operands, node.constant)


def _open(world, node):
    number, shape = node.constant
    result = world.call(node, library.open_file, str(world.path(number)), shape)
    return SHAPE_RESULTS.get(shape, lambda value: value)(result)


def _second_of_pair(world, node, x):
    _, second = world.call(node, library.pair.options(nout=2), x)
    return second


NUMBERS = {
    "input": lambda world, node: world.inputs[node.constant],
    "number": lambda world, node: node.constant,
    "operator": lambda world, node, a, b: OPERATORS[node.constant](a, b),
    "times": lambda world, node, a: node.constant * a,
    "half": lambda world, node, a: a / 2,
    "and": lambda world, node, a, b: library.add(a, 0) & b,
    "or": lambda world, node, a, b: library.add(a, 0) | b,
    "add": _call("add"),
    "keyword": lambda world, node, a, b: world.call(node, library.add, b=a, a=b),
    "default": lambda world, node, a: world.call(node, library.add, a),
    "step": _build_step,
    "total": _call("total"),
    "item": lambda world, node, values: values[node.constant],
    "x": lambda world, node, a, b: world.call(node, library.point, a, b).x,
    "content": lambda world, node, a: world.call(node, library.box, a).content[0],
    "key": lambda world, node, a, b: world.call(node, library.mapping, a, b)["x"],
    "second": _second_of_pair,
    "length": lambda world, node, a: library.size(world.call(node, library.label, a).upper()),
    "cond": lambda world, node, *branches: cond(*branches),
    "catch": lambda world, node, a: catch(a, (KeyError, node.constant), library.recover, Boom, const.partial(7)),
    "catch_other": lambda world, node, a: catch(a, KeyError, library.recover),
    "recursion": _call_with_constant("countdown"),
    "fibonacci": _call_with_constant("fibonacci"),
    "apply": _call("apply"),
    "call": lambda world, node, function, a: function(a),
    "force": lambda world, node, a: force(delay(a)),
    "read": lambda world, node: world.call(node, library.read, File(str(world.path(node.constant)))),
    "written": lambda world, node, a: library.read(world.call(node, library.write, f"{world.folder}/out", a)),
}

LISTS = {
    "list": lambda world, node, *items: [*items],
    "spread": _call_with_constant("spread"),
    "seq": lambda world, node, *items: seq([*items]),
    "map": lambda world, node, function, values: map_(function, values),
    "map_twice": lambda world, node, f, g, values: map_(f, map_(g, values)),
    "flat_map": lambda world, node, values: flat_map(library.spread.partial(count=2), values),
}

FUNCTIONS = {
    "function": lambda world, node: library.get_step(node.constant),
    "partial": lambda world, node, a: library.add.partial(a),
    "partial_keyword": lambda world, node, a: library.add.partial(b=a),
    "compose": lambda world, node, f, g: compose(f, g),
    "given": lambda world, node: world.call(node, library.give_step, node.constant),
}

CONTAINERS = {
    "in_list": lambda world, node, *items: [*items],
    "in_tuple": lambda world, node, *items: (*items,),
    "in_set": lambda world, node, *items: {*items},
    "in_dict": lambda world, node, *items: dict(zip(items[::2], items[1::2], strict=False)),
    "in_point": lambda world, node, first, *rest: Point(first, [*rest]),
    "in_box": lambda world, node, *items: Box({"all": [*items]}),
}

EXTRA = {
    "fail": _call("fail"),
    "open": _open,
    "catch_all": lambda world, node, *items: library.total(catch_all([*items], Boom, library.count_numbers)),
}

BUILDERS = {**NUMBERS, **LISTS, **FUNCTIONS, **CONTAINERS, **EXTRA}

# What a kind of node is made of: n numbers, l lists, f functions; and its constant.
NUMBER, STEP = st.integers(-3, 9), st.integers(0, STEPS - 1)
SIGNATURES = {
    "input": ("", st.integers(0, INPUTS - 1)),
    "number": ("", NUMBER),
    "operator": ("nn", st.sampled_from(sorted(OPERATORS))),
    "times": ("n", NUMBER),
    "step": ("n", STEP),
    "total": ("l", None),
    "item": ("l", st.sampled_from([0, -1])),
    "cond": ("nnnnn", None),
    "catch": ("n", st.sampled_from([Boom, Exception, ValueError])),
    "recursion": ("", st.integers(0, 6)),
    "fibonacci": ("", st.integers(0, 7)),
    "apply": ("fn", None),
    "call": ("fn", None),
    "read": ("", st.integers(0, FILES - 1)),
    "open": ("", st.tuples(st.integers(0, FILES - 1), st.sampled_from(sorted(library.FILE_SHAPES)))),
    "spread": ("n", st.integers(1, 3)),
    "map": ("fl", None),
    "map_twice": ("ffl", None),
    "flat_map": ("l", None),
    "function": ("", STEP),
    "compose": ("ff", None),
    "given": ("", STEP),
    **dict.fromkeys(("and", "or", "add", "keyword", "x", "key"), ("nn", None)),
    **dict.fromkeys(
        ("half", "default", "content", "second", "length", "catch_other", "force", "written", "fail"), ("n", None)
    ),
    **dict.fromkeys(("partial", "partial_keyword"), ("n", None)),
    **dict.fromkeys(("list", "seq", "catch_all"), ("+", None)),
}
TYPES = {**dict.fromkeys([*NUMBERS, "fail", "open", "catch_all"], "n"), **dict.fromkeys(LISTS, "l")}
TYPES |= dict.fromkeys(FUNCTIONS, "f")


@st.composite
def recipes(draw, max_nodes=12, without=()):
    """Draw a recipe.

    Parameters
    ----------
    max_nodes
        How many nodes it has at most, beside the first ones and the container around the last ones.
    without
        Kinds of nodes that are not to be in it.
    """
    nodes = [Node("input", constant=0), Node("list", (0,)), Node("function", constant=0)]
    made = {"n": [0], "l": [1], "f": [2]}
    kinds = sorted({*TYPES} - {*without, "catch_all"}) + ([] if "catch_all" in without else ["catch_all"])
    modes, flags = st.sampled_from(sorted(MODES)), st.booleans()

    def add(kind):
        wanted, constants = SIGNATURES[kind]
        wanted = "n" * draw(st.integers(1, 4)) if wanted == "+" else wanted
        operands = tuple(draw(st.sampled_from(made[letter][::-1])) for letter in wanted)
        constant = None if constants is None else draw(constants)
        nodes.append(Node(kind, operands, constant, draw(modes), draw(flags)))
        return len(nodes) - 1

    for kind in draw(st.lists(st.sampled_from(kinds), min_size=1, max_size=max_nodes)):
        made[TYPES[kind]].append(add(kind))
    used = {operand for node in nodes for operand in node.operands}
    kind = draw(st.sampled_from(sorted(CONTAINERS)))
    fitting = "n" if kind in ("in_set", "in_dict") else "nl"
    ends = [index for index, node in enumerate(nodes) if TYPES[node.kind] in fitting and index not in used]
    return [*nodes, Node(kind, ends or (0,))]
