"""The names of a task's parameters, read from its recorded source without running it."""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple


class Parameters(NamedTuple):
    """The names of the parameters that take arguments by position.

    Attributes
    ----------
    names
        Those that take one argument each.
    variadic
        The one that takes all others.
    """

    names: Sequence[str] = ()
    variadic: str | None = None

    def name_position(self, position: int) -> str:
        """Return the name of the argument at a position; ``argN`` when the source does not tell."""
        if position < len(self.names):
            return self.names[position]
        return self.variadic or f"arg{position}"


@lru_cache(maxsize=1024)
def parse_parameters(source: str) -> Parameters:
    """Return the parameters of the function that a source defines; none if it can't be read.

    Examples
    --------
    >>> parse_parameters("async def align(reads, *files, n=1): ...")
    Parameters(names=('reads',), variadic='files')
    """
    try:
        body = ast.parse(textwrap.dedent(source)).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return Parameters()
    found = next((node.args for node in body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)), None)
    if found is None:
        return Parameters()
    names = tuple(parameter.arg for parameter in [*found.posonlyargs, *found.args])
    return Parameters(names, found.vararg.arg if found.vararg else None)
