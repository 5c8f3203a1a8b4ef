"""Points in time as people write them."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta

from redun.values.builtin import parse_iso_time
from redun_backend_sql.units import parse_age


def parse_moment(text: str, is_end: bool = False, now: datetime | None = None) -> datetime:
    """Return the point in time that a user means, with its zone.

    Parameters
    ----------
    text
        A date, or a date and a time, in ISO 8601, in local time unless a zone is given; or how long ago: ``2d``.
    is_end
        Whether a period ends then: a date counts to the end of its day.
    now
        What ages are counted from; by default the present.

    Raises
    ------
    ValueError
        When the text is none of these.

    Examples
    --------
    >>> parse_moment("2026-03-01T14:30+02:00").isoformat()
    '2026-03-01T14:30:00+02:00'
    >>> (parse_moment("2026-03-01", is_end=True) - parse_moment("2026-03-01")).days
    1
    """
    text = text.strip()
    try:
        if text[-1:].isalpha() and text[-1:] not in "Zz":
            return (now or datetime.now().astimezone()) - timedelta(seconds=parse_age(text))
        day = _parse_day(text)
        if day is not None:
            return datetime.combine(day + timedelta(days=int(is_end)), time.min).astimezone()
        moment = parse_iso_time(text)
        return moment if moment.tzinfo is not None else moment.astimezone()
    except (ValueError, OverflowError) as error:
        raise ValueError(
            f"{text!r} is no time: give a date (2026-03-01), a date and a time (2026-03-01T14:30), "
            "or how long ago (2d, 12h)"
        ) from error


def _parse_day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
