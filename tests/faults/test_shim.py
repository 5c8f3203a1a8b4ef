"""The library that makes faults happen sees every call that changes a file, and does what it is told."""

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from . import shim
from .shim import FAULTS, NONE, NONE_READING, read_log

_TESTS = Path(__file__).parents[1]
_PROGRAM = """
import os, sqlite3, sys
from pathlib import Path
from faults.shim import Fault, arm, plan

folder = Path(sys.argv[1])
plan(folder, sys.argv[2], int(sys.argv[3]), Fault(*eval(sys.argv[4])))
arm()
done = []

def attempt(action):
    try:
        done.append(action())
    except OSError as error:
        done.append(-error.errno)

def write():
    descriptor = os.open(folder / "file", os.O_WRONLY | os.O_CREAT)
    try:
        return os.write(descriptor, b"12345678")
    finally:
        os.fsync(descriptor)
        os.close(descriptor)
"""
_CHANGES = """
attempt(folder.mkdir)
attempt(write)
attempt(lambda: os.rename(folder / "file", folder / "other"))
attempt(lambda: os.link(folder / "other", folder / "third"))
attempt(lambda: os.truncate(folder / "third", 1))
attempt(lambda: os.unlink(folder / "third"))
Path(sys.argv[1] + "-elsewhere").touch()
print(done)
"""
_DATABASE = """
folder.mkdir()
database = sqlite3.connect(folder / "db", isolation_level=None)
database.execute("PRAGMA journal_mode = WAL")
database.execute("CREATE TABLE t (x)")
database.execute("BEGIN")
database.execute("INSERT INTO t VALUES (1)")
database.execute("INSERT INTO t VALUES (?)", (b"x" * 20_000,))
database.execute("COMMIT")
os.kill(os.getpid(), 9)
"""


@pytest.fixture(scope="session")
def library(scratch):
    """The library."""
    obstacle = shim.find_obstacle()
    if obstacle is not None:
        pytest.skip(obstacle)
    return shim.build(scratch)


@pytest.fixture
def execute(library, tmp_path):
    """A function that executes a program with a fault at the n-th boundary; returns its end and the boundaries."""

    def run(program, fault=NONE, number=1):
        environment = {"LD_PRELOAD": str(library), shim.LIBRARY_VARIABLE: str(library), "PYTHONPATH": str(_TESTS)}
        arguments = [tmp_path / "watched", tmp_path / "log", number, tuple(fault)]
        ended = subprocess.run(
            [sys.executable, "-c", _PROGRAM + program, *map(str, arguments)],
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
        )
        assert "Traceback" not in ended.stderr, ended.stderr
        return ended, read_log(tmp_path / "log")

    return run


def find_fault(name):
    return next(fault for fault in FAULTS if fault.name == name)


def test_every_change_is_seen(execute, tmp_path):
    """What changes something in the folder is a boundary, in order; what happens elsewhere is none."""
    ended, boundaries = execute(_CHANGES)

    folder = tmp_path / "watched"
    assert ended.stdout == "[None, 8, None, None, None, None]\n"
    assert [(boundary.operation, boundary.path) for boundary in boundaries] == [
        ("mkdir", str(folder)),
        ("create", str(folder / "file")),
        ("write", str(folder / "file")),
        ("sync", str(folder / "file")),
        ("rename", str(folder / "other")),
        ("link", str(folder / "third")),
        ("truncate", str(folder / "third")),
        ("unlink", str(folder / "third")),
    ]


def test_commits_are_told_from_other_writes(execute):
    """Each transaction of a database with a write-ahead log has one commit, however many pages it writes."""
    _, boundaries = execute(_DATABASE)

    in_log = [boundary.operation for boundary in boundaries if boundary.path.endswith("-wal")]
    assert in_log.count("commit") == 2
    assert in_log.count("write") > 10


@pytest.mark.parametrize(("name", "size"), [("kill before", 0), ("kill after", 8), ("torn write", 4)])
def test_process_is_killed(execute, tmp_path, name, size):
    """A process dies before, after or in the midst of the call that it was told to die at."""
    ended, boundaries = execute(_CHANGES, find_fault(name), number=3)

    assert ended.returncode == -signal.SIGKILL
    assert [boundary.is_struck for boundary in boundaries] == [False, False, True]
    assert (tmp_path / "watched" / "file").stat().st_size == size


def test_short_write_says_so(execute, tmp_path):
    """A write that is cut short writes half, and returns that."""
    ended, _ = execute(_CHANGES, find_fault("short write"))

    assert ended.stdout == "[None, 4, None, None, None, None]\n"
    assert (tmp_path / "watched" / "other").read_bytes() == b"1"


def test_call_fails_once(execute):
    """A call fails alone; those after it work."""
    ended, _ = execute(_CHANGES, find_fault("EIO"), number=5)

    missing = -errno.ENOENT
    assert ended.stdout == f"[None, 8, {-errno.EIO}, {missing}, {missing}, {missing}]\n"


def test_full_disk_takes_a_part_and_lets_files_go(execute, tmp_path):
    """On a disk that is full for good the first write is cut short, later calls fail, and files can be removed."""
    ended, boundaries = execute(_CHANGES, find_fault("ENOSPC for good"), number=3)

    assert ended.stdout.startswith(f"[{None}, {-errno.ENOSPC}, {-errno.ENOSPC}")
    assert (tmp_path / "watched" / "file").read_bytes() == b"1234"
    assert not boundaries[-1].is_struck


def test_reads_are_boundaries_of_their_own(execute):
    """When reading is to fail, calls that read count, and others don't."""
    program = _CHANGES.replace("print(done)", "(folder / 'other').read_bytes()\nprint(done)")

    _, boundaries = execute(program, NONE_READING)

    assert {boundary.operation for boundary in boundaries} == {"open", "read"}
