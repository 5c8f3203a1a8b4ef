import os
import platform
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from redun import Scheduler, task
from redun_backend_sql.backend import SqlBackend
from redun_backend_sql.describe import describe_execution
from redun_backend_sql.extension import CLAIM, OWNER
from redun_backend_sql.options import SqlOptions
from redun_backend_sql.owners import Owner, bury_lost, find_host, find_lost, find_process, list_owners
from redun_backend_sql.query import list_executions
from redun_backend_sql.share import SqlShare

redun_namespace = "test_share"

_WORKFLOW = """
import os, sys, time
from contextlib import closing
from pathlib import Path
from redun import Scheduler, task
from redun.scheduler import rivals
from redun_backend_sql.backend import SqlBackend
from redun_backend_sql.options import SqlOptions

redun_namespace = "shared"
folder = Path(sys.argv[1])
rivals.NOTICE_SECONDS = 60.0  # How fast this machine is, is not what is tested.

def note(text):
    with open(folder / "log", "a") as stream:
        print(text, file=stream, flush=True)

def wait_for(name):
    while not (folder / name).exists():
        time.sleep(0.01)

@task()
def slow(number):
    note(f"slow {number}")
    wait_for("go")
    return number * 10

@task()
def failing(number):
    note(f"failing {number}")
    wait_for("go")
    raise ValueError(f"number {number}")

@task()
def step(number):
    note(f"step {number}")
    return number + 1

@task()
def many(first, count):
    return [slow(number) for number in range(first, first + count)]

@task()
def hold(value):
    wait_for("end")
    return value

@task()
def count_stale(value):
    with closing(SqlBackend(SqlOptions(sys.argv[4]))) as backend:
        backend.load()
        rows = backend.database.select("SELECT count(*) FROM redun_ext_claim JOIN evaluation USING (eval_hash)")
        return value, rows[0][0]

options = {"backend": {"db_uri": sys.argv[4], "share_calls": sys.argv[2]}}
with Scheduler(options) as scheduler:
    print(scheduler.run(eval(sys.argv[3])), flush=True)
"""


@pytest.fixture
def start(tmp_path, uri):
    """A function that starts a process with a workflow on the common store; all are gone at the end."""
    (tmp_path / "shared.py").write_text(_WORKFLOW)
    started = []

    def start_process(expression, share_calls="true"):
        command = [sys.executable, str(tmp_path / "shared.py"), str(tmp_path), share_calls, expression, uri]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        process = subprocess.Popen(command, cwd=tmp_path, text=True, **pipes)
        started.append(process)
        return process

    yield start_process
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def read_log(tmp_path):
    """A function that returns what the tasks noted; waits until there is as much as is asked for."""

    def read(count=0):
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            lines = (tmp_path / "log").read_text().splitlines() if (tmp_path / "log").exists() else []
            if len(lines) >= count:
                return lines
            time.sleep(0.01)
        raise AssertionError(f"{len(lines)} lines of {count}")

    return read


def wait_until_parked(process):
    """Read a process's log until it says that it waits for another one."""
    for line in process.stderr:
        if "which another execution is making" in line:
            return
    raise AssertionError("it does not wait")


def test_call_that_another_run_is_making_is_waited_for(start, read_log, tmp_path):
    """Of two runs that need the same call at the same time one makes it, and the other one gets its result."""
    first = start("slow(1)")
    read_log(1)
    second = start("slow(1)")
    wait_until_parked(second)

    (tmp_path / "go").touch()
    outputs = [process.communicate(timeout=60)[0] for process in (first, second)]

    assert (outputs, read_log()) == (["10\n", "10\n"], ["slow 1"])


def test_claims_end_when_the_store_answers(start, read_log, tmp_path):
    """A call that another run made is not held by the one that waited for it, so that a third one waits for nobody."""
    first = start("[slow(1), hold(2)]")
    read_log(1)
    second = start("count_stale(slow(1))")
    wait_until_parked(second)

    (tmp_path / "go").touch()
    output = second.communicate(timeout=60)[0]
    (tmp_path / "end").touch()

    assert (output, first.communicate(timeout=60)[0]) == ("(10, 0)\n", "[10, 2]\n")


