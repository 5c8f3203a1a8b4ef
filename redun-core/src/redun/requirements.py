"""Whether this version is one that a caller can work with, as scripts and remote workers ask."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping

from redun._version import __version__
from redun.errors import RedunError

_COMPARISONS: Mapping[str, Callable[[tuple[int, ...], tuple[int, ...]], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}
_REQUIREMENT = re.compile(r"\s*(==|!=|>=|<=|>|<)\s*(\d+(?:\.\d+)*)\s*")


def check_version(requirement: str, version: str = __version__) -> None:
    """Do nothing if a version meets a requirement: comparisons with numbers, joined by commas.

    Parts that a number does not have count as zero.

    Raises
    ------
    RedunError
        When the version does not meet it, or it makes no sense.

    Examples
    --------
    >>> check_version(">=0.4.1, <1", "0.47.0")
    """
    for part in requirement.split(","):
        found = _REQUIREMENT.fullmatch(part)
        if found is None:
            raise RedunError(f"--check-version {requirement!r} makes no sense at {part!r}: write it as '>=0.4.1,<1'")
        comparison, number = found.groups()
        if not _COMPARISONS[comparison](_read(version), _read(number)):
            raise RedunError(f"redun version {version} does not meet requirement {requirement}")


def _read(version: str) -> tuple[int, ...]:
    numbers = [int(part) for part in version.split(".")]
    while numbers and not numbers[-1]:
        numbers.pop()
    return tuple(numbers)
