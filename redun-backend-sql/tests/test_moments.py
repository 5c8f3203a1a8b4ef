"""Points in time as users write them."""

import time
from datetime import datetime, timedelta, timezone

import pytest

from redun_backend_sql.moments import parse_moment

NOW = datetime(2026, 3, 10, 12, tzinfo=timezone.utc)


@pytest.fixture(autouse=True)
def zone(monkeypatch):
    """It is two hours later here than in UTC in summer, and one hour in winter."""
    monkeypatch.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-03-01", "2026-02-28T23:00:00"),
        ("2026-07-01", "2026-06-30T22:00:00"),
        (" 2026-03-01T14:30 ", "2026-03-01T13:30:00"),
        ("2026-03-01 14:30:05.25", "2026-03-01T13:30:05.250000"),
        ("2026-03-01T14:30:00Z", "2026-03-01T14:30:00"),
        ("2026-03-01T14:30:00-05:00", "2026-03-01T19:30:00"),
        ("2d", "2026-03-08T12:00:00"),
        ("1.5 H", "2026-03-10T10:30:00"),
    ],
)
def test_moments_are_read(text, moment):
    """A date begins at midnight, a time is local unless it has a zone, and an age counts back from now."""
    assert parse_moment(text, now=NOW).astimezone(timezone.utc) == datetime.fromisoformat(f"{moment}+00:00")


@pytest.mark.parametrize(
    ("text", "hours"), [("2026-03-01", 24), ("2026-03-29", 23), ("2026-03-01T10:00", 0), ("3h", 0)]
)
def test_period_ends_with_its_last_day(text, hours):
    """At the end of a period a date counts to the end of its day, however long that is; what is exact stays so."""
    begin, end = (parse_moment(text, is_end, NOW) for is_end in (False, True))

    assert end.astimezone(timezone.utc) - begin.astimezone(timezone.utc) == timedelta(hours=hours)


@pytest.mark.parametrize(
    "text", ["", " ", "2026", "20", "yesterday", "2026-13-01", "2026-02-30", "14:30", "9999999y", "-2d"]
)
def test_other_texts_are_refused(text):
    """What is no time is an error that shows what is."""
    with pytest.raises(ValueError, match=r"is no time: give a date \(2026-03-01\), .*\(2d, 12h\)"):
        parse_moment(text, now=NOW)
