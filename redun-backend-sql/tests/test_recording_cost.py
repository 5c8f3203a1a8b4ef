"""What recording costs beside the least that the same rows can cost, measured in one run."""

import gc
import random
import time
from contextlib import closing

import pytest

from redun import Scheduler, task
from redun.backends.memory import MemoryBackend
from redun_backend_sql.backend import SqlBackend
from redun_backend_sql.options import SqlOptions
from redun_backend_sql.rows import make_rows
from redun_backend_sql.sqlite import format_write

redun_namespace = "test_recording_cost"

COUNT = 10_000


@task()
def add_one(number):
    return number + 1


@task()
def add_one_to_all(count):
    return [add_one(number) for number in range(count)]


@pytest.fixture(scope="module")
def batches():
    """The batches of a run of 10,000 tasks."""
    taken = []

    class Taking(MemoryBackend):
        def record(self, batch):
            taken.append(batch)

    with Scheduler(backend=Taking()) as scheduler:
        scheduler.run(add_one_to_all(COUNT))
    return taken


@pytest.fixture
def without_collector():
    """The cycle collector does not run, as it hardly does in an execution."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def measure_recording(path, batches):
    """Return the CPU seconds for the journal, the rows and their hashes, and the tables."""
    with closing(SqlBackend(SqlOptions(f"sqlite:///{path}"))) as backend:
        backend.load()
        start = time.process_time()
        for batch in batches:
            backend.journal(batch)
            backend.record(batch)
        return time.process_time() - start


def measure_rows(path, batches):
    """Return the CPU seconds for the same rows in one ``executemany`` per table, in no particular order."""
    with closing(SqlBackend(SqlOptions(f"sqlite:///{path}"))) as backend:
        backend.load()
        connection = backend.database.connection
        all_rows = [make_rows(batch, set()) for batch in batches]
        for rows in all_rows:
            for content in rows.values():
                random.Random(1).shuffle(content)
        start = time.process_time()
        for rows in all_rows:
            connection.execute("BEGIN IMMEDIATE")
            for write, content in rows.items():
                if content:
                    connection.executemany(format_write(write), content)
            connection.execute("COMMIT")
        return time.process_time() - start


@pytest.mark.slow
def test_recording_costs_little_more_than_its_rows(tmp_path, batches, without_collector):
    """Journaling and recording 10,000 tasks costs at most 1.3 times what writing the same rows costs."""
    rows = [measure_rows(tmp_path / f"rows{round_}.db", batches) for round_ in range(3)]
    recording = [measure_recording(tmp_path / f"recording{round_}.db", batches) for round_ in range(3)]

    assert min(recording) <= 1.3 * min(rows)
