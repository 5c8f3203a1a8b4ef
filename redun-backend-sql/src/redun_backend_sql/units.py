"""Sizes and ages as people write them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

_SIZES: Mapping[str, int] = {
    "": 1,
    "B": 1,
    **{f"{letter}{end}": 1000**power for power, letter in enumerate("KMGT", 1) for end in ("", "B")},
    **{f"{letter}I{end}": 1024**power for power, letter in enumerate("KMGT", 1) for end in ("", "B")},
}
_SECONDS: Mapping[str, int] = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400, "y": 365 * 86_400}
_NUMBER = re.compile(r"(\d+(?:\.\d+)?)\s*([A-Za-z]*)")


def parse_size(text: str) -> int:
    """Return a number of bytes.

    Raises
    ------
    ValueError
        When the text is no size.

    Examples
    --------
    >>> [parse_size(text) for text in ("10GB", "1.5 k", "1KiB", "7")]
    [10000000000, 1500, 1024, 7]
    """
    return int(_parse(text, _SIZES, str.upper, "a size, such as 10GB, 500MB or 1GiB"))


def parse_age(text: str) -> float:
    """Return a number of seconds.

    Raises
    ------
    ValueError
        When the text is no length of time.

    Examples
    --------
    >>> [parse_age(text) for text in ("90d", "12h", "1.5m", "30")]
    [7776000.0, 43200.0, 90.0, 30.0]
    """
    return _parse(text, _SECONDS, str.lower, "a length of time, such as 90d, 12h or 30m")


def format_size(size: float) -> str:
    """Return a number of bytes for people.

    Examples
    --------
    >>> [format_size(size) for size in (0, 999, 1_000, 12_345_678, 2 * 10**15)]
    ['0 B', '999 B', '1.0 KB', '12.3 MB', '2000.0 TB']
    """
    if size < 1000:
        return f"{size:.0f} B"
    for unit in ("KB", "MB", "GB"):
        size /= 1000
        if size < 999.95:
            return f"{size:.1f} {unit}"
    return f"{size / 1000:.1f} TB"


def _parse(text: str, units: Mapping[str, int], normalize: Callable[[str], str], what: str) -> float:
    found = _NUMBER.fullmatch(text.strip())
    unit = units.get(normalize(found.group(2))) if found is not None else None
    if found is None or unit is None:
        raise ValueError(f"{text!r} is not {what}")
    return float(found.group(1)) * unit
