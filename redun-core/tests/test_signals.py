"""Stopping an execution by signals: what is finished is recorded, the process ends soon."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

PROGRAM = """
import sys, threading, time
from pathlib import Path
from redun import Scheduler, task
from redun.config import Config

folder = Path(sys.argv[1])

@task(namespace="signals", version="1")
def quick(number):
    (folder / f"ran-{number}").touch()
    return number

@task(namespace="signals", version="1")
def hang(ready):
    (folder / "hangs").touch()
    if sys.argv[2] == "hang":
        time.sleep(60)
    return ready

with Scheduler(Config({"backend": {"db_uri": f"sqlite:///{folder}/redun.db"}})) as scheduler:
    print(scheduler.run(hang([quick(number) for number in range(5)])))
"""

BLOCKING = """
import sys, threading
from redun import Scheduler, task
from redun.config import Config
from redun.executors.base import Executor

class Blocking(Executor):
    options_type = dict

    def submit(self, call):
        print(threading.current_thread() is threading.main_thread(), flush=True)
        threading.Event().wait()

@task(namespace="signals", version="1", executor="wrong")
def last(number):
    return number

@task(namespace="signals", version="1")
def count(number):
    return count(number - 1) if number else last(number)

scheduler = Scheduler(Config({"executors.default": {"type": "local"}}), executor=Blocking("wrong"))
scheduler.run(last(0) if sys.argv[1] == "main" else count(100))
"""


@pytest.fixture
def start(tmp_path):
    """Starts the program, and waits until its last task hangs."""
    pytest.importorskip(
        "redun_backend_sql", reason="redun-backend-sql, which keeps results in a file, is not installed"
    )
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    (tmp_path / "work").mkdir()

    def run(mode="hang"):
        process = subprocess.Popen(
            [sys.executable, str(program), str(tmp_path / "work"), mode],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        if mode == "hang":
            wait_for(tmp_path / "work" / "hangs")
        return process

    return run


def wait_for(path: Path):
    """Wait until a file exists."""
    for _ in range(600):
        if path.exists():
            return
        time.sleep(0.05)
    raise AssertionError(f"{path} does not appear")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, -signal.SIGINT), (signal.SIGTERM, 143)])
def test_signal_ends_the_run_soon_and_keeps_what_is_finished(start, tmp_path, number, code):
    """A signal ends a run with a hanging task within seconds; the next run repeats nothing that was finished."""
    process = start()

    sent = time.monotonic()
    process.send_signal(number)
    _, errors = process.communicate(timeout=30)
    took = time.monotonic() - sent
    for path in (tmp_path / "work").glob("ran-*"):
        path.unlink()
    output, _ = start("return").communicate(timeout=60)

    assert (process.returncode in (code, 130), took < 20) == (True, True), errors
    assert "Shutting down... Ctrl+C again to force shutdown." in errors
    assert output == "[0, 1, 2, 3, 4]\n"
    assert list((tmp_path / "work").glob("ran-*")) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_ends_a_run_whose_store_is_locked(start, tmp_path, number):
    """A run does not wait for a locked store to end: its journal has what is finished, and how the jobs ended."""
    process = start()
    with closing(sqlite3.connect(tmp_path / "work" / "redun.db", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        process.send_signal(number)
        _, errors = process.communicate(timeout=30)
    for path in (tmp_path / "work").glob("ran-*"):
        path.unlink()

    output, _ = start("return").communicate(timeout=60)

    assert process.returncode in (-signal.SIGINT, 130, 143), errors
    assert output == "[0, 1, 2, 3, 4]\n"
    assert list((tmp_path / "work").glob("ran-*")) == []
    with closing(sqlite3.connect(tmp_path / "work" / "redun.db")) as connection:
        assert connection.execute("SELECT count(*) FROM job WHERE end_time IS NULL").fetchone() == (0,)


def test_interrupted_jobs_are_recorded_as_failed(start, tmp_path):
    """After a signal, no job and no execution is left that looks as if it ran."""
    process = start()
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)

    connection = sqlite3.connect(tmp_path / "work" / "redun.db")
    open_jobs = connection.execute("SELECT count(*) FROM job WHERE end_time IS NULL").fetchone()
    connection.close()
    assert open_jobs == (0,)


def test_second_signal_ends_at_once(start):
    """Whoever presses Ctrl-C twice does not wait for anything."""
    process = start()

    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)

    assert process.returncode != 0


INTERRUPTED = """
import os, signal, threading, time
from pathlib import Path
from redun import Scheduler, task
from redun.executors.local import LocalExecutor

