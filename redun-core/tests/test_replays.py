"""Many recorded results at a time answer calls; what the store has of those calls is not recorded again."""

import gc
from pathlib import Path

import pytest

from redun import File, Scheduler, get_context, task
from redun.backends.memory import MemoryBackend
from redun.scheduler.job import Job
from redun.testing.watching import WatchedBackend

redun_namespace = "test_replays"

MANY, FEW = 30, 3


@task()
def double(number):
    return 2 * number


@task()
def double_each(count):
    return [double(number) for number in range(count)]


@task()
def name_file(folder, number):
    return File(f"{folder}/{number}")


@task()
def name_files(folder, count):
    return [name_file(folder, number) for number in range(count)]


@task()
def double_later(number):
    return double(number)


@task()
def double_later_each(count):
    return [double_later(number) for number in range(count)]


@task()
def add_context(number, context=get_context("offset")):
    return number + context


@task()
def add_context_to_each(count):
    return [add_context(number) for number in range(count)]


@task(prov=False)
def hide(number):
    return double(number)


@task()
def hide_each(count):
    return [hide(number) for number in range(count)]


@pytest.fixture
def store():
    return MemoryBackend()


def run(store, expression, **settings):
    """Run a workflow; return its value, and the calls and jobs that were handed to the store."""
    watched = WatchedBackend(store)
    value = Scheduler(backend=watched).run(expression, **settings)
    calls = [call for batch in watched.batches for call in batch.calls]
    jobs = {key: job for batch in watched.batches for key, job in (*batch.jobs.items(), *batch.job_ends.items())}
    return value, calls, list(jobs.values())


def is_answered(job):
    return job.cached and job.call_hash is not None


def test_recorded_calls_are_not_recorded_again(store):
    """When the store has the calls of recorded results, only their jobs are recorded."""
    first, first_calls, first_jobs = run(store, double_each(MANY))

    second, calls, jobs = run(store, double_each(MANY))

    assert (second, len(first_calls)) == (first, MANY + 1)
    assert {call.task_name for call in calls} == {"test_replays.double_each"}
    answered = [job for job in jobs if job.task_hash == double.hash]
    assert len(answered) == MANY
    assert all(map(is_answered, answered))
    assert {job.call_hash for job in answered} == {job.call_hash for job in first_jobs if job.task_hash == double.hash}


@pytest.mark.parametrize("count", [FEW, MANY])
def test_lost_call_is_recorded_again(store, count):
    """A recorded result whose call the store lacks, as other programs may leave it, brings the call along."""
    run(store, double_each(count))
    before = dict(store.calls)
    lost = next(key for key, call in before.items() if call.task_name == "test_replays.double")
    del store.calls[lost]

    run(store, double_each(count))

    assert store.calls.keys() == before.keys()
    assert store.calls[lost][:6] == before[lost][:6]


@pytest.mark.parametrize("count", [FEW, MANY])
def test_replayed_graph_is_the_recorded_one(store, count):
    """However many results are reused together, the second run has the calls of the first, down to the root."""
    workflows = [
        lambda: double_later_each(count),
        lambda: hide_each(count),
        lambda: add_context_to_each.update_context(offset=7)(count),
    ]
    for make in workflows:
        value, _, jobs = run(store, make())
        again, _, later = run(store, make())

        assert again == value
        assert {job.call_hash for job in later} == {job.call_hash for job in jobs}


def test_files_among_results_are_looked_at(store, tmp_path):
    """Of many results with files, those whose file has changed are made again."""
    pytest.importorskip("redun_value_file", reason="redun-value-file is not installed")
    for number in range(MANY):
        Path(tmp_path, str(number)).write_text("old")
    run(store, name_files(str(tmp_path), MANY))
    Path(tmp_path, "7").write_text("new content")

    _, _, jobs = run(store, name_files(str(tmp_path), MANY))

    made = [job for job in jobs if job.task_hash == name_file.hash and not job.cached]
    assert len(made) == 1


def test_finished_execution_leaves_no_jobs(store):
    """The jobs of an execution go with it, without waiting for the cycle collector."""
    scheduler = Scheduler(backend=store)
    gc.collect()
    gc.disable()
    try:
        before = count_jobs()
        for _ in range(2):
            scheduler.run(double_each(200))
        left = count_jobs() - before
    finally:
        gc.enable()

    assert left < 50


def count_jobs():
    """Return how many jobs there are in this process."""
    return sum(type(item) is Job for item in gc.get_objects())
