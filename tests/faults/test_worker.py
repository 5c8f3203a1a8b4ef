"""Workers of other machines, killed at every boundary in their scratch space, and with a store that fails there."""

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from . import shim


def test_worker_survives_every_boundary(tmp_path):
    """Whatever happens to a worker where it changes or reads a file, it leaves all or nothing, and the next one works.

    A worker that says that it ended well has left the right result; one that did not has left its error or nothing; and
    one that runs again after it gives what it would have given.
    """
    obstacle = shim.find_obstacle()
    if obstacle:
        pytest.skip(obstacle)
    library = str(shim.build(tmp_path))
    environment = {**os.environ, "LD_PRELOAD": library, shim.LIBRARY_VARIABLE: library}
    program = Path(__file__).with_name("worker_cases.py")

    done = subprocess.run(
        [sys.executable, program, tmp_path / "cases"], capture_output=True, env=environment, check=True
    )

    tried = json.loads(done.stdout)
    assert [case for case in tried if case[3]] == []
    struck = Counter(fault for _, fault, operation, _ in tried if operation)
    assert set(struck) == {fault.name for fault in shim.FAULTS}
    assert min(struck.values()) >= 2
