"""How long calls of tasks have taken, to say how long others will take, and what the cache has saved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean

from redun_backend_sql.database import Database
from redun_backend_sql.history import find_walks
from redun_backend_sql.records import parse_time

MAX_JOBS = 200
"""How many jobs are looked at for each definition of a task, from either end of its history, and how many count."""

_COLUMNS = "cached, start_time, end_time"


def find_durations(database: Database, task_names: Sequence[str]) -> Mapping[str, float]:
    """Return how long calls of tasks took on average, in seconds, by the tasks' full names.

    Jobs that were answered from the cache do not count. The latest jobs of each definition are looked at; when all of
    them were cached, the first ones, of which some can't have been.
    """
    found = {name: _find_mean(database, name) for name in dict.fromkeys(task_names)}
    return {name: seconds for name, seconds in found.items() if seconds is not None}


def _find_mean(database: Database, task_name: str) -> float | None:
    namespace, _, name = task_name.rpartition(".")
    definitions = [key for (key,) in database.select(find_walks(database.dialect).definitions, name, namespace)]
    for newest in (True, False):
        rows = [
            row
            for task_hash in definitions
            for row in database.select_ordered(_COLUMNS, "job", "task_hash", task_hash, MAX_JOBS, newest)
        ]
        times = sorted((parse_time(start), parse_time(end)) for is_cached, start, end in rows if end and not is_cached)
        if times:
            return max(fmean((end - start).total_seconds() for start, end in times[-MAX_JOBS:]), 0.0)
    return None