def test_call_of_a_killed_run_is_taken_over(start, read_log, tmp_path):
    """When the run that makes a call is killed, the one that waits for it makes it."""
    first = start("slow(1)")
    read_log(1)
    second = start("slow(1)")
    wait_until_parked(second)

    first.send_signal(signal.SIGKILL)
    read_log(2)
    (tmp_path / "go").touch()
    output = second.communicate(timeout=60)[0]

    assert (output, read_log()) == ("10\n", ["slow 1", "slow 1"])


def test_call_that_fails_is_made_by_the_one_that_waited(start, read_log, tmp_path):
    """A failed call is no result to wait for: the run that waited makes it itself, and fails in its own right."""
    first = start("failing(1)")
    read_log(1)
    second = start("failing(1)")
    wait_until_parked(second)

    (tmp_path / "go").touch()
    errors = [process.communicate(timeout=60)[1] for process in (first, second)]

    assert ["number 1" in error for error in errors] == [True, True]
    assert read_log() == ["failing 1", "failing 1"]


def test_waiting_can_be_turned_off(start, read_log, tmp_path):
    """With share_calls = false each run makes its own calls."""
    processes = [start("slow(1)", "false")]
    read_log(1)
    processes.append(start("slow(1)", "false"))
    read_log(2)

    (tmp_path / "go").touch()

    assert [process.communicate(timeout=60)[0] for process in processes] == ["10\n", "10\n"]


def test_overlapping_runs_make_each_call_once(start, read_log, tmp_path):
    """Three runs of overlapping workflows make each distinct call once, and all come to their results."""
    processes = []
    for first in (0, 20, 40):
        processes.append(start(f"many({first}, 60)"))
        read_log(1) if first == 0 else wait_until_parked(processes[-1])

    (tmp_path / "go").touch()
    outputs = [process.communicate(timeout=120)[0] for process in processes]

    assert outputs == [f"{list(range(10 * first, 10 * first + 600, 10))}\n" for first in (0, 20, 40)]
    assert Counter(read_log()) == {f"slow {number}": 1 for number in range(100)}


@pytest.fixture
def shares(backend):
    """The parts of two executions in one store."""
    return tuple(SqlShare(backend.database, name, lambda: None) for name in ("one", "two"))


def test_claims_exclude_one_another(shares):
    """A call that one execution has claimed is denied to others until it is released."""
    one, two = shares

    assert set(one.claim(["a", "b"])) == set()
    assert set(two.claim(["b", "c"])) == {"b"}
    assert set(one.claim(["a", "b", "c"])) == {"c"}
    one.release(["b"])
    assert set(two.claim(["b"])) == set()
    assert set(one.claim(["b"])) == {"b"}


def test_claims_end_with_their_execution(shares):
    """An execution that ended holds nothing, and is nobody's rival."""
    one, two = shares
    one.claim(["a"])

    assert set(two.find_rivals()) == {"one"}
    one.leave()

    assert set(two.find_rivals()) == set()
    assert set(two.claim(["a"])) == set()


@pytest.mark.parametrize(
    ("host", "process", "age", "is_alive"),
    [
        (None, None, 1e6, True),
        (None, "999999999/1", 0, False),
        (None, "{number}/1", 0, False),
        ("elsewhere", "1/1", 0, True),
        ("elsewhere", "1/1", 1e3, False),
    ],
)
def test_dead_processes_are_told(host, process, age, is_alive):
    """On this machine a process is alive if it is there; of another one it counts when it was last seen."""
    identity = process.format(number=os.getpid()) if process else find_process()
    owner = Owner("x", host or find_host(), identity, time.time() - age)

    assert owner.is_alive == is_alive


def test_zombies_are_dead():
    """A process that has ended and was not waited for is not alive."""
    with subprocess.Popen([sys.executable, "-c", ""], stdout=subprocess.PIPE) as child:
        identity = find_process(child.pid)
        child.stdout.read()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)

        assert not Owner("x", find_host(), identity, time.time()).is_alive


