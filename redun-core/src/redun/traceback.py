"""Where an error came from, as a workflow's author sees it.

A traceback lists the jobs from the root of the execution down to the one that failed, each with its arguments, and then
the frames of the failing task's own code. It is plain data: it can be stored with the error and shown later.
"""

from __future__ import annotations

import linecache
import os
import re
from collections.abc import Iterator, Sequence
from enum import Enum
from itertools import dropwhile
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

from redun.error_text import MAX_LINES, format_error, make_printable, read_attribute, shorten_lines
from redun.masking import MASK, looks_secret, mask_secrets

MAX_REPR = 200
_PACKAGE = str(Path(__file__).parent) + os.sep
_STANDARD_LIBRARY = str(Path(os.__file__).parent) + os.sep
_MAX_FRAMES = 40
_RUNNERS = re.compile(
    r"[/\\]redun[/\\](executors|scheduler)[/\\]|[/\\]redun[/\\]cli\.py|[/\\]redun_(cli|remote|executor_\w+)[/\\]"
    r"|[/\\]concurrent[/\\]futures[/\\]|[/\\]multiprocessing[/\\]|[/\\]threading\.py|<frozen runpy>|[/\\]runpy\.py"
)


def trim_string(text: str, max_length: int = MAX_REPR, ellipsis: str = "...") -> str:
    """Return a text cut to a length, the cut marked.

    Examples
    --------
    >>> trim_string("abcdefgh", 6)
    'abc...'
    """
    if len(text) <= max_length:
        return text
    return (text[: max(max_length - len(ellipsis), 0)] + ellipsis)[:max_length]


def safe_repr(value: Any, max_length: int = MAX_REPR) -> str:
    """Return a value's representation on one line, cut to a length, whatever the value's own method does.

    A table with named columns, of pandas for example, is shown by its shape and these.
    """
    try:
        text = repr(value)
        if "\n" in text and hasattr(value, "shape") and hasattr(value, "columns"):
            text = f"{type(value).__name__}(shape={value.shape}, columns={list(value.columns)})"
    except Exception as error:
        text = f"<{type(value).__name__} that can't be shown: {type(error).__name__}>"
    return trim_string(text.replace("\n", "\\n"), max_length)


def show_variable(name: str, value: Any, max_length: int = MAX_REPR) -> str:
    """Return a value's representation as `safe_repr` does, secrets masked.

    Examples
    --------
    >>> show_variable("user", "me"), show_variable("password", "123")
    ("'me'", '***')
    """
    return MASK if looks_secret(name) else mask_secrets(safe_repr(value, max_length))


def is_library(filename: str) -> bool:
    """Whether a file belongs to redun, to the standard library or to an installed package, not to the user."""
    if "site-packages" in filename or "dist-packages" in filename:
        return True
    return filename.startswith((_PACKAGE, _STANDARD_LIBRARY, "<frozen"))


class Part(Enum):
    """What a line of a failure report shows, so that a terminal can tell lines apart."""

    JOB = "job"
    FRAME = "frame"
    LIBRARY = "library"
    SOURCE = "source"
    VARIABLE = "variable"
    ERROR = "error"
    LOG = "log"
    SUMMARY = "summary"


class Line(NamedTuple):
    """A line of a failure report, and what it shows."""

    part: Part
    text: str


class Frame:
    """One line of a traceback: a place in the source, and the local values or arguments there.

    Attributes
    ----------
    filename, lineno, name, line
        The place: file, line number, function or task, and the line's text.
    locals : dict of str to str
        Representations of local values, each cut to 200 characters.
    job_id : str or None
        The job, when the frame is a task's.
    """

    __module__ = "redun.scheduler"
    __slots__ = ("filename", "job_id", "line", "lineno", "locals", "name")

    def __init__(
        self,
        filename: str,
        lineno: int,
        name: str,
        locals: dict[str, str],
        job_id: str | None = None,
        line: str | None = None,
    ) -> None:
        self.filename, self.lineno, self.name = filename, lineno, name
        self.line = linecache.getline(filename, lineno).strip() if line is None else line
        self.locals = locals
        self.job_id = job_id

    def format(self) -> Iterator[str]:
        """Yield the frame's lines of text."""
        return (line.text for line in self.format_lines())

    def format_lines(self) -> Iterator[Line]:
        """Yield the frame's lines, each with what it shows."""
        job = f"Job {self.job_id[:8]}: " if self.job_id else ""
        place = Part.JOB if job else Part.LIBRARY if is_library(self.filename) else Part.FRAME
        yield Line(place, f'  {job}File "{self.filename}", line {self.lineno}, in {self.name}')
        if self.line:
            yield Line(Part.LIBRARY if place is Part.LIBRARY else Part.SOURCE, f"    {self.line}")
        width = max(map(len, self.locals), default=0)
        for name in sorted(self.locals):
            yield Line(Part.VARIABLE, f"    {name:<{width}} = {self.locals[name]}")

    def __setstate__(self, state: Any) -> None:
        """Read a state that has the attributes as slots or in a dictionary; existing stores have either, and fewer."""
        parts = state if isinstance(state, tuple) else (state,)
        known = {name: value for part in parts if part for name, value in part.items()}
        self.filename, self.lineno, self.name = known["filename"], known["lineno"], known["name"]
        self.line = known.get("line") or (known.get("_line") or "").strip()
        self.locals = known.get("locals") or {}
        job_id = known.get("job_id") or getattr(known.get("job"), "id", known.get("job"))
        self.job_id = job_id if isinstance(job_id, str) else None


