"""Starting ``redun`` commands in processes that are cheap to start and that faults can be put into."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from .shim import LIBRARY_VARIABLE, Boundary, read_log

_TESTS = Path(__file__).parents[1]
_SECONDS = 60


class Ended(NamedTuple):
    """How a command ended: its status, minus the signal if it was killed, what it printed, and the boundaries."""

    status: int
    output: str
    errors: str
    boundaries: list[Boundary]

    @property
    def struck(self):
        """The first boundary at which the fault happened; None if there was none."""
        return next((boundary for boundary in self.boundaries if boundary.is_struck), None)

    @property
    def was_killed(self):
        """Whether it was killed as a fault, not for taking too long."""
        return self.status == -signal.SIGKILL


class Server:
    """The process that forks the others.

    Parameters
    ----------
    library
        The library to preload.
    folder
        Where outputs and logs go.
    """

    def __init__(self, library, folder):
        self._folder = folder
        paths = [str(_TESTS), *filter(None, [os.environ.get("PYTHONPATH")])]
        unset = ("REDUN_CONFIG", "REDUN_DB_USERNAME", "REDUN_DB_PASSWORD", "PYTEST_CURRENT_TEST")
        environment = {name: value for name, value in os.environ.items() if name not in unset}
        environment.update(
            {LIBRARY_VARIABLE: str(library), "LD_PRELOAD": str(library), "PYTHONPATH": os.pathsep.join(paths)}
        )
        self._process = subprocess.Popen(
            [sys.executable, "-m", "faults.server"],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._count = 0
        assert self._read() == "ready"

    def start(
        self,
        project,
        arguments,
        number=0,
        fault=None,
        settings=None,
        is_late=False,
        seconds=_SECONDS,
    ):
        """Start a command in a project's folder; return what `wait` needs.

        Parameters
        ----------
        project
            The project.
        arguments
            What stands after ``redun``.
        number, fault
            At which boundary which fault is to happen.
        settings
            Constants of modules to change, by their full names.
        is_late
            Whether boundaries are counted only after the workflow has called `shim.arm`.
        seconds
            After how long it is given up.
        """
        self._count += 1
        stem = self._folder / str(self._count)
        request = {
            "folder": str(project.folder),
            "arguments": list(arguments),
            "environment": {"FAULTS_NOTES": str(project.notes)},
            "settings": dict(settings or {}),
            "seconds": seconds,
            "output": f"{stem}.output",
            "errors": f"{stem}.errors",
            "watched": str(project.store),
            "log": f"{stem}.log",
            "number": number,
            "fault": fault,
            "is_late": is_late,
        }
        return self._ask({"start": request}), stem

    def read_errors(self, started):
        """Return what a command has written to its standard error so far."""
        path = Path(f"{started[1]}.errors")
        return path.read_text() if path.exists() else ""

    def wait(self, started):
        """Wait for a command; return how it ended."""
        process, stem = started
        status = self._ask({"wait": process})
        paths = [Path(f"{stem}{suffix}") for suffix in (".output", ".errors", ".log")]
        output, errors = (path.read_text() if path.exists() else "" for path in paths[:2])
        ended = Ended(status, output, errors, read_log(paths[2]))
        for path in paths:
            path.unlink(missing_ok=True)
        return ended

    def run(self, *arguments, **settings):
        """Start a command and wait for it; see `start`."""
        return self.wait(self.start(*arguments, **settings))

    def stop(self):
        """End the process and what it started."""
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()

    def _ask(self, request):
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return self._read()

    def _read(self):
        line = self._process.stdout.readline()
        assert line, "the server has ended"
        return json.loads(line)
