"""Executions that go on under another scheduler, on the same store."""

import pytest

from redun import Scheduler, task
from redun.errors import SchedulerError
from redun.scheduler import JobInfo
from redun.scheduler.extend import extend_run

redun_namespace = "extend_test"


@task()
def add(a, b):
    return a + b


@task()
def twice(x):
    return add(x, add(x, x))


@pytest.fixture
def go_on(scheduler):
    """A function that lets another scheduler go on with the job that calls it."""

    def run(job_id):
        with Scheduler(backend=scheduler.backend) as other:
            return other.extend_run(twice(1), job_id)

    return run


def test_jobs_stand_under_the_job_and_in_its_execution(scheduler, go_on):
    """The jobs of another scheduler have the job that it goes on with above them, and belong to its execution."""
    reports = []

    @task(name="outer", namespace="extend_test", cache=False)
    def outer(info=JobInfo()):
        reports.append((info, go_on(info.job_id)))
        return 0

    scheduler.run(outer())

    [(info, report)] = reports
    job = scheduler.backend.jobs[report["job_id"]]
    assert (report["result"], job.parent_id, job.execution_id) == (3, info.job_id, info.execution_id)
    assert len(scheduler.backend.executions) == 1
    assert report["status"] == {"extend_test.twice": {"DONE": 1}, "extend_test.add": {"DONE": 2}}
    assert set(report["subtree"]) == {add.hash, twice.hash}
    assert scheduler.backend.calls[report["call_hash"]].task_name == "extend_test.twice"


def test_unknown_job_is_an_error(scheduler):
    """A job that the store does not have can't be gone on with, and the message says what to do."""
    with pytest.raises(SchedulerError, match=r"Unknown parent_job_id: no-job; .* configure a store"):
        extend_run(scheduler, twice(1), "no-job", patience=0)

    assert scheduler.backend.executions == {}
