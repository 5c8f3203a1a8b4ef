"""The live display: a thread that reads counters from time to time and draws how far the execution is.

Jobs do not wait for it and do not tell it anything; how often it draws is a matter of time alone. It begins when an
execution has been running for a while, so that short ones do without, also without the libraries that draw.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from types import FrameType
from typing import Any

from redun.logging import logger
from redun.terminals import has_colours
from redun_cli.progress.capture import Capture
from redun_cli.progress.frame import MAX_OUTPUTS, Painter, Snapshot
from redun_cli.progress.pace import Pace
from redun_cli.progress.screen import Screen
from redun_cli.progress.tally import Tally

BEGIN_SECONDS = 0.5
"""For how long an execution has to run before anything is drawn."""

DRAW_SECONDS = 0.2
"""How long a picture stays, at least."""

READ_SECONDS = 0.02
"""How long what programs write is gathered before it is read, so that many lines are taken at once."""

_SIZE = os.terminal_size((80, 24))
_LAST_READS = 100


class Display:
    """Draws how far an execution is, until it is stopped.

    Parameters
    ----------
    tally
        Observes the execution.
    pace
        Learns how fast it goes.
    """

    def __init__(self, tally: Tally, pace: Pace) -> None:
        self._tally, self._pace = tally, pace
        self._screen = Screen()
        self._painter: Painter | None = None
        self._has_colours = has_colours(sys.stderr)
        self._is_unicode = "utf" in (sys.stderr.encoding or "").lower()
        self._started = time.monotonic()
        self._is_stopping = False
        self._is_gone = False
        self._is_back = False
        self._continued: Any = None
        self._thread = threading.Thread(target=self._run, name="redun-display", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._capture = Capture()
        if threading.current_thread() is threading.main_thread():
            self._continued = signal.signal(signal.SIGCONT, self._come_back)
        self._thread.start()

    def wait(self) -> None:
        """Wait until nothing is drawn any more, because it was stopped or failed."""
        self._thread.join()

    def stop(self) -> None:
        """Take the picture away, and let everything go to the terminal directly again."""
        try:
            self._capture.release()
        finally:
            self._is_stopping = True
            self.wait()
            if self._continued is not None:
                signal.signal(signal.SIGCONT, self._continued)

    def _come_back(self, number: int, frame: FrameType | None) -> None:
        """Begin anew after the process was stopped, as by Ctrl-Z. Called in a signal handler."""
        self._is_back = True

    def _run(self) -> None:
        try:
            self._draw_repeatedly()
        except Exception:
            self._capture.release()
            logger.exception("the progress can't be shown any more")
        for _ in range(_LAST_READS):  # A program in the background may never stop to write.
            if not self._take():
                break
        self._write(self._screen.finish(self._size.lines))
        self._capture.close()

    def _draw_repeatedly(self) -> None:
        next_draw = self._started + BEGIN_SECONDS
        while not self._is_stopping:
            now = time.monotonic()
            if now >= next_draw:
                self._draw(self._make_picture(now), now)
                next_draw = time.monotonic() + DRAW_SECONDS
            self._capture.wait(next_draw - now)
            if self._take():
                time.sleep(READ_SECONDS)
                if self._screen.is_passing:
                    self._draw(None, time.monotonic())

    def _take(self) -> bool:
        """Take in what was written; return whether there was anything."""
        data = self._capture.read()
        if data:
            self._screen.take(data, time.monotonic())
        return bool(data)

    def _draw(self, picture: list[str] | None, now: float) -> None:
        if self._is_back:
            self._is_back = False
            self._screen.forget()
        self._write(self._screen.draw(picture, self._size.lines, now, self._capture.is_asking))

    def _write(self, data: bytes) -> None:
        if data and not self._is_gone:
            try:
                self._capture.write(data)
            except OSError:  # The terminal was closed, and the execution goes on.
                self._is_gone = True

    def _make_picture(self, now: float) -> list[str] | None:
        snapshot = self._look(now)
        if snapshot is None:
            return None
        if self._painter is None:
            self._painter = Painter(self._has_colours, self._is_unicode)
        return self._painter.paint(snapshot, *self._size)

    def _look(self, now: float) -> Snapshot | None:
        """Return how far the execution is; None before it has started."""
        execution = self._tally.execution
        if execution is None or execution.progress is None:
            return None
        progress = execution.progress
        counts = progress.count_jobs()
        self._pace.note(counts, now)
        outputs: list[tuple[str, str, str]] = []
        for job_id, line in list(self._tally.outputs.items())[::-1]:
            job = progress.find_unfinished(job_id)
            if job is not None and len(outputs) < MAX_OUTPUTS:
                outputs.append((job.task.fullname, job_id, line))
        estimate = self._pace.estimate(counts, frozenset(self._tally.parents), now)
        return Snapshot(counts, now - self._started, estimate, outputs[::-1])

    @property
    def _size(self) -> os.terminal_size:
        try:
            size = os.get_terminal_size(self._capture.terminal)
        except OSError:
            return _SIZE
        return size if size.columns and size.lines else _SIZE
