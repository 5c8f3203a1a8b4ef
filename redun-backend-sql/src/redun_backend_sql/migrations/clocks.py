"""Times of jobs: local up to version 3.3, in UTC from 3.4 on.

Local times are taken to be those of the zone in ``REDUN_LOCALTIMEZONE``, such as ``Europe/Berlin``, or else of this
machine. Of the hour that is there twice when summer time ends, the second is taken, as PostgreSQL does. The times of
calls have always been in UTC.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta, timezone, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from redun.errors import BackendError
from redun_backend_sql.migrations.alter import quote
from redun_backend_sql.migrations.tables import POSTGRESQL

ZONE_VARIABLE = "REDUN_LOCALTIMEZONE"
UTC = "UTC"
ZONE_LINK = Path("/etc/localtime")
ZONE_FILE = Path("/etc/timezone")
"""Where a machine says in which zone it is: a link to the zone's rules, or a file with its name."""

_LOCAL_COLUMNS: Mapping[str, Sequence[str]] = {"job": ("start_time", "end_time"), "execution": ("updated_time",)}
_UTC_COLUMNS: Mapping[str, Sequence[str]] = {"call_node": ("timestamp",), "redun_version": ("timestamp",)}


def times_to_utc(connection: sa.Connection) -> None:
    """Turn local times into UTC."""
    _convert(connection, to_utc=True)


def times_to_local(connection: sa.Connection) -> None:
    """Turn UTC into local times."""
    _convert(connection, to_utc=False)


def _convert(connection: sa.Connection, to_utc: bool) -> None:
    has_jobs = connection.exec_driver_sql("SELECT 1 FROM job LIMIT 1").first() is not None
    zone = find_local_zone() if has_jobs else UTC
    if connection.dialect.name == POSTGRESQL:
        for columns, name in ((_LOCAL_COLUMNS, zone), (_UTC_COLUMNS, UTC)):
            _retype(connection, columns, name, to_utc)
    elif has_jobs:
        _rewrite(connection, load_zone(zone), to_utc)


def _retype(connection: sa.Connection, tables: Mapping[str, Sequence[str]], zone: str, to_utc: bool) -> None:
    kind = sa.DateTime(timezone=to_utc).compile(connection.dialect)
    for table, columns in tables.items():
        found = {column["name"]: column["type"] for column in sa.inspect(connection).get_columns(table)}
        changes = [
            f"ALTER COLUMN {quote(column)} TYPE {kind} USING {quote(column)} AT TIME ZONE '{zone}'"
            for column in columns
            if column in found and getattr(found[column], "timezone", to_utc) != to_utc
        ]
        if changes:
            connection.exec_driver_sql(f"ALTER TABLE {quote(table)} {', '.join(changes)}")


def _rewrite(connection: sa.Connection, zone: tzinfo, to_utc: bool) -> None:
    driver = connection.connection.driver_connection
    assert driver is not None
    driver.create_function("redun_convert", 1, make_converter(zone, to_utc), deterministic=True)
    try:
        for table, columns in _LOCAL_COLUMNS.items():
            found = {column["name"] for column in sa.inspect(connection).get_columns(table)}
            settings = [f"{name} = redun_convert({name})" for name in columns if name in found]
            if settings:
                connection.exec_driver_sql(f"UPDATE {table} SET {', '.join(settings)}")  # noqa: S608
    finally:
        driver.create_function("redun_convert", 1, None)


def make_converter(zone: tzinfo, to_utc: bool) -> Callable[[str | None], str | None]:
    """Return what turns a time, as SQLite keeps it, from a zone to UTC or back; a text that is no time stays.

    Examples
    --------
    >>> make_converter(ZoneInfo("Europe/Berlin"), to_utc=True)("2024-07-01 12:00:00.000500")
    '2024-07-01 10:00:00.000500'
    """
    source, target = (zone, timezone.utc) if to_utc else (timezone.utc, zone)

    def convert(text: str | None) -> str | None:
        if text is None:
            return None
        try:
            found = datetime.fromisoformat(text)
            given = found if found.tzinfo is not None else _in_standard_time(found, source)
            return given.astimezone(target).strftime("%Y-%m-%d %H:%M:%S.%f")
        except (TypeError, ValueError, OverflowError):
            return text

    return convert


def _in_standard_time(local: datetime, zone: tzinfo) -> datetime:
    """Return a time with its zone; what is there twice, or not at all, is in standard time."""
    times = [local.replace(tzinfo=zone, fold=fold) for fold in (0, 1)]
    return min(times, key=lambda known: known.utcoffset() or timedelta())


def find_local_zone() -> str:
    """Return the name of the zone of local times.

    Raises
    ------
    BackendError
        When the variable names no zone, or it is not set and the zone of this machine has no name.
    """
    named = os.environ.get(ZONE_VARIABLE)
    if named:
        if not _is_zone(named):
            raise BackendError(f"{ZONE_VARIABLE} = {named!r} is no time zone: give a name such as Europe/Berlin")
        return named
    for candidate in (os.environ.get("TZ", "").lstrip(":"), _read_link(), _read_file()):
        if candidate and _is_zone(candidate):
            return candidate
    if not os.environ.get("TZ") and time.timezone == 0 and not time.daylight:
        return UTC
    raise BackendError(
        "the database has local times, and the time zone of this machine has no name: "
        f"set {ZONE_VARIABLE} to one such as Europe/Berlin"
    )


def load_zone(name: str) -> tzinfo:
    """Return a zone by its name."""
    return timezone.utc if name == UTC else ZoneInfo(name)  # A machine without a list of zones still knows UTC.


def _is_zone(name: str) -> bool:
    try:
        load_zone(name)
    except (ValueError, OSError, LookupError):
        return False
    return True


def _read_link() -> str:
    return os.path.realpath(ZONE_LINK).rpartition("/zoneinfo/")[2] if ZONE_LINK.exists() else ""


def _read_file() -> str:
    return ZONE_FILE.read_text("utf-8").strip() if ZONE_FILE.is_file() else ""
