"""The contract of executors, kept by every executor that the kernel ships."""

import os
import signal
from contextlib import closing

import pytest

from redun.config import Config
from redun.executors.local import LocalExecutor, LocalOptions
from redun.scheduler.setup import Executors
from redun.testing import ExecutorContract
from redun.testing.gate import Gate


class TestThreads(ExecutorContract):
    """Calls on threads."""

    def make_executor(self):
        return LocalExecutor("threads", LocalOptions(max_workers=4))


class ProcessContract(ExecutorContract):
    """Calls in processes, started in one of three ways."""

    start_method: str

    def make_executor(self):
        return LocalExecutor("processes", LocalOptions(4, "process", self.start_method))

    def kill_worker(self, visitor):
        os.kill(visitor.pid, signal.SIGKILL)


class TestForkserver(ProcessContract):
    """Calls in processes forked from a clean one."""

    start_method = "forkserver"


class TestSpawn(ProcessContract):
    """Calls in new processes."""

    start_method = "spawn"


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
class TestFork(ProcessContract):
    """Calls in copies of this process."""

    start_method = "fork"


class TestCoroutines(ExecutorContract):
    """Coroutines on one event loop."""

    coroutines = True
    parallel = None

    def make_executor(self):
        return LocalExecutor("coroutines")


class TestAlias(ExecutorContract):
    """Calls that another executor runs under its own name, found through an alias of an alias."""

    def make_executor(self):
        sections = {
            "executors.short": {"type": "alias", "target": "long"},
            "executors.long": {"type": "alias", "target": "real"},
            "executors.real": {"type": "local", "max_workers": "4"},
        }
        executors = Executors(Config(sections))
        made = executors.start("short")
        made.stop = executors.stop  # The scheduler stops all executors, those that an alias stands for among them.
        return made


def test_calls_that_do_not_start_are_counted():
    """A gate that waits in vain says how many calls came."""
    with (
        closing(Gate("127.0.0.1", 0.01)) as gate,
        pytest.raises(TimeoutError, match=r"0 of 2 calls started to run within 0\.01 seconds: the others were not run"),
    ):
        gate.admit(2)
