"""Where an error came from, as a workflow's author sees it.

A traceback lists the jobs from the root of the execution down to the one that failed, each with its arguments, and then
the frames of the failing task's own code. It is plain data: it can be stored with the error and shown later.
"""

from __future__ import annotations

import linecache
import os
import traceback as python_traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

_PACKAGE = str(Path(__file__).parent) + os.sep
_MAX_JOB_FRAMES = 40
MAX_REPR = 200


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
    """Return a value's representation on one line, cut to a length, whatever the value's own method does."""
    try:
        text = repr(value)
    except Exception as error:
        text = f"<{type(value).__name__} that can't be shown: {type(error).__name__}>"
    return trim_string(text.replace("\n", "\\n"), max_length)


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
        job = f"Job {self.job_id[:8]}: " if self.job_id else ""
        yield f'  {job}File "{self.filename}", line {self.lineno}, in {self.name}'
        if self.line:
            yield f"    {self.line}"
        width = max(map(len, self.locals), default=0)
        for name in sorted(self.locals):
            yield f"    {name:<{width}} = {self.locals[name]}"


class Traceback:
    """An error with the frames that led to it, outermost first, and the last lines that the task logged."""

    __module__ = "redun.scheduler"
    __slots__ = ("error", "frames", "logs")

    def __init__(self, error: Any, frames: Sequence[Frame], logs: Sequence[str] = ()) -> None:
        self.error, self.frames, self.logs = error, list(frames), list(logs)

    @classmethod
    def from_error(cls, error: BaseException, trim_frames: bool = True) -> Traceback:
        """Return the traceback of an exception, by default without redun's own frames at its start."""
        return cls(error, _list_frames(error.__traceback__, trim_frames))

    def format(self) -> Iterator[str]:
        """Yield the traceback's lines of text, the error last but for logs."""
        for frame in self.frames:
            yield from frame.format()
        yield from (line.rstrip("\n") for line in python_traceback.format_exception_only(type(self.error), self.error))
        if self.logs:
            yield ""
            yield "Latest logs:"
            yield from (line.rstrip("\n") for line in self.logs)

    def __getstate__(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}

    def __setstate__(self, state: dict[str, Any]) -> None:
        for name in self.__slots__:
            setattr(self, name, state[name])


def _list_frames(entry: TracebackType | None, trim: bool) -> list[Frame]:
    frames = []
    while trim and entry is not None and entry.tb_frame.f_code.co_filename.startswith(_PACKAGE):
        entry = entry.tb_next
    while entry is not None:
        code = entry.tb_frame.f_code
        shown = {name: safe_repr(value) for name, value in entry.tb_frame.f_locals.items()}
        frames.append(Frame(code.co_filename, entry.tb_lineno, code.co_name, shown))
        entry = entry.tb_next
    return frames


def shorten_frames(frames: Sequence[Frame]) -> list[Frame]:
    """Return frames with the middle of a long list replaced by one that says how many were left out."""
    if len(frames) <= _MAX_JOB_FRAMES:
        return list(frames)
    half = _MAX_JOB_FRAMES // 2
    gap = Frame("...", 0, f"{len(frames) - 2 * half} more jobs", {}, line="")
    return [*frames[:half], gap, *frames[-half:]]
