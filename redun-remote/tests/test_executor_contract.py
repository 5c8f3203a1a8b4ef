"""The contract of executors, kept by those that come with this distribution."""

import os
import signal

import pytest

from redun.testing import ExecutorContract
from redun_remote.subprocess_executor import SubprocessExecutor, SubprocessOptions


class TestSubprocess(ExecutorContract):
    """Calls in new processes, through a scratch space on this machine."""

    parallel = 2
    many = 6

    @pytest.fixture(autouse=True)
    def _scratch(self, tmp_path):
        self.scratch = str(tmp_path / "scratch")

    def make_executor(self):
        return SubprocessExecutor("remote", SubprocessOptions(scratch=self.scratch, max_workers=2, code_package=False))

    def kill_worker(self, visitor):
        os.kill(visitor.pid, signal.SIGKILL)
