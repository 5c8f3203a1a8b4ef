"""Errors as values: what is recorded in place of a result when a task fails."""

from __future__ import annotations

import linecache
from collections.abc import Iterable
from types import CodeType
from typing import Any

from redun.control import root_task
from redun.errors import InvalidValueError
from redun.hashing import hash_struct
from redun.scheduler.job import Job
from redun.traceback import Frame, Traceback, safe_repr, shorten_frames
from redun.values.base import Value
from redun.values.codec import EncodedValue
from redun.values.registry import get_type_registry


class ErrorValue(Value):
    """An exception with its traceback, recorded as the result of a failed call.

    Attributes
    ----------
    error : BaseException
        The exception.
    traceback : Traceback or None
        Where it came from.
    """

    __module__ = "redun.scheduler"
    type_name = "redun.ErrorValue"

    def __init__(self, error: BaseException, traceback: Traceback | None = None) -> None:
        self.error = error
        self.traceback = traceback

    def get_hash(self, data: bytes | None = None) -> str:
        encode = get_type_registry().encode
        return hash_struct(["redun.ErrorValue", encode(self.error).value_hash, encode(self.traceback).value_hash])

    def __repr__(self) -> str:
        return f"ErrorValue({self.error!r})"

    def __getstate__(self) -> dict[str, Any]:
        return {"error": self.error, "traceback": self.traceback}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.error, self.traceback = state["error"], state.get("traceback")


class Failures:
    """The errors of one execution, each with where it comes from.

    What is known about an error is kept beside it and not in it, so that an error that is recovered from is the same
    value in every execution.
    """

    def __init__(self) -> None:
        self._known: dict[int, tuple[BaseException, Traceback]] = {}
        self._open: dict[int, str] = {}
        self._encoded: dict[int, EncodedValue] = {}

    def note(self, error: BaseException, job: Job) -> None:
        """Note that an error comes from a job; where it was noted first counts."""
        if id(error) not in self._known:
            frames = [_job_frame(ancestor) for ancestor in reversed(list(_ancestors(job)))]
            traceback = Traceback(error, [*shorten_frames(frames), *Traceback.from_error(error).frames])
            self._known[id(error)] = (error, traceback)
            self._open[id(error)] = f"Job {job.id[:8]}: {job.task.fullname}: {safe_repr(error)}"

    def forget(self, error: BaseException) -> None:
        """Note that the workflow recovered from an error."""
        self._open.pop(id(error), None)

    def list_open(self) -> list[str]:
        """Return a line for each error that nothing recovered from, in the order they were noted."""
        return list(self._open.values())

    def find_traceback(self, error: BaseException) -> Traceback | None:
        """Return where an error comes from, if that was noted."""
        known = self._known.get(id(error))
        return known[1] if known is not None else None

    def encode(self, error: BaseException, job: Job) -> EncodedValue:
        """Return an error as the result of a call; one that can't be pickled is replaced by its description."""
        self.note(error, job)
        known = self._encoded.get(id(error))
        if known is None:
            known = self._encoded[id(error)] = _encode_error(error, self.find_traceback(error))
        return known


def _encode_error(error: BaseException, traceback: Traceback | None) -> EncodedValue:
    encode = get_type_registry().encode
    try:
        return encode(ErrorValue(error, traceback))
    except (InvalidValueError, TypeError, AttributeError):
        described = Exception(safe_repr(error))
        frames = traceback.frames if traceback is not None else []
        return encode(ErrorValue(described, Traceback(described, frames)))


def attach_traceback(error: BaseException, traceback: Traceback | None) -> None:
    """Give an error that leaves the scheduler its workflow traceback, as attribute ``redun_traceback``."""
    try:
        error.redun_traceback = traceback  # type: ignore[attr-defined]
    except AttributeError:  # An exception class with slots; it is raised without.
        return


def _ancestors(job: Job | None) -> Iterable[Job]:
    while job is not None:
        if job.task is not root_task:
            yield job
        job = job.parent_job


def _job_frame(job: Job) -> Frame:
    code = getattr(job.task.func, "__code__", None)
    names = list(job.task.signature.parameters) if code is not None else []
    shown = {name: safe_repr(value) for name, value in zip(names, job.args, strict=False)}
    shown.update((key, safe_repr(value)) for key, value in job.kwargs.items())
    if code is None:
        return Frame("<unknown>", 0, job.task.fullname, shown, job_id=job.id)
    return Frame(code.co_filename, _find_definition(code), job.task.fullname, shown, job_id=job.id)


def _find_definition(code: CodeType) -> int:
    """Return the line of a function's ``def``, which comes after its decorators."""
    lines = linecache.getlines(code.co_filename)[code.co_firstlineno - 1 :]
    for offset, line in enumerate(lines):
        if line.lstrip().startswith(("def ", "async def ")):
            return code.co_firstlineno + offset
    return code.co_firstlineno
