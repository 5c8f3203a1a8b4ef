"""A program in a terminal of its own, and what a person would see there."""

import fcntl
import os
import select
import signal
import struct
import subprocess
import termios
import time
from contextlib import suppress

import pyte

PATIENCE = 30.0
"""How long something is waited for that is certain to come, in seconds."""


class PseudoTerminal:
    """A program that has a terminal.

    Attributes
    ----------
    received : bytes
        Everything that was written to the terminal.
    """

    def __init__(self, command, cwd, columns=80, lines=24, **variables):
        self._ours, theirs = os.openpty()
        _set_size(theirs, columns, lines)
        environment = {"TERM": "xterm-256color", "LANG": "C.UTF-8", **variables}
        kept = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "COLUMNS", "LINES")}
        self.process = subprocess.Popen(
            command,
            cwd=cwd,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={name: value for name, value in {**kept, **environment}.items() if value is not None},
            start_new_session=True,
            preexec_fn=_take_terminal,
        )
        self._theirs = theirs  # Kept open, so that what was written last can be read after the program has ended.
        self._screen = pyte.HistoryScreen(columns, lines, history=10_000, ratio=1)
        self._stream = pyte.ByteStream(self._screen)
        self.received = b""

    @property
    def shown(self):
        """The lines that the terminal shows now, without empty ones at the end."""
        return "\n".join(line.rstrip() for line in self._screen.display).rstrip().split("\n")

    @property
    def text(self):
        """Everything that stands in the terminal, also what has scrolled away."""
        above = ["".join(line[column].data for column in range(self._screen.columns)) for line in self._scrolled]
        return "\n".join([line.rstrip() for line in above] + self.shown)

    @property
    def cursor(self):
        """The cursor: its column and line, and whether it is hidden."""
        return self._screen.cursor.x, self._screen.cursor.y, self._screen.cursor.hidden

    @property
    def modes(self):
        """The settings of the terminal that a program may change: echo, lines, signals."""
        return termios.tcgetattr(self._theirs)[:4]

    def wait_for(self, condition):
        """Read until a text stands in the terminal, or a function of it is true; return what it shows."""
        holds = (lambda: condition in self.text) if isinstance(condition, str) else (lambda: condition(self))
        deadline = time.monotonic() + PATIENCE
        has_changed = True
        while not (has_changed and holds()):
            has_ended = self.process.poll() is not None
            has_changed = self._read(0.05)
            if not has_changed and (has_ended or time.monotonic() > deadline):
                raise AssertionError(f"{condition!r} did not come; the terminal shows:\n{self.text}")
        return self.shown

    def send(self, text):
        """Type something."""
        os.write(self._ours, text.encode())

    def write(self, text):
        """Write something to the terminal, as another program would."""
        os.write(self._theirs, text.encode())

    def resize(self, columns, lines):
        """Change the size of the terminal, of which the program is told."""
        while self._read(0):
            pass
        self._screen.resize(lines, columns)
        _set_size(self._theirs, columns, lines)

    def finish(self):
        """Read until the program has ended; return its exit status."""
        deadline = time.monotonic() + PATIENCE
        while self.process.poll() is None:
            assert time.monotonic() < deadline, f"the program goes on; the terminal shows:\n{self.text}"
            self._read(0.05)
        while self._read(0):
            pass
        return self.process.returncode

    def hang_up(self):
        """Take the terminal away."""
        ends = [end for end in (self._ours, self._theirs) if end >= 0]
        self._ours = self._theirs = -1
        for end in ends:
            os.close(end)

    def close(self):
        """End the program if it still runs, and take the terminal away."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.hang_up()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()

    @property
    def _scrolled(self):
        return self._screen.history.top

    def _read(self, seconds):
        """Read what is there within some time; return whether there was anything."""
        if not select.select([self._ours], [], [], seconds)[0]:
            return False
        data = os.read(self._ours, 65_536)
        self.received += data
        self._stream.feed(data)
        return True


def _take_terminal():
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def _set_size(fd, columns, lines):
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
