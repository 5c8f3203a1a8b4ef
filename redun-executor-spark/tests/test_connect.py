"""The executor through a Spark Connect server."""

import os
import signal

import pytest
from spark_cluster import ConnectServer

from redun import Scheduler, task
from redun.testing import workflows
from redun.testing.executor import ExecutorContract
from redun_executor_spark import ShardedDataset, SparkExecutor, SparkOptions, get_spark_session, udf

pytestmark = pytest.mark.slow

redun_namespace = "test_connect"


@pytest.fixture(scope="module")
def server(spark_logs, tmp_path_factory):
    """A Spark Connect server."""
    made = ConnectServer(tmp_path_factory.mktemp("spark-connect"))
    yield made
    made.stop()


@pytest.fixture(scope="module")
def make_executor(server, spark_logs):
    """A function that returns an executor that works through the server."""
    return lambda **others: SparkExecutor("default", SparkOptions(remote=server.url, log_dir=str(spark_logs), **others))


class TestConnect(ExecutorContract):
    """Calls on the workers of the server."""

    parallel = 2
    many = 300
    seconds = 120

    @pytest.fixture(autouse=True)
    def _prepare(self, make_executor):
        self.make_executor = make_executor

    def kill_worker(self, visitor):
        os.kill(visitor.pid, signal.SIGKILL)


@udf
def double(number: int) -> int:
    """Return twice a number."""
    return 2 * number


@task(version="1", hash_includes=[double])
def write_doubles(path, count):
    """Write numbers as a dataset."""
    return ShardedDataset.from_data(get_spark_session().range(count).select(double("id").alias("n")), path)


def test_task_works_on_frames(make_executor, tmp_path):
    """A task of mode ``driver`` has a session of the server, with functions for columns."""
    executor = make_executor(mode="driver")

    with Scheduler(executor=executor) as scheduler:
        dataset = scheduler.run(write_doubles(str(tmp_path / "doubles"), 4))

    assert sorted(dataset.load_pandas()["n"]) == [0, 2, 4, 6]


def test_workflow_runs_on_the_server(make_executor):
    """A workflow's calls run on the workers of the server."""
    with Scheduler(executor=make_executor()) as scheduler:
        assert scheduler.run(workflows.add_all([1, 2, 3])) == [1, 2, 3]
