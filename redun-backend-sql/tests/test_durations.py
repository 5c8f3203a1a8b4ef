"""How long calls of tasks have taken."""

import pytest

from redun import task

redun_namespace = "durations"


@task(version="1")
def add(a, b):
    return a + b


@task(version="1")
def other():
    return 1


@pytest.fixture
def set_times(backend):
    """A function that lets every executed job of a task have taken some seconds."""

    def update(name, seconds):
        start, end = (f"2026-01-01 00:00:{number:09.6f}" for number in (seconds, 2 * seconds))
        backend.database.execute(
            "UPDATE job SET start_time = ?, end_time = ? WHERE NOT cached AND task_hash IN "
            "(SELECT hash FROM task WHERE name = ?) AND start_time > '2026-01-02'",
            start,
            end,
            name,
        )

    return update


def test_durations_are_means_by_task(run, backend, set_times):
    """The mean over the jobs of a task is found by its full name; tasks that never ran have none."""
    run(add(1, 2))
    set_times("add", 2)
    run(add(1, 3))
    set_times("add", 5)
    run(other())
    set_times("other", 0.25)

    found = backend.find_durations(["durations.add", "durations.other", "durations.add", "durations.none", "add", ""])

    assert found == {"durations.add": 3.5, "durations.other": 0.25}


def test_cached_jobs_do_not_count(run, backend, set_times, monkeypatch):
    """Jobs that were answered from the cache tell nothing, even when they are the latest that are looked at."""
    monkeypatch.setattr("redun_backend_sql.durations.MAX_JOBS", 2)
    run(add(1, 2))
    set_times("add", 3)
    for _ in range(4):
        run(add(1, 2))

    assert backend.find_durations(["durations.add"]) == {"durations.add": 3.0}


def test_unfinished_jobs_do_not_count(run, backend, query):
    """A job without end tells nothing."""
    run(other())
    backend.database.execute("UPDATE job SET end_time = NULL")

    assert backend.find_durations(["durations.other"]) == {}


def test_latest_jobs_of_all_definitions_count(run, backend, set_times, monkeypatch):
    """Jobs of earlier definitions count too; of all jobs the latest."""
    run(other())
    set_times("other", 4)
    later = task(version="2", name="other", namespace="durations")(other.func)
    run(later())
    set_times("other", 8)
    task(version="1", name="other", namespace="durations")(other.func)
    both = backend.find_durations(["durations.other"])
    monkeypatch.setattr("redun_backend_sql.durations.MAX_JOBS", 1)

    latest = backend.find_durations(["durations.other"])

    assert (both, latest) == ({"durations.other": 6.0}, {"durations.other": 8.0})
