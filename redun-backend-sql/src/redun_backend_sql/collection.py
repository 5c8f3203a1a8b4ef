"""Giving back the room that old values take: what may go, what goes, and what that costs later.

Rows that tell what happened stay, all of them. What goes are bytes of values, and the cached results that name them; so
what a later run needs of it, it makes again. Values stay that an execution uses which is active, that were used a short
while ago, that a tag keeps, and those so small that what is known about them takes as much room.

`choose` decides, on data alone. Each group of values is dropped in a transaction of its own, after a last look at
whether one of them has been used meanwhile; runs go on as usual.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import Enum
from typing import Any, NamedTuple

from redun.tags import ANY_VALUE
from redun_backend_sql.backend import SqlBackend
from redun_backend_sql.dropping import drop_values, prepare_dropping
from redun_backend_sql.paging import group_by_size
from redun_backend_sql.rows import format_time
from redun_backend_sql.strays import find_strays, read_stored_rows
from redun_backend_sql.units import format_size
from redun_backend_sql.usage import (
    MIN_SIZE,
    PIN_KEYS,
    Candidate,
    Pin,
    Recomputed,
    Usage,
    drop_tables,
    estimate_recomputed,
    find_usage,
    find_used_since,
)
from redun_backend_sql.value_store import PREFIXES

GRACE_SECONDS = 86_400.0
"""For how long a value stays after it was used, and a file in the value store after it was written."""

_GROUP = 200
_TOTAL = "SELECT COALESCE(sum(length(value)), 0) FROM value"
_TOTAL_STORED = (
    "SELECT COALESCE(sum(redun_ext_value.size), 0) FROM redun_ext_value "
    "JOIN value ON value.value_hash = redun_ext_value.value_hash "
    "WHERE redun_ext_value.dropped IS NULL AND length(value.value) = 0"
)


class Policy(str, Enum):
    """Which values go first when there is not enough room: those used longest ago, or the largest."""

    OLDEST = "oldest"
    LARGEST = "largest"


@dataclass(frozen=True)
class Budget:
    """How much may stay.

    Attributes
    ----------
    older_than
        Values that were not used for so many seconds go; None for no limit of age.
    max_size
        How many bytes all values may have together; None for no limit.
    policy
        Which go first for that.
    min_size
        The least number of bytes of values that go.
    grace
        How many seconds after their last use values stay whatever the limits, and files of the value store.
    pins
        Tags that keep what they are on.
    """

    older_than: float | None = None
    max_size: int | None = None
    policy: Policy = Policy.OLDEST
    min_size: int = MIN_SIZE
    grace: float = GRACE_SECONDS
    pins: Sequence[Pin] = tuple((key, ANY_VALUE) for key in PIN_KEYS)


class Choice(NamedTuple):
    """Which values go, and which stay because of a tag or because they are used."""

    dropped: Sequence[Candidate]
    pinned: Sequence[Candidate]
    in_use: Sequence[Candidate]


@dataclass
class Collection:
    """What was done, or would be.

    Attributes
    ----------
    is_dry_run
        Whether nothing was done.
    total_size, max_size
        How many bytes values have before, and how many they may have, if that is limited.
    dropped_values, dropped_size, dropped_results
        The values that go, their bytes, and the cached results that name them.
    pinned_values, pinned_size, used_values, used_size
        What stays because of a tag, and because it is used or was a short while ago.
    recomputed
        The calls that later runs make again if they need them.
    removed_leftovers, removed_orphans, found_orphans
        Files of the value store.
    """

    is_dry_run: bool
    total_size: int
    max_size: int | None = None
    dropped_values: int = 0
    dropped_size: int = 0
    dropped_results: int = 0
    pinned_values: int = 0
    pinned_size: int = 0
    used_values: int = 0
    used_size: int = 0
    recomputed: Sequence[Recomputed] = ()
    removed_leftovers: int = 0
    removed_orphans: int = 0
    found_orphans: int = 0

    @property
    def left_size(self) -> int:
        """How many bytes values have afterwards."""
        return self.total_size - self.dropped_size

    @property
    def is_too_large(self) -> bool:
        """Whether more bytes are left than may be."""
        return self.max_size is not None and self.left_size > self.max_size

    def as_data(self) -> dict[str, Any]:
        """Return the report as data that JSON can hold."""
        recomputed = [item._asdict() for item in self.recomputed]
        return {**asdict(self), "recomputed": recomputed, "left_size": self.left_size}


def choose(usage: Usage, budget: Budget, total_size: int, now: float) -> Choice:
    """Return which values go.

    Parameters
    ----------
    usage
        The values that are large enough.
    budget
        How much may stay.
    total_size
        How many bytes all values have together.
    now
        The time, in seconds since the epoch.
    """
    recent = format_time(now - budget.grace)
    pinned = [value for value in usage.candidates if value.is_pinned]
    others = [value for value in usage.candidates if not value.is_pinned]
    in_use = [value for value in others if _is_in_use(value, usage.has_active, recent)]
    kept = {value.value_hash for value in in_use}
    free = [value for value in others if value.value_hash not in kept]
    oldest = "" if budget.older_than is None else format_time(now - budget.older_than)
    dropped = [value for value in free if budget.older_than is not None and (value.used or "") < oldest]
    if budget.max_size is not None:
        too_much = total_size - budget.max_size - sum(value.size for value in dropped)
        expired = {value.value_hash for value in dropped}
        for value in sorted(free, key=_ORDERS[budget.policy]):
            if too_much <= 0:
                break
            if value.value_hash not in expired:
                dropped.append(value)
                too_much -= value.size
    return Choice(dropped, pinned, in_use)


def _is_in_use(value: Candidate, has_active: bool, recent: str) -> bool:
    """Whether a value is used, or may be: of an active execution not everything is written down yet."""
    if value.is_active:
        return True
    return has_active if value.used is None else value.used > recent


_ORDERS: Mapping[Policy, Callable[[Candidate], Any]] = {
    Policy.OLDEST: lambda value: (value.used or "", -value.size, value.value_hash),
    Policy.LARGEST: lambda value: (-value.size, value.used or "", value.value_hash),
}


def collect(
    backend: SqlBackend, budget: Budget, dry_run: bool = False, remove_orphans: bool = False, now: float | None = None
) -> Collection:
    """Drop the values that a budget has no room for, and remove what belongs to nothing; return what was done.

    Parameters
    ----------
    backend
        The store, loaded.
    budget
        How much may stay. Without limits, only what belongs to nothing is removed.
    dry_run
        Whether only to say what would be done.
    remove_orphans
        Whether to remove also blobs that no row refers to. They may belong to another database that uses the same
        value store.
    now
        The time, in seconds since the epoch.

    Raises
    ------
    BackendError
        When the database or the value store can't be read or written.
    """
    start = time.time() if now is None else now
    if not dry_run:
        prepare_dropping(backend)
    done = Collection(dry_run, 0, budget.max_size)
    unnoted = _sweep_value_store(backend, budget.grace, start, remove_orphans, done)
    done.total_size = _measure(backend) + sum(unnoted.values())
    if budget.older_than is None and budget.max_size is None:
        return done
    try:
        usage = find_usage(backend, budget.min_size, budget.pins, unnoted, start)
        choice = choose(usage, budget, done.total_size, start)
        done.pinned_values, done.pinned_size = len(choice.pinned), _sum(choice.pinned)
        done.used_values, done.used_size = len(choice.in_use), _sum(choice.in_use)
        done.recomputed = estimate_recomputed(backend.database, [value.value_hash for value in choice.dropped])
    finally:
        drop_tables(backend.database)
    for group in _make_groups(choice.dropped):
        _drop(backend, group, start, done)
    return done


def _sweep_value_store(
    backend: SqlBackend, grace: float, now: float, remove_orphans: bool, done: Collection
) -> Mapping[str, int]:
    """Remove what belongs to nothing in the value store; return the sizes of the values there that have no note."""
    store = backend.placement.store
    unnoted: dict[str, int] = {}
    for prefix in PREFIXES if store is not None else ():
        assert store is not None
        rows = read_stored_rows(backend, prefix)
        blobs = store.list_blobs(prefix)
        strays = find_strays(backend, blobs, grace, now)
        unwanted = [*strays.leftovers, *(strays.orphans if remove_orphans else ())]
        if unwanted and not done.is_dry_run:
            store.remove([blob.name for blob in unwanted])
        done.removed_leftovers += len(strays.leftovers)
        done.removed_orphans += len(strays.orphans) if remove_orphans else 0
        done.found_orphans += len(strays.orphans)
        for blob in blobs:
            row = rows.get(blob.value_hash or "")
            if row is not None and row.note is None:
                unnoted[row.value_hash] = blob.size
    return unnoted


def _measure(backend: SqlBackend) -> int:
    """Return how many bytes values have, in rows and, as far as there are notes, in the value store."""
    [(size,)] = backend.database.select(_TOTAL)
    stored = backend.database.select(_TOTAL_STORED)[0][0] if backend.has_extension else 0
    return int(size) + int(stored)


def _make_groups(values: Sequence[Candidate]) -> Iterator[Sequence[Candidate]]:
    """Yield values in groups of a bounded number and size."""
    for start in range(0, len(values), _GROUP):
        part = {value.value_hash: value for value in values[start : start + _GROUP]}
        for group in group_by_size((value.value_hash, value.size) for value in part.values()):
            yield [part[value_hash] for value_hash in group]


def _drop(backend: SqlBackend, values: Sequence[Candidate], start: float, done: Collection) -> None:
    if not done.is_dry_run:
        used = find_used_since(backend.database, [value.value_hash for value in values], start)
        values = [value for value in values if value.value_hash not in used]
        sizes = {value.value_hash: value.size for value in values}
        done.dropped_results += drop_values(backend, list(sizes), time.time(), sizes)
    done.dropped_values += len(values)
    done.dropped_size += _sum(values)


def _sum(values: Sequence[Candidate]) -> int:
    return sum(value.size for value in values)


def describe_collection(done: Collection) -> Iterator[str]:
    """Yield the lines that tell people what was done, or would be."""
    would = "Would be " if done.is_dry_run else ""
    yield f"Values in all: {format_size(done.total_size)}"
    yield f"{'Would be dropped' if would else 'Dropped'}: {done.dropped_values:,} ({format_size(done.dropped_size)})"
    if done.pinned_values:
        yield f"Kept by a tag: {done.pinned_values:,} ({format_size(done.pinned_size)})"
    if done.used_values:
        yield f"In use, or used a short while ago: {done.used_values:,} ({format_size(done.used_size)})"
    if done.recomputed:
        yield "Calls that later runs make again if they need them:"
        width = max(len(item.task_name) for item in done.recomputed)
        for item in done.recomputed:
            yield f"  {item.task_name:<{width}}  {item.calls:,} ({format_size(item.size)})"
    removed = f"{would}removed" if would else "Removed"
    if done.removed_leftovers:
        yield f"{removed} from the value store, leftovers: {done.removed_leftovers:,}"
    if done.removed_orphans:
        yield f"{removed} from the value store, orphans: {done.removed_orphans:,}"
    elif done.found_orphans:
        yield (
            f"Files of the value store that belong to no row: {done.found_orphans:,}; if no other database uses it, "
            "--orphans removes them"
        )
    yield f"Left: {format_size(done.left_size)}"
    if done.is_too_large:
        yield "That is more than wanted: what stays is in use, pinned, too new or too small to drop."
