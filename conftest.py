"""Fixtures of all tests: a scheduler in memory, what its last execution did, and servers to talk to."""

import gc
import logging

import pytest
from hypothesis import HealthCheck, settings

from redun import Scheduler

settings.register_profile(
    "same", derandomize=True, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("new", settings.get_profile("same"), derandomize=False, print_blob=True)
settings.load_profile("same")  # Every run tries the same, however slow the machine: --hypothesis-profile=new does not.

pytest_plugins = ["big_databases", "postgres_server", "repositories", "s3_server", "slow_network"]


def pytest_collection_finish():
    """Leave what collecting the tests made out of every later search for garbage: it is much, and all of it stays."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _quiet():
    """Keep the progress of workflows out of the tests' output; what is logged can still be captured."""
    logging.getLogger("redun").setLevel(logging.INFO)
    yield
    logging.getLogger("redun").setLevel(logging.NOTSET)


@pytest.fixture
def scheduler():
    """A scheduler whose cache and call graph live in memory."""
    with Scheduler() as made:
        yield made


@pytest.fixture
def ran(scheduler):
    """A function that returns the names of the tasks that the last execution really ran, in order of their start."""

    def list_ran():
        return [name for name, job in _last_jobs(scheduler.backend) if not job.cached]

    return list_ran


@pytest.fixture
def cached(scheduler):
    """A function that returns the names of the tasks whose calls the last execution answered from the cache."""

    def list_cached():
        return [name for name, job in _last_jobs(scheduler.backend) if job.cached]

    return list_cached


def _last_jobs(backend):
    last = max(backend.executions.values(), key=lambda execution: execution.updated_time)
    jobs = [job for job in backend.jobs.values() if job.execution_id == last.id]
    return [(backend.tasks[job.task_hash].subtype.name, job) for job in sorted(jobs, key=lambda job: job.start_time)]
