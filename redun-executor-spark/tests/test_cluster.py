"""The executor on a standalone cluster: a master and two workers, each with one processor."""

import os
import signal
import time
from collections import Counter
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from threading import Thread
from typing import NamedTuple

import pytest

from redun import Scheduler, task
from redun.executors.base import Call
from redun.executors.local import LocalExecutor
from redun.testing import workflows
from redun.testing.calls import echo
from redun.testing.executor import ExecutorContract
from redun.testing.gate import Gate
from redun.testing.records import encode
from redun_executor_spark.errors import SparkError
from redun_executor_spark.executor import SparkExecutor
from redun_executor_spark.sessions import get_current

ROUNDS = 5


class TestCluster(ExecutorContract):
    """Calls on the workers of the cluster."""

    parallel = 2
    many = 300
    seconds = 120

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


@pytest.mark.parametrize("count", [1_000, pytest.param(10_000, marks=pytest.mark.slow)])
def test_many_calls_share_spark_jobs(spark, cluster_options, count):
    """Calls that do nothing are made at 20 times the rate, at least, of a Spark job for each; the best round counts."""
    assert spark.submit(make_call(echo.func, 0)).result(60) == 0
    context, most = get_current().session.sparkContext, 0.0

    for _ in range(ROUNDS):
        begin = time.perf_counter()
        for number in range(10):
            context.parallelize([number], 1).map(echo.func).collect()
        alone = 10 / (time.perf_counter() - begin)
        begin = time.perf_counter()
        futures = spark.submit_many([make_call(echo.func, number) for number in range(count)])
        assert [future.result(60) for future in futures] == list(range(count))
        together = count / (time.perf_counter() - begin)
        most = max(most, together / alone)
        if most >= 20:
            break

    assert most >= 20


def test_user_modules_travel(spark, tmp_path, monkeypatch):
    """A function whose modules workers do not have travels with what it uses of them, and with its arguments' types."""
    package = tmp_path / "travelling"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "shapes.py").write_text("class Square:\n    def __init__(self, side):\n        self.side = side\n")
    (package / "tasks.py").write_text(
        "from redun import task\nfrom travelling import shapes\nfrom travelling.shapes import Square\n\n"
        "@task(namespace='travelling')\ndef double(square):\n"
        "    assert isinstance(square, Square)\n    return shapes.Square(2 * square.side)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    tasks = import_module("travelling.tasks")

    futures = spark.submit_many([make_call(tasks.double.func, tasks.Square(number)) for number in range(3)])

    results = [future.result(60) for future in futures]
    assert [type(result) for result in results] == [tasks.Square] * 3
    assert [result.side for result in results] == [0, 2, 4]


def test_code_package_is_imported(cluster_options, tmp_path, monkeypatch):
    """With a code package, workers import the modules of the working folder."""
    (tmp_path / "packaged.py").write_text(
        "from redun import task\n\n@task(namespace='packaged')\ndef where():\n    return __file__\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    where = import_module("packaged").where
    executor = SparkExecutor("packaged", replace(cluster_options, code_package=True))

    found = executor.submit(make_call(where.func)).result(60)
    executor.stop()

    assert ".zip" in found


def test_options_of_tasks_choose_workers(spark, caplog):
    """A call that needs processors, or hosts, runs as such on a cluster that can tell."""
    wanted = [{"vcpus": 1}, {"hosts": ["127.0.0.1"]}, {"vcpus": 1, "hosts": ["127.0.0.1"]}]

    futures = spark.submit_many([make_call(echo.func, 1)._replace(options=options) for options in wanted])

    assert [future.result(60) for future in futures] == [1, 1, 1]
    assert "ignores" not in caplog.text


@pytest.mark.parametrize(
    ("options", "text"),
    [({"vcpus": 1.5}, "vcpus=1.5"), ({"memory": "4 GB"}, "memory='4 GB'"), ({"hosts": "here"}, "hosts='here'")],
)
def test_wrong_options_fail_their_call_only(spark, options, text):
    """An option that makes no sense fails its call with an error that names it; others run."""
    wrong, right = spark.submit_many([make_call(echo.func, 1)._replace(options=options), make_call(echo.func, 2)])

    assert text in str(wrong.exception(60))
    assert right.result(60) == 2


def test_unreachable_driver_is_explained(cluster_options):
    """When workers can't reach this process, calls fail with what to set, and not before Spark has tried again."""
    executor = SparkExecutor("unreachable", replace(cluster_options, address="no-such-host.invalid"))

    error = executor.submit(make_call(echo.func, 1)).exception(120)
    executor.stop()

    assert isinstance(error, SparkError)
    assert "can't reach the process that runs the workflow at no-such-host.invalid" in str(error)
    assert "set the executor's option address" in str(error)
    assert error.redun_logs


def make_call(func, *args):
    """Return a call of a function that is a task's."""
    name = func.__name__
    return Call(f"{func.__module__}.{name}", func, args, {}, {}, "e" * 40, "job", func.__module__, False)
