"""The executor on a standalone cluster: a master and two workers, each with one processor."""

import os
import signal

import pytest

from redun.testing.executor import ExecutorContract
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
