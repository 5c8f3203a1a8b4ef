"""Another process that does something with a store, and can be told to go on or be killed.

It is handed a function of a module that can be imported, which reads lines from its standard input and prints others.
``python -m redun.testing.other_process`` is what runs there.
"""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any


class OtherProcess:
    """A function that runs in a new process, which is gone when the block ends.

    Parameters
    ----------
    seconds
        How long it may take at most.
    function
        The function, of a module that can be imported.
    *args
        Its arguments, which are pickled.

    Examples
    --------
    >>> with OtherProcess(60, print, "hello") as process:
    ...     process.finish()
    ['hello']
    """

    def __init__(self, seconds: float, function: Callable[..., Any], *args: Any) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "redun.testing.other_process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "PYTHONIOENCODING": "utf-8"},
        )
        self._is_late = False
        self._limit = threading.Timer(seconds, self._give_up)
        self._limit.start()
        self.tell(pickle.dumps((function, args)).hex())

    def __enter__(self) -> OtherProcess:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.kill()

    def tell(self, line: str) -> None:
        """Write a line to its standard input."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()

    def hear(self) -> str:
        """Return the next line that it prints, without the end of the line; empty if it has ended."""
        assert self._process.stdout is not None
        return self._process.stdout.readline().rstrip("\n")

    def kill(self) -> list[str]:
        """Kill it, if it still runs, and return what it had printed that was not heard yet."""
        self._limit.cancel()
        self._process.kill()
        return self._end()

    def wait_until_killed(self) -> list[str]:
        """Wait until it has killed itself, and return what it printed that was not heard yet.

        Raises
        ------
        RuntimeError
            When it ended in another way.
        """
        lines = self._end()
        if self._process.returncode != -signal.SIGKILL or self._is_late:
            raise RuntimeError(f"the other process did not kill itself; it ended {self._describe_end(lines)}")
        return lines

    def finish(self) -> list[str]:
        """Let it come to its end, and return what it printed that was not heard yet.

        Raises
        ------
        RuntimeError
            When it failed, or took too long.
        """
        lines = self._end()
        if self._process.returncode:
            raise RuntimeError(f"the other process ended {self._describe_end(lines)}")
        return lines

    def _give_up(self) -> None:
        self._is_late = True
        self._process.kill()

    def _describe_end(self, lines: Sequence[str]) -> str:
        reason = "for it took too long" if self._is_late else f"with code {self._process.returncode}"
        return f"{reason}, having printed {lines}"

    def _end(self) -> list[str]:
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        if stdout.closed:
            return []
        with suppress(BrokenPipeError):  # What it did not read before it ended is of no use to it.
            stdin.close()
        with stdout:
            lines = stdout.read().splitlines()
        self._process.wait()
        self._limit.cancel()
        return lines


def main() -> None:
    """Do what the first line of the standard input says."""
    function, args = pickle.loads(bytes.fromhex(sys.stdin.readline()))
    function(*args)


if __name__ == "__main__":
    main()
