"""The contract of executors itself: each way of breaking it fails the tests that are meant."""

import subprocess
import sys
from xml.etree import ElementTree as ET

import pytest

MODULE = """
from concurrent.futures import Future, ThreadPoolExecutor

from redun.executors.local import LocalExecutor, LocalOptions
from redun.testing import ExecutorContract

class Small(ExecutorContract):
    many = 10
    seconds = 1

    def make_executor(self):
        return self.executor_type("broken", LocalOptions(max_workers=4))

class Serial(LocalExecutor):
    def __init__(self, name, options):
        super().__init__(name, LocalOptions(max_workers=1))

class Reversed(LocalExecutor):
    def submit_many(self, calls):
        return super().submit_many(calls)[::-1]

class Deaf(LocalExecutor):
    def submit_many(self, calls):
        return super().submit_many([call._replace(kwargs={}) for call in calls])

class Renaming(LocalExecutor):
    def submit_many(self, calls):
        def rename(func):
            def run(*args, **kwargs):
                try:
                    return func(*args, **kwargs)
                except Exception as error:
                    raise RuntimeError(repr(error)) from error
            return run
        return super().submit_many([call._replace(func=rename(call.func)) for call in calls])

class Unmarked(LocalExecutor):
    def submit_many(self, calls):
        copies = []
        for future in super().submit_many(calls):
            copies.append(Future())
            future.add_done_callback(lambda done, copy=copies[-1]: copy.set_result(done.result()))
        return copies

class Patient(LocalExecutor):
    def cancel(self, future):
        return future.cancel()

class Liar(LocalExecutor):
    def cancel(self, future):
        super().cancel(future)
        return True

class Final(LocalExecutor):
    is_over = False
    def submit_many(self, calls):
        if self.is_over:
            raise RuntimeError("over")
        return super().submit_many(calls)
    def stop(self):
        self.is_over = True
        super().stop()

class Blocking(LocalExecutor):
    def submit_many(self, calls):
        futures = []
        for call in calls:
            futures += super().submit_many([call])
            futures[-1].exception()
        return futures

class Pooled(LocalExecutor):
    def submit_many(self, calls):
        self.pool = getattr(self, "pool", None) or ThreadPoolExecutor(4)
        return [self.pool.submit(call.func, *call.args, **call.kwargs) for call in calls]
    def cancel(self, future):
        return future.cancel()
    def stop(self):
        if hasattr(self, "pool"):
            self.pool.shutdown()
            del self.pool
"""

CAUGHT = {
    "Serial": {"test_calls_run_at_the_same_time"},
    "Reversed": {"test_futures_are_in_the_order_of_calls", "test_many_calls_all_finish"},
    "Deaf": {"test_arguments_arrive"},
    "Renaming": {"test_error_arrives"},
    "Unmarked": {"test_running_calls_are_marked"},
    "Patient": {"test_cancelled_while_running_takes_no_place", "test_stop_does_not_wait_for_cancelled_calls"},
    "Liar": {"test_cancelling_after_the_end_changes_nothing", "test_cancelled_while_running_takes_no_place"},
    "Final": {"test_stopped_executor_can_be_started_again", "test_stop_does_not_wait_for_cancelled_calls"},
    "Blocking": {"test_submitting_does_not_wait_for_the_call"},
    "Pooled": {"test_second_completion_is_harmless", "test_stop_does_not_wait_for_cancelled_calls"},
}


@pytest.fixture(scope="module")
def failed(tmp_path_factory):
    """The names of the tests that each executor fails, of those that are meant."""
    folder = tmp_path_factory.mktemp("broken")
    classes = "".join(f"\nclass Test{name}(Small):\n    executor_type = {name}\n" for name in CAUGHT)
    (folder / "test_broken.py").write_text(MODULE + classes)
    tests = [f"test_broken.py::Test{name}::{test}" for name, tests in CAUGHT.items() for test in sorted(tests)]
    command = [sys.executable, "-m", "pytest", "-q", "--junitxml=report.xml", "-p", "no:cacheprovider", *tests]
    subprocess.run(command, cwd=folder, capture_output=True, timeout=600)
    found = {name: set() for name in CAUGHT}
    for case in ET.parse(folder / "report.xml").iter("testcase"):
        if case.find("failure") is not None:
            found[case.get("classname").rpartition(".Test")[2]].add(case.get("name"))
    return found


@pytest.mark.parametrize("name", CAUGHT)
def test_broken_executor_is_caught(failed, name):
    """An executor that breaks the contract fails the tests that are about what it breaks."""
    assert failed[name] == CAUGHT[name]
