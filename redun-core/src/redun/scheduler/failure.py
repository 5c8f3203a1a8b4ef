"""Errors as values: what is recorded in place of a result when a task fails."""

from __future__ import annotations

import linecache
import sys
from collections.abc import Iterator, Mapping, Sequence
from logging import Logger
from types import CodeType
from typing import Any, NamedTuple

from redun.control import root_task
from redun.errors import InvalidValueError, StoppedCallError
from redun.expression import Expression
from redun.hashing import hash_struct
from redun.scheduler.job import Job, list_ancestors
from redun.scheduler.status import format_task_call
from redun.task import Task
from redun.traceback import Frame, Line, Part, Traceback, safe_repr, shorten_frames, show_variable, trim_string
from redun.values.base import Value
from redun.values.codec import EncodedValue
from redun.values.registry import get_type_registry

_MAX_CALL = 500
_MAX_SHORT_CALL = 160
_MAX_SHORT_ARGUMENT = 40


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
        """Return the address, made of the error and the places it came through, the same in every execution."""
        frames = self.traceback.frames if self.traceback is not None else []
        places = [[frame.filename, frame.lineno, frame.name] for frame in frames if frame.job_id is None]
        return hash_struct(["redun.ErrorValue", get_type_registry().encode(self.error).value_hash, places])

    def __repr__(self) -> str:
        return f"ErrorValue({self.error!r})"

    def __getstate__(self) -> dict[str, Any]:
        return {"error": self.error, "traceback": self.traceback}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.error, self.traceback = state["error"], state.get("traceback")


class Failure(NamedTuple):
    """An error and the call that it comes from.

    Attributes
    ----------
    traceback
        Where it comes from, tasks first.
    job_id
        The job whose call failed of itself.
    task, args, kwargs
        That call, its arguments as far as they were known.
    expression
        The expression in its result that failed by itself, without a call below it; empty if there is none.
    """

    traceback: Traceback
    job_id: str
    task: Task[..., Any]
    args: Sequence[Any]
    kwargs: Mapping[str, Any]
    expression: str = ""

    def format_lines(self) -> Iterator[Line]:
        """Yield the lines that report the failure: the traceback, then the call and the user's line in short."""
        yield from self.traceback.format_lines()
        yield Line(Part.SUMMARY, "")
        call = format_task_call(self.task, self.args, self.kwargs)
        yield Line(Part.SUMMARY, f"Failed in Job {self.job_id[:8]}: {trim_string(call, _MAX_CALL)}")
        if self.expression:
            yield Line(Part.SUMMARY, f"    in expression {self.expression}")
        frame = self.traceback.find_user_frame()
        if frame is not None:
            source = f": {frame.line}" if frame.line else ""
            yield Line(Part.SUMMARY, f"    {frame.filename}:{frame.lineno} in {frame.name}{source}")

    def format_short(self) -> str:
        """Return the job, the call with the beginnings of its arguments, and the error, on one line."""
        call = trim_string(format_task_call(self.task, self.args, self.kwargs, _MAX_SHORT_ARGUMENT), _MAX_SHORT_CALL)
        return f"Job {self.job_id[:8]}: {call}: {safe_repr(self.traceback.error)}"


_ORIGIN = ("redun_traceback", "redun_logs")
"""Attributes in which errors from other processes say where they come from; no part of their value."""


class Failures:
    """The errors of one execution, each with where it comes from.

    What is known about an error is kept beside it and not in it, so that an error that is recovered from is the same
    value in every execution.

    Parameters
    ----------
    max_value_size
        How many bytes an error may have when it is recorded.
    """

    def __init__(self, max_value_size: int = sys.maxsize) -> None:
        self._max_value_size = max_value_size
        self._known: dict[int, Failure] = {}
        self._open: dict[int, Failure] = {}
        self._encoded: dict[int, EncodedValue] = {}
        self._expressions: dict[int, tuple[BaseException, str]] = {}

    def note_expression(self, error: BaseException, expression: Expression[Any]) -> None:
        """Note that an expression fails with an error by itself, without a call below it."""
        self._expressions.setdefault(id(error), (error, safe_repr(expression)))

    def note(self, error: BaseException, job: Job) -> None:
        """Note that an error comes from a job; where it was noted first counts."""
        if id(error) not in self._known:
            frames = [
                _job_frame(ancestor)
                for ancestor in reversed([job, *list_ancestors(job)])
                if ancestor.task is not root_task
            ]
            own = Traceback.from_error(error)
            for name in _ORIGIN:
                getattr(error, "__dict__", {}).pop(name, None)
            traceback = Traceback(error, [*shorten_frames(frames), *own.frames], own.logs)
            _, expression = self._expressions.pop(id(error), (error, ""))
            failure = Failure(traceback, job.id, job.task, job.args, job.kwargs, expression)
            self._known[id(error)] = failure
            if not isinstance(error, StoppedCallError):
                self._open[id(error)] = failure

    def forget(self, error: BaseException) -> None:
        """Note that the workflow recovered from an error."""
        self._open.pop(id(error), None)
        self._expressions.pop(id(error), None)

    def list_open(self) -> list[Failure]:
        """Return the errors that nothing recovered from, in the order they were noted."""
        return list(self._open.values())

    def find(self, error: BaseException) -> Failure | None:
        """Return what is known about an error, if it was noted."""
        return self._known.get(id(error))

    def encode(self, error: BaseException, job: Job) -> EncodedValue:
        """Return an error as the result of a call; one that can't be stored is replaced by its description."""
        self.note(error, job)
        known = self._encoded.get(id(error))
        if known is None:
            failure = self._known[id(error)]
            known = self._encoded[id(error)] = _encode_error(error, failure.traceback, self._max_value_size)
        return known


def report_failure(error: BaseException, failures: Failures, logger: Logger, shows_traceback: bool) -> Failure | None:
    """Log how an execution failed, and the other calls that did, if there are any; return what is known of it."""
    failure, others = failures.find(error), failures.list_open()
    attach_traceback(error, failure.traceback if failure is not None else None)
    if shows_traceback and failure is not None:
        logger.error("*** Execution failed. Traceback (most recent task last):")
        for line in failure.format_lines():
            logger.error("%s", line.text, extra={"part": line.part})
    if len(others) > 1:
        logger.error("%d calls failed:", len(others))
        for other in others:
            logger.error("  %s", other.format_short())
    return failure


def _encode_error(error: BaseException, traceback: Traceback, max_size: int) -> EncodedValue:
    encode = get_type_registry().encode
    try:
        encoded = encode(ErrorValue(error, traceback))
        if len(encoded.data) <= max_size:
            return encoded
    except (InvalidValueError, TypeError, AttributeError):
        pass
    described = Exception(safe_repr(error))
    return encode(ErrorValue(described, Traceback(described, traceback.frames, traceback.logs)))


def attach_traceback(error: BaseException, traceback: Traceback | None) -> None:
    """Give an error that leaves the scheduler its workflow traceback, as attribute ``redun_traceback``."""
    try:
        error.redun_traceback = traceback  # type: ignore[attr-defined]
    except AttributeError:  # An exception class with slots; it is raised without.
        return


def _job_frame(job: Job) -> Frame:
    code = getattr(job.task.func, "__code__", None)
    names = list(job.task.signature.parameters) if code is not None else []
    shown = {name: show_variable(name, value) for name, value in zip(names, job.args, strict=False)}
    shown.update((key, show_variable(key, value)) for key, value in job.kwargs.items())
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
