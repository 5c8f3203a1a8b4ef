"""Points in time and JSON values, as columns have them and as records show them.

Columns have both as text, whichever the database.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timezone, tzinfo

_FORMAT = "%Y-%m-%d %H:%M:%S.%f"


def show_time(text: str) -> str:
    """Return a point in time of a column as records show it, with its zone.

    Examples
    --------
    >>> show_time("2024-01-02 03:04:05.000000"), show_time("2024-01-02 03:04:05.600000")
    ('2024-01-02 03:04:05+00:00', '2024-01-02 03:04:05.600000+00:00')
    """
    return f"{text.removesuffix('.000000')}+00:00"


def parse_time(text: str, find_zone: Callable[[], tzinfo] = lambda: timezone.utc) -> str:
    """Return a point in time of a record as columns have it.

    Parameters
    ----------
    text
        The point in time.
    find_zone
        Returns the zone of times that don't say so themselves.

    Raises
    ------
    ValueError
        When the text is no point in time.

    Examples
    --------
    >>> parse_time("2024-01-02 03:04:05+01:00"), parse_time("2024-01-02 03:04:05.600000")
    ('2024-01-02 02:04:05.000000', '2024-01-02 03:04:05.600000')
    """
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        time = time.replace(tzinfo=find_zone())
    return time.astimezone(timezone.utc).strftime(_FORMAT)
