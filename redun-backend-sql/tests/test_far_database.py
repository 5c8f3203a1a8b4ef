"""A database that is far away costs little: a run waits for it a few times, however many tasks it has."""

import time

import pytest

from redun import Scheduler, task
from redun_backend_sql.backend import SqlBackend
from redun_backend_sql.options import SqlOptions

redun_namespace = "test_far_database"

ONE_WAY = 0.0025
BASE_TRIPS = 30
TRIPS_PER_SECOND = 10  # For looking whether others use the store, and for groups every other second.


@task(version="1")
def square(x):
    return x * x


@task(version="1")
def squares(count):
    return [square(x) for x in range(count)]


@pytest.fixture
def dialect():
    """All databases here are of this kind."""
    return "postgresql"


@pytest.fixture
def measure(new_uri, postgres_server, make_network, tmp_path):
    """Runs a workflow on a new database behind a network; returns the seconds and round trips, cold and warm."""

    def measure_runs(count, delay=0.0):
        network = make_network(postgres_server.port, delay)
        uri = new_uri().replace(f":{postgres_server.port}/", f":{network.port}/")
        measured = []
        with Scheduler(backend=SqlBackend(SqlOptions(uri, config_dir=str(tmp_path)))) as scheduler:
            scheduler.load()
            for _ in range(2):
                trips, start = network.round_trips, time.perf_counter()
                scheduler.run(squares(count))
                measured.append((time.perf_counter() - start, network.round_trips - trips))
        return measured

    return measure_runs


def test_round_trips_do_not_grow_with_tasks(measure):
    """Ten times as many tasks cost no more round trips than the time they take asks for, cold and warm."""
    measured = [*measure(1_000), *measure(10_000)]

    assert [trips <= BASE_TRIPS + TRIPS_PER_SECOND * seconds for seconds, trips in measured] == [True] * 4


@pytest.mark.slow
def test_far_database_costs_little_time(measure):
    """With five milliseconds more for each round trip, ten thousand tasks take at most twice as long."""
    near, far = measure(10_000), measure(10_000, ONE_WAY)

    assert [slow <= 2 * quick for (quick, _), (slow, _) in zip(near, far, strict=True)] == [True, True]