class Traceback:
    """An error with the frames that led to it, outermost first, and the last lines that the task logged."""

    __module__ = "redun.scheduler"
    __slots__ = ("error", "frames", "logs")

    def __init__(self, error: Any, frames: Sequence[Frame], logs: Sequence[str] = ()) -> None:
        self.error, self.frames, self.logs = error, list(frames), list(logs)

    @classmethod
    def from_error(cls, error: BaseException, trim_frames: bool = True) -> Traceback:
        """Return the traceback of an exception, by default without redun's own frames at its start.

        An error that came from another process has no frames of its own but its attribute ``redun_traceback``, a
        `Traceback`; its attribute ``redun_logs`` are the last lines that the task put out.
        """
        frames = _list_frames(read_attribute(error, "__traceback__"), trim_frames)
        remote = read_attribute(error, "redun_traceback")
        logs = _read_logs(read_attribute(error, "redun_logs"))
        if isinstance(remote, Traceback):
            logs = logs or remote.logs
            if not frames:
                frames = list(dropwhile(_is_runner, remote.frames)) if trim_frames else remote.frames
        return cls(error, frames, logs)

    def format(self) -> Iterator[str]:
        """Yield the traceback's lines of text, the error last but for logs."""
        return (line.text for line in self.format_lines())

    def format_lines(self) -> Iterator[Line]:
        """Yield the traceback's lines, each with what it shows."""
        for frame in self.frames:
            yield from frame.format_lines()
        yield from (Line(Part.ERROR, line) for line in format_error(self.error))
        if self.logs:
            yield Line(Part.LOG, "")
            yield Line(Part.LOG, "Latest logs:")
            shown = shorten_lines([make_printable(line).rstrip("\n") for line in self.logs[-MAX_LINES:]])
            yield from (Line(Part.LOG, line) for line in shown)

    def find_user_frame(self) -> Frame | None:
        """Return the innermost frame of the user's own code, if any frame is known."""
        own = [frame for frame in self.frames if not frame.job_id and frame.lineno]
        return next((frame for frame in reversed(own) if not is_library(frame.filename)), own[-1] if own else None)

    def __getstate__(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.error, self.frames, self.logs = state["error"], state["frames"], state.get("logs") or []


def _list_frames(entry: TracebackType | None, trim: bool) -> list[Frame]:
    while trim and entry is not None and _is_runner_file(entry.tb_frame.f_code.co_filename):
        entry = entry.tb_next
    entries = []
    while entry is not None:
        entries.append(entry)
        entry = entry.tb_next
    if len(entries) <= _MAX_FRAMES:
        return [*map(_make_frame, entries)]
    half = _MAX_FRAMES // 2
    gap = _make_gap(len(entries) - 2 * half, "frames")
    return [*map(_make_frame, entries[:half]), gap, *map(_make_frame, entries[-half:])]


def _make_frame(entry: TracebackType) -> Frame:
    code = entry.tb_frame.f_code
    shown = {name: show_variable(name, value) for name, value in entry.tb_frame.f_locals.items()}
    return Frame(code.co_filename, entry.tb_lineno, code.co_name, shown)


def _make_gap(count: int, kind: str) -> Frame:
    return Frame("...", 0, f"{count} more {kind}", {}, line="")


def _is_runner_file(filename: str) -> bool:
    """Whether a file is of redun, or of a plugin that runs tasks."""
    return filename.startswith(_PACKAGE) or _RUNNERS.search(filename) is not None


def _is_runner(frame: Frame) -> bool:
    """Whether a frame of another process is of what ran the task there."""
    return _RUNNERS.search(frame.filename) is not None


def _read_logs(logs: Any) -> list[str]:
    """Return the lines of an error's logs, which may be a text or a list of texts."""
    if isinstance(logs, str):
        return logs.splitlines()
    return [line for line in logs if isinstance(line, str)] if isinstance(logs, list | tuple) else []


def shorten_frames(frames: Sequence[Frame]) -> list[Frame]:
    """Return the frames of jobs, with the middle of a long list replaced by one that says how many were left out."""
    if len(frames) <= _MAX_FRAMES:
        return list(frames)
    half = _MAX_FRAMES // 2
    return [*frames[:half], _make_gap(len(frames) - 2 * half, "jobs"), *frames[-half:]]