class Interrupted(LocalExecutor):
    def cancel(self, future):
        if not was_cancelled:
            was_cancelled.append(future)
            os.kill(os.getpid(), signal.SIGINT)
        return super().cancel(future)

was_cancelled = []
running = threading.Semaphore(0)

@task(namespace="signals", version="1")
def sleep(number):
    running.release()
    time.sleep(60)

def interrupt():
    for number in range(3):
        running.acquire()
    os.kill(os.getpid(), signal.SIGINT)

threading.Thread(target=interrupt, daemon=True).start()
Scheduler(executor=Interrupted(config={"max_workers": 3})).run([sleep(number) for number in range(3)])
"""


def test_second_signal_while_calls_are_stopped(tmp_path):
    """A second Ctrl-C that comes while calls are cancelled does not leave any of them to be waited for."""
    program = tmp_path / "program.py"
    program.write_text(INTERRUPTED)

    done = subprocess.run([sys.executable, program], capture_output=True, text=True, timeout=30, check=False)

    assert done.returncode in (130, -signal.SIGINT), done.stderr
    assert "Shutting down" in done.stderr


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, -signal.SIGINT), (signal.SIGTERM, 143)])
@pytest.mark.parametrize(("where", "is_main"), [("main", ["True\n"]), ("in a chain", ["False\n", "True\n"])])
def test_executor_that_does_not_return_is_interrupted(tmp_path, number, code, where, is_main):
    """Where an executor's submit waits, mostly on a worker in a chain, one signal is enough, and it is named."""
    (tmp_path / "program.py").write_text(BLOCKING)
    process = subprocess.Popen(
        [sys.executable, str(tmp_path / "program.py"), where],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() in is_main

    sent = time.monotonic()
    process.send_signal(number)
    _, errors = process.communicate(timeout=30)
    took = time.monotonic() - sent

    assert (process.returncode in (code, 130), took < 10) == (True, True), errors
    assert "Executor wrong is starting calls and does not come to an end: it is interrupted." in errors


def test_signal_during_an_ordinary_start_of_calls_interrupts_nothing():
    """A signal that comes while an executor starts calls is heard when it is done with that."""
    from redun import Scheduler, task
    from redun.executors.local import LocalExecutor, LocalOptions

    class Signalling(LocalExecutor):
        has_returned = False

        def submit_many(self, calls):
            os.kill(os.getpid(), signal.SIGTERM)
            futures = super().submit_many(calls)
            self.has_returned = True
            return futures

    @task(namespace="signals", version="1")
    def one():
        return 1

    executor = Signalling("default", LocalOptions())

    with pytest.raises(SystemExit) as exited:
        Scheduler(executor=executor).run(one())

    assert (exited.value.code, executor.has_returned) == (143, True)


def test_handlers_are_restored():
    """After a run, the handlers of the program are what they were; its own handlers are left alone."""
    from redun import Scheduler, task

    @task(namespace="signals", version="1")
    def handlers():
        return 1

    def own(number, frame):
        raise AssertionError(number)

    before, interrupt = signal.signal(signal.SIGTERM, own), signal.getsignal(signal.SIGINT)
    try:
        Scheduler().run(handlers())
        assert signal.getsignal(signal.SIGTERM) is own
        assert signal.getsignal(signal.SIGINT) is interrupt
    finally:
        signal.signal(signal.SIGTERM, before)


def test_signal_during_a_large_replay_is_heard(tmp_path):
    """A signal is heard between any two turns of the loop, not only when it waits."""
    from redun import Scheduler, task

    @task(namespace="signals", version="1")
    def count(number):
        if number == 100:
            os.kill(os.getpid(), signal.SIGTERM)
        return number if number == 0 else count(number - 1)

    with Scheduler() as scheduler, pytest.raises(SystemExit) as exited:
        scheduler.run(count(1_000))

    assert exited.value.code == 143
