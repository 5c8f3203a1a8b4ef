"""The faults that there are, and the library that makes them happen; see ``shim.c``."""

import ctypes
import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

LIBRARY_VARIABLE = "FAULTS_LIBRARY"
"""The environment variable that says where the library is."""

_SOURCE = Path(__file__).with_name("shim.c")
_planned = []
_COUNT, _KILL_BEFORE, _KILL_AFTER, _TEAR, _SHORTEN, _FAIL_ONCE, _FAIL_ON = range(7)


class Fault(NamedTuple):
    """What happens at a boundary: its name, what the library calls it, and whether boundaries are calls that read."""

    name: str
    kind: int
    error: int = 0
    is_reading: bool = False

    @property
    def is_kill(self):
        """Whether the process ends at once."""
        return self.kind in (_KILL_BEFORE, _KILL_AFTER, _TEAR)


NONE = Fault("none", _COUNT)
NONE_READING = Fault("none, reading", _COUNT, is_reading=True)
KILL = Fault("kill before", _KILL_BEFORE)
FAULTS = (
    KILL,
    Fault("kill after", _KILL_AFTER),
    Fault("torn write", _TEAR),
    Fault("short write", _SHORTEN),
    Fault("EIO", _FAIL_ONCE, errno.EIO),
    Fault("ENOSPC", _FAIL_ONCE, errno.ENOSPC),
    Fault("EIO for good", _FAIL_ON, errno.EIO),
    Fault("ENOSPC for good", _FAIL_ON, errno.ENOSPC),
    Fault("EIO reading", _FAIL_ONCE, errno.EIO, is_reading=True),
)


class Boundary(NamedTuple):
    """A call that the library saw: whether the fault struck, what was called, and on which path."""

    is_struck: bool
    operation: str
    path: str

    @property
    def is_frame(self):
        """Whether it is where something that was written to a journal reaches the disk."""
        return self.operation == "sync" and self.path.endswith(".journal")


def find_obstacle():
    """Return why the library can't be used here, or None if it can."""
    if sys.platform != "linux":
        return f"faults are injected by a preloaded library with calls of Linux, and this is {sys.platform}"
    if _find_compiler() is None:
        return "faults are injected by a library in C, and there is neither cc nor gcc"
    return None


def build(folder):
    """Compile the library into a folder; return its path."""
    library = Path(folder, "shim.so")
    command = [_find_compiler(), "-shared", "-fPIC", "-O1", "-o", str(library), str(_SOURCE)]
    subprocess.run(command, check=True, capture_output=True, text=True)
    return library


def plan(watched, log, number, fault):
    """Plan a fault at the n-th boundary in a folder, in a process into which the library was preloaded."""
    _planned[:] = [
        os.fsencode(watched),
        os.fsencode(log),
        ctypes.c_long(number),
        fault.kind,
        fault.error,
        int(fault.is_reading),
    ]


def arm():
    """Let the planned fault happen, if there is one; boundaries are counted from now on."""
    if _planned:
        ctypes.CDLL(os.environ[LIBRARY_VARIABLE]).faults_arm(*_planned)


def read_log(log):
    """Return the boundaries that a process passed, in order."""
    if not Path(log).exists():
        return []
    lines = (line.split(" ", 3) for line in Path(log).read_text().splitlines())
    return [Boundary(struck == "1", operation, path) for struck, operation, _, path in lines]


def _find_compiler():
    return shutil.which("cc") or shutil.which("gcc")