_LEADERLESS = """
import ctypes, sys, threading
threading.Thread(target=sys.stdin.read).start()
print("ready", flush=True)
ctypes.CDLL(None).syscall(int(sys.argv[1]), 0)
"""
_EXIT_THREAD = {"x86_64": 60, "aarch64": 93}


@pytest.mark.skipif(
    not (sys.platform == "linux" and platform.machine() in _EXIT_THREAD), reason="ends a thread by a call of Linux"
)
def test_process_lives_as_long_as_any_of_its_threads():
    """A process whose first thread has ended is alive, for it has its files and locks until the last one ends."""
    command = [sys.executable, "-c", _LEADERLESS, str(_EXIT_THREAD[platform.machine()])]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        identity = find_process(child.pid)
        assert child.stdout.readline() == "ready\n"
        status = Path(f"/proc/{child.pid}/stat")
        while status.read_text().rpartition(")")[2].split()[0] != "Z":
            time.sleep(0.005)

        is_alive = Owner("x", find_host(), identity, time.time()).is_alive
        child.kill()

    assert is_alive


def test_the_dead_are_buried_once(backend):
    """What executions left whose process is gone is taken over before they count as gone, and only once."""
    taken = []

    def take_over():
        taken.append(find_lost(backend.database, ["one", "three"]))
        bury_lost(backend.database)

    one, two, three = (SqlShare(backend.database, name, take_over) for name in ("one", "two", "three"))
    one.claim(["a"])
    three.leave()
    backend.database.execute(f"UPDATE {OWNER.table} SET process = '999999999/1' WHERE execution_id = 'one'")

    assert set(two.find_rivals()) == set()
    two.beat()
    assert set(two.find_rivals()) == set()

    assert taken == [{"one", "three"}]
    assert [owner.execution_id for owner in list_owners(backend.database)] == ["two"]
    assert backend.database.select(f"SELECT count(*) FROM {CLAIM.table}") == [(0,)]


def test_claims_of_the_dead_are_taken(backend, shares):
    """The claims of an execution whose process is gone are everybody's."""
    one, two = shares
    one.claim(["a", "b"])
    backend.database.execute(f"UPDATE {OWNER.table} SET process = '999999999/1' WHERE execution_id = 'one'")

    assert set(two.claim(["a"])) == set()
    assert find_lost(backend.database, ["one", "two", "gone"]) == {"one"}


@task()
def double(number):
    return 2 * number


@task()
def double_all(count):
    return [double(number) for number in range(count)]


def test_alone_nothing_is_claimed(tmp_path):
    """A run that is alone on its store announces itself and its end, and claims nothing."""
    statements = []
    with closing(SqlBackend(SqlOptions(f"sqlite:///{tmp_path}/redun.db"))) as backend:
        backend.load()
        backend.database.connection.set_trace_callback(statements.append)
        with Scheduler(backend=backend) as scheduler:
            scheduler.run(double_all(1_000))
        backend.load()
        owners = list_owners(backend.database)
        rows = backend.database.select(f"SELECT heartbeat, plugins FROM {OWNER.table}")

    assert not [text for text in statements if f"INTO {CLAIM.table}" in text]
    assert owners == []
    assert len(rows) == 1
    assert rows[0][0] is None
    assert '"backend-sql"' in rows[0][1]


def test_killed_run_is_shown_as_lost(start, read_log, uri):
    """A run whose process was killed is shown as lost with how far it got, not as running."""
    process = start("[slow(1), step(1), step(2)]")
    read_log(3)
    with closing(SqlBackend(SqlOptions(uri))) as backend:
        backend.load()
        while not (executions := list_executions(backend.database)):
            time.sleep(0.01)
        running = executions[0].status
        process.kill()
        process.wait()
        backend.close()
        backend.load()

        [execution] = list_executions(backend.database)
        lines = list(describe_execution(backend.database, execution))

    assert (running, execution.status) == ("RUNNING", "LOST")
    assert execution.progress is not None
    ended, begun = execution.progress
    assert 0 <= ended < begun <= 4
    assert "[ LOST ]" in lines[0]
    assert f"({ended} of {begun} jobs had ended)" in lines[0]
    assert not any("[RUN ]" in line or "RUNNING" in line for line in lines)
