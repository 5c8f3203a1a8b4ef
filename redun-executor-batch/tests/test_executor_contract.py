"""The executor passes the contract of executors, on the endpoint."""

import os
import signal

import pytest

from redun.testing import ExecutorContract
from redun_executor_batch.executor import BatchExecutor
from redun_executor_batch.options import BatchOptions


class TestBatch(ExecutorContract):
    """Jobs on the endpoint, which has room for four."""

    parallel = 4
    many = 6

    @pytest.fixture(autouse=True)
    def _on_endpoint(self, endpoint, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        endpoint.configure(vcpus=4)
        self.endpoint = endpoint

    def make_executor(self):
        return BatchExecutor(
            "batch",
            BatchOptions(
                image="plain",
                queue=self.endpoint.queue,
                s3_scratch=f"s3://{self.endpoint.bucket}/contract",
                job_monitor_interval=0.05,
                job_stale_time=0.05,
                retries=0,
            ),
        )

    def kill_worker(self, visitor):
        os.kill(visitor.pid, signal.SIGKILL)
