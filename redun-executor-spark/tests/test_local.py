"""The executor on a Spark in this process's Java."""

import os
import signal

import pytest

from redun.testing.executor import ExecutorContract
from redun_executor_spark.executor import SparkExecutor


@pytest.mark.slow
class TestTasks(ExecutorContract):
    """Calls on the workers of ``local[2]``."""

    parallel = 2
    many = 300
    seconds = 120

    @pytest.fixture(autouse=True)
    def _prepare(self, local_options):
        self.options = local_options

    def make_executor(self):
        return SparkExecutor("spark", self.options)

    def kill_worker(self, visitor):
        os.kill(visitor.pid, signal.SIGKILL)
