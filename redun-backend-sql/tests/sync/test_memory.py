"""What an exchange holds in memory does not grow with what is exchanged."""

import tracemalloc
from collections import deque

import pytest

from redun import task
from redun_backend_sql.sync import copies, staging, transfer, walk
from redun_backend_sql.sync import export as exporting
from redun_backend_sql.sync.exchange import open_store
from redun_backend_sql.sync.export import export_records
from redun_backend_sql.sync.send import FindExecutions, find_everything, send
from redun_backend_sql.sync.store import Store

redun_namespace = "test_memory"
GROUPS, GROUP = 30, 7


@task(version="1")
def square(x):
    return x * x


@task(version="1")
def group(start):
    return [square(x) for x in range(start, start + GROUP)]


@task(version="1")
def main(groups):
    return [group(number * GROUP) for number in range(groups)]


@pytest.fixture
def small_steps(monkeypatch):
    """Lets everything go in small steps, so that few records are many."""
    monkeypatch.setattr(walk, "BATCH", 40)
    monkeypatch.setattr(transfer, "PAGE", 40)
    monkeypatch.setattr(exporting, "PAGE", 40)
    monkeypatch.setattr(copies, "GROUP", 50)
    monkeypatch.setattr(staging, "MAX_ROWS", 100)


def measure(action):
    """Return how many bytes an action had in memory at its peak, on its second time."""
    action()
    tracemalloc.start()
    try:
        action()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_ten_times_as_many_records_need_no_more_memory(make_store, run, push, small_steps, tmp_path):
    """The peak of what is in memory is the same for some thousand records as for some hundred, but for their lines.

    A record that names very many others has a long line, which is read and written as a whole.
    """
    peaks, counts = {}, []
    for factor in (1, 10):
        here = make_store(f"here-{factor}")
        run(here, main(GROUPS * factor))
        path = tmp_path / f"{factor}.json"
        path.write_text("".join(f"{line}\n" for line in export_records(open_store(here), FindExecutions())))
        lines = path.read_text().splitlines()
        counts.append(len(lines))
        targets = map(make_store, (f"there-{factor}-{number}" for number in range(9)))

        def push_all(here=here, targets=targets):
            push(here, next(targets))

        def export_all(here=here):
            deque(export_records(open_store(here), FindExecutions()), maxlen=0)

        def import_all(path=path, targets=targets):
            there = next(targets)
            with staging.open_staging("records.json") as staged, open(path, "rb") as lines:
                staging.stage_records(staged, lines)
                staging.complete_records(staged, there.database)
                send(Store(staged, has_extension=True), open_store(there), find_everything, is_strict=True)

        for action in (push_all, export_all, import_all):
            peaks.setdefault(action.__name__, []).append(measure(action))

    longest = max(map(len, lines))
    growths = {name: large - small for name, (small, large) in peaks.items()}
    assert counts[1] > 9 * counts[0] > 6_000
    assert growths["push_all"] < 50_000, peaks
    assert max(growths["export_all"], growths["import_all"]) < 50_000 + 10 * longest, peaks
