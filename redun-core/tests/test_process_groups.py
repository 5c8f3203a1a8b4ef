"""Programs that calls in processes start: they end with a cancelled call, and with a lost parent."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest
from foreign_processes import is_running

from redun import Scheduler
from redun.errors import TaskTimeoutError
from redun.executors.base import Call
from redun.executors.local import LocalExecutor, LocalOptions

MODULE = """
import os, signal, subprocess
from redun import task

redun_namespace = "programs"

@task(version="1")
def run_program(fifo, prefix=""):
    subprocess.run(["sh", "-c", f"{prefix} sh -c 'sleep 60 & echo $! >{fifo}; wait' & wait"])

@task(version="1")
def leave_program(fifo, **options):
    subprocess.Popen(["sh", "-c", f"echo $$ >{fifo}; exec sleep 60"], **options)
    return "left"

@task(version="1")
def leave_and_wait(fifo, other):
    leave_program.func(fifo, start_new_session=True)
    run_program.func(other)
"""


@pytest.fixture
def programs(tmp_path, monkeypatch):
    """A module with tasks that start programs."""
    (tmp_path / "programs_of_calls.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    yield __import__("programs_of_calls")
    del sys.modules["programs_of_calls"]


@pytest.fixture
def make_fifo(tmp_path):
    """A function that makes a named pipe, through which a program tells its process id."""
    numbers = iter(range(10))

    def make():
        path = tmp_path / f"fifo-{next(numbers)}"
        os.mkfifo(path)
        return path

    return make


@pytest.fixture(params=["forkserver", "spawn", "fork"])
def executor(request):
    """An executor with one process, stopped after the test."""
    made = LocalExecutor("processes", LocalOptions(1, "process", request.param))
    made.start()
    yield made
    made.stop()


pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")


def make_call(task, *args, **kwargs):
    """Return a call of a task."""
    return Call(task.fullname, task.func, args, kwargs, {}, "e" * 40, "job", task.load_module, False)


def wait_until_gone(pid, seconds=10):
    """Wait for a process that is no child of this one to end; there is no event for that."""
    deadline = time.monotonic() + seconds
    while is_running(pid):
        assert time.monotonic() < deadline, f"process {pid} is still there"
        time.sleep(0.01)


def test_programs_of_a_cancelled_call_end_with_it(executor, programs, make_fifo):
    """Cancelling a call ends a program that a program of the call has started, too."""
    fifo = make_fifo()
    future = executor.submit(make_call(programs.run_program, str(fifo)))
    grandchild = int(fifo.read_text())

    assert executor.cancel(future) is True

    wait_until_gone(grandchild, 1.5)


def test_programs_that_ignore_to_be_ended_are_killed(executor, programs, make_fifo):
    """A program of a cancelled call that does not end when asked is killed after a while, its parents gone or not."""
    fifo = make_fifo()
    future = executor.submit(make_call(programs.run_program, str(fifo), 'trap "" TERM;'))
    grandchild = int(fifo.read_text())

    executor.cancel(future)

    time.sleep(0.2)
    survived = is_running(grandchild)
    wait_until_gone(grandchild)
    assert survived


def test_stop_kills_programs_at_once(executor, programs, make_fifo):
    """`stop` does not wait for programs of cancelled calls to end of themselves."""
    fifo = make_fifo()
    future = executor.submit(make_call(programs.run_program, str(fifo), 'trap "" TERM;'))
    grandchild = int(fifo.read_text())
    start = time.monotonic()

    executor.cancel(future)
    executor.stop()

    assert time.monotonic() - start < 1.5
    wait_until_gone(grandchild, 1)


def test_programs_that_a_finished_call_left_go_on(executor, programs, make_fifo):
    """What a call leaves in the background outlives it, its process and the executor."""
    fifo = make_fifo()
    future = executor.submit(make_call(programs.leave_program, str(fifo)))
    left = int(fifo.read_text())

    result = future.result(30)
    executor.stop()

    assert (result, is_running(left)) == ("left", True)
    os.kill(left, signal.SIGKILL)


def test_programs_that_left_the_group_go_on(executor, programs, make_fifo):
    """A program in a session of its own is not ended with the call that started it."""
    fifo, other = make_fifo(), make_fifo()
    future = executor.submit(make_call(programs.leave_and_wait, str(fifo), str(other)))
    left, grandchild = int(fifo.read_text()), int(other.read_text())

    executor.cancel(future)

    wait_until_gone(grandchild)
    assert is_running(left)
    os.kill(left, signal.SIGKILL)


def test_programs_end_with_a_call_that_takes_too_long(programs, make_fifo):
    """A call in a process that is over its time takes its programs along."""
    fifo = make_fifo()
    found = []
    reader = threading.Thread(target=lambda: found.append(int(fifo.read_text())), daemon=True)
    reader.start()

    with Scheduler() as scheduler, pytest.raises(TaskTimeoutError):
        scheduler.run(programs.run_program.options(executor="process", timeout=4)(str(fifo)))

    reader.join(10)
    wait_until_gone(found[0])


PROGRAM = """
import sys
from redun.executors.base import Call
from redun.executors.local import LocalExecutor, LocalOptions
import programs_of_calls

if __name__ == "__main__":
    executor = LocalExecutor("processes", LocalOptions(1, "process", sys.argv[1]))
    task = programs_of_calls.run_program
    call = Call(task.fullname, task.func, (sys.argv[2],), {}, {}, "e", "job", task.load_module, False)
    executor.submit(call).result()
"""


@pytest.mark.parametrize("start_method", ["forkserver", "spawn", "fork"])
def test_programs_end_with_a_killed_parent(programs, make_fifo, tmp_path, start_method):
    """When the process that wanted a call is killed, the programs of the call end."""
    (tmp_path / "program.py").write_text(PROGRAM)
    fifo = make_fifo()
    program = subprocess.Popen([sys.executable, "program.py", start_method, str(fifo)], cwd=tmp_path)
    grandchild = int(fifo.read_text())

    program.kill()

    program.wait()
    wait_until_gone(grandchild)


INTERRUPTED = """
import sys
from redun import Scheduler
from programs_of_calls import run_program

if __name__ == "__main__":
    Scheduler().run(run_program.options(executor="process")(sys.argv[1]))
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_programs_end_with_an_interrupted_run(programs, make_fifo, tmp_path, number):
    """A signal to a run ends the programs of its calls."""
    (tmp_path / "program.py").write_text(INTERRUPTED)
    fifo = make_fifo()
    program = subprocess.Popen([sys.executable, "program.py", str(fifo)], cwd=tmp_path, stderr=subprocess.DEVNULL)
    grandchild = int(fifo.read_text())

    program.send_signal(number)

    program.wait(10)
    wait_until_gone(grandchild, 2)
