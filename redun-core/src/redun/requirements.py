"""Requirements on versions: whether an installed version is one of those that somebody needs."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping

from redun.errors import RedunError

_COMPARISONS: Mapping[str, Callable[[tuple[int, ...], tuple[int, ...]], bool]] = {
    "==": operator.eq,
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}
_CLAUSE = re.compile(r"(==|>=|<=|>|<)\s*(\d+(?:\.\d+)*)")


class VersionError(RedunError):
    """The installed version is not one of those that are needed."""


def check_version(version: str, requirement: str) -> None:
    """Fail unless a version meets a requirement: comparisons with numbers joined by dots, separated by commas.

    Raises
    ------
    VersionError
        When it does not, or the requirement is none.

    Examples
    --------
    >>> check_version("0.47.0", ">=0.4.1, <1")
    >>> check_version("0.47.0", ">=0.48")
    Traceback (most recent call last):
    redun.requirements.VersionError: redun version 0.47.0 does not meet requirement >=0.48
    """
    for text in requirement.split(","):
        clause = _CLAUSE.fullmatch(text.strip())
        if clause is None:
            known = ", ".join(_COMPARISONS)
            raise VersionError(
                f"{text.strip()!r} is no requirement; write one of {known} and a version, as in >=0.47.0"
            )
        if not _COMPARISONS[clause[1]](_read(version), _read(clause[2])):
            raise VersionError(f"redun version {version} does not meet requirement {text.strip()}")


def _read(version: str) -> tuple[int, ...]:
    """Return the numbers of a version, zeros at its end left out, as 1.0 and 1 are equal."""
    numbers = [int(part) for part in version.split(".")]
    while numbers and not numbers[-1]:
        numbers.pop()
    return tuple(numbers)
