"""The executor on a standalone cluster: a master and two workers, each with one processor."""

import os
import signal
from collections import Counter
from pathlib import Path
from threading import Thread
from typing import NamedTuple

import pytest

from redun import Scheduler, task
from redun.executors.local import LocalExecutor
from redun.testing import workflows
from redun.testing.executor import ExecutorContract
from redun.testing.gate import Gate
from redun.testing.records import encode
from redun_executor_spark.executor import SparkExecutor


class TestCluster(ExecutorContract):
    """Calls on the workers of the cluster."""

    parallel = 2
    many = 300

    @pytest.fixture(autouse=True)
    def _prepare(self, cluster_options):
        self.options = cluster_options

    def make_executor(self):
        return SparkExecutor("spark", self.options)

    def kill_worker(self, visitor):
        os.kill(visitor.pid, signal.SIGKILL)


@pytest.fixture(scope="module")
def spark(cluster_options):
    """An executor that is the default of schedulers."""
    executor = SparkExecutor("default", cluster_options)
    yield executor
    executor.stop()


class Ran(NamedTuple):
    """What came of a workflow: the hash of its value, the addresses of its calls, that of the root apart."""

    value_hash: str
    call_hashes: list
    root_hash: str


@pytest.mark.parametrize("name", workflows.WORKFLOWS)
def test_workflow_is_the_same_as_on_threads(spark, name):
    """A workflow has the value and the call graph on the cluster that it has on threads."""
    expected = run_in_memory(LocalExecutor(), name)

    found = run_in_memory(spark, name)

    assert found == expected


def run_in_memory(executor, name):
    """Return what came of a workflow."""
    with Scheduler(executor=executor) as scheduler:
        value = scheduler.run(workflows.WORKFLOWS[name]())
        jobs = scheduler.backend.jobs.values()
        [root] = [job.call_hash for job in jobs if job.parent_id is None]
        below = sorted(job.call_hash for job in jobs if job.parent_id is not None)
    return Ran(encode(value).value_hash, below, root)


def test_calls_of_a_lost_machine_are_made_again(spark, cluster, tmp_path):
    """When a worker is killed with its executors, all results are right, and none is recorded twice."""
    gate = Gate("127.0.0.1", 60)
    calls = [mark(str(tmp_path), number) for number in range(200)]
    killing = Thread(target=kill_at, args=(gate, cluster))
    killing.start()

    with Scheduler(executor=spark) as scheduler:
        value = scheduler.run([workflows.visit_gate(*gate.address, 60), *calls])
        jobs = scheduler.backend.jobs.values()
        recorded = Counter(scheduler.backend.tasks[job.task_hash].subtype.name for job in jobs)
    killing.join()
    gate.close()

    assert value == ["again", *range(200)]
    assert (recorded["mark"], recorded["visit_gate"]) == (200, 1)
    assert len(list(tmp_path.iterdir())) == 200


@task(namespace="test_cluster")
def mark(folder, number):
    """Leave a file, and return a number."""
    (Path(folder) / str(number)).touch()
    return number


def kill_at(gate, cluster):
    """Kill the machine of a call that waits at a gate, and let the call pass that is made again."""
    [first] = gate.admit(1)
    cluster.kill_worker_of(first.pid)
    [second] = gate.admit(1)
    second.release("again")


def test_jobs_are_tagged(spark):
    """A redun job has the application and the Spark job that ran it as tags."""
    with Scheduler(executor=spark) as scheduler:
        scheduler.run(workflows.add(1, 2))
        [job] = [job.id for job in scheduler.backend.jobs.values() if job.parent_id is None]
        tags = dict(scheduler.backend.tags["Job", job])

    assert tags["spark_app"].startswith("app-")
    assert isinstance(tags["spark_job"], int)
