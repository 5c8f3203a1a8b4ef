"""What a column holds, in one form whichever database it comes from."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import Any

_FORMAT = "%Y-%m-%d %H:%M:%S.%f"


def read_time(cell: Any) -> str | None:
    """Return a point in time as text: UTC, with microseconds, as `redun_backend_sql.rows.format_time` writes it.

    Examples
    --------
    >>> read_time(datetime(2024, 1, 2, 3, 4, 5, tzinfo=timezone.utc))
    '2024-01-02 03:04:05.000000'
    """
    if cell is None or isinstance(cell, str):
        return cell
    time: datetime = cell if cell.tzinfo is None else cell.astimezone(timezone.utc)
    return time.strftime(_FORMAT)


def show_time(text: str) -> str:
    """Return a point in time as records show it, with its zone.

    Examples
    --------
    >>> show_time("2024-01-02 03:04:05.000000"), show_time("2024-01-02 03:04:05.600000")
    ('2024-01-02 03:04:05+00:00', '2024-01-02 03:04:05.600000+00:00')
    """
    return f"{text.removesuffix('.000000')}+00:00"


def read_json(cell: Any) -> Any:
    """Return the JSON value in a column, which SQLite keeps as text."""
    return json.loads(cell) if isinstance(cell, str) else cell
