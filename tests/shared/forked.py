"""The ``redun`` program without the time that a new interpreter takes to import what every command needs.

A process that has imported it forks a child for each command. The child gets the command's words, folder and
environment, runs the program and ends as it does. So a command prints, stores and starts what it always would; what it
costs to start, and what it imports, is for other tests.

The process reads a line of JSON for each command, and answers with a line when the child has ended. It runs as
``python tests/shared/forked.py``, and has a single thread, so that what it forks is whole.
"""

import atexit
import json
import os
import runpy
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

PROGRAM = Path(sys.executable).with_name("redun")
_TESTS = Path(__file__).parents[1]
_AT_THE_START = (
    "HOME",
    "LD_PRELOAD",
    "PYTHONDONTWRITEBYTECODE",
    "PYTHONPATH",
    "PYTHONUNBUFFERED",
    "PYTHONWARNINGS",
    "REDUN_DISABLE_PLUGINS",
)
"""Variables that a process heeds when it begins, or when it loads the plugins."""


class Forker:
    """The process that forks the others.

    Parameters
    ----------
    environment
        The environment in which it begins; that of a command may differ where `fits` allows it.
    """

    def __init__(self, environment):
        self._start = _pick(environment)
        self._process = subprocess.Popen(
            [sys.executable, __file__], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        atexit.register(self.stop)

    def fits(self, environment):
        """Whether a command with an environment would begin as this process did."""
        return self._start == _pick(environment)

    def run(self, words, folder, environment, *, is_merged=False):
        """Run ``redun`` with some words in a folder; return its output and its error output, or both in the former."""
        with ExitStack() as stack:
            printed = [stack.enter_context(tempfile.NamedTemporaryFile(mode="r", encoding="utf-8")) for _ in range(2)]
            names = [printed[0].name, printed[0 if is_merged else 1].name]
            request = {"words": words, "folder": str(folder), "environment": environment, "outputs": names}
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
            assert self._process.stdout.readline(), "the process that forks commands has ended"
            return [file.read() for file in printed]

    def stop(self):
        """End the process."""
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()


def _pick(environment):
    return {name: environment.get(name) for name in _AT_THE_START}


def _become(request):
    """Make this process what the request asks for; only a child does that."""
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    output, errors = request["outputs"]
    for descriptor, path, mode in ((0, os.devnull, "rb"), (1, output, "ab"), (2, errors, "ab")):
        with open(path, mode) as file:
            os.dup2(file.fileno(), descriptor)
    sys.argv[:] = [str(PROGRAM), *request["words"]]


def _serve():
    """Answer requests until there are no more."""
    for line in sys.stdin:
        child = os.fork()
        if not child:
            _become(json.loads(line))
            runpy.run_path(str(PROGRAM), run_name="__main__")
            sys.exit()
        os.waitpid(child, 0)
        print("ended", flush=True)


if __name__ == "__main__":
    sys.path[0] = str(_TESTS)
    from faults.server import preload

    preload()
    sys.path[0] = str(PROGRAM.parent)
    _serve()
