"""Records as text: lines for executions, jobs, calls, tasks and values.

Values are shown by previews, which never unpickle: reading a log runs no code that somebody stored.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import chain
from typing import Any

from redun.tags import format_tag_key_value
from redun.traceback import trim_string
from redun.values.preview import Inert, format_inert, read_inert
from redun_backend_sql.records import (
    ArgumentRow,
    CallRow,
    ExecutionRow,
    FileRow,
    JobLine,
    JobRow,
    Tags,
    TaskRow,
    ValueRow,
)

RULE = "-" * 80
_MAX_ARGUMENT = 60
_MAX_CALL = 300
_MAX_INDENTATION = 40


def format_status(status: str) -> str:
    """Return a status centred in its column."""
    return f"[{'RUN ' if status == 'RUNNING' else status:^6}]"


def format_time(time: datetime) -> str:
    """Return a point in time in local time, to the second."""
    return time.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def format_duration(start: datetime, end: datetime) -> str:
    """Return the time between two points, as hours, minutes and seconds; none if the clock was set back."""
    hundredths = max(0, round((end - start).total_seconds() * 100))
    minutes, hundredths = divmod(hundredths, 60 * 100)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{hundredths // 100:02}.{hundredths % 100:02}"


def format_tags(tags: Tags) -> str:
    """Return tags in the form that they have at the end of a line, with the space before; nothing for none."""
    return f" ({', '.join(format_tag_key_value(key, value) for key, value in tags)})" if tags else ""


def format_arguments(arguments: Sequence[ArgumentRow], max_length: int = _MAX_ARGUMENT) -> str:
    """Return a call's arguments as they would be written, each cut to a length."""
    shown = []
    for argument in arguments:
        text = trim_string(argument.value.preview, max_length)
        shown.append(text if argument.key is None else f"{argument.key}={text}")
    return ", ".join(shown)


def format_execution(execution: ExecutionRow, tags: Tags = (), full_id: bool = False) -> str:
    """Return the line of an execution."""
    args = " ".join(json.loads(execution.args)[1:])
    name = execution.id if full_id else execution.id[:8]
    time = execution.updated_time if execution.root is None else execution.root.start_time
    shown = "" if time is None else f" {format_time(time)}"
    reached = "" if execution.progress is None else " ({} of {} jobs had ended)".format(*execution.progress)
    return f"Exec {name} {format_status(execution.status)}{shown}:  {args}{reached}{format_tags(tags)}"


def format_job(line: JobLine, full_id: bool = False) -> str:
    """Return the line of a job."""
    job = line.job
    arguments = "..." if line.arguments is None else trim_string(format_arguments(line.arguments), _MAX_CALL)
    name = job.id if full_id else job.id[:8]
    call = f"{job.task_name}({arguments}){format_tags(line.tags)}"
    return f"Job {name} {format_status(job.status)} {format_time(job.start_time)}:  {call}"


def format_call(call: CallRow, tags: Tags = ()) -> str:
    """Return the line of a call."""
    return f"CallNode {call.call_hash} {call.task_name}{format_tags(tags)}"


def format_task(task: TaskRow, tags: Tags = ()) -> str:
    """Return the line of a task."""
    return f"Task {task.hash} {task.fullname}{format_tags(tags)}"


def format_value(value: ValueRow, tags: Tags = ()) -> str:
    """Return the line of a value."""
    return f"Value {value.value_hash} {value.type_name}{format_tags(tags)}"


def format_file(file: FileRow, tags: Tags = ()) -> str:
    """Return the line of a file."""
    return f"File {file.value_hash[:8]} {file.path}{format_tags(tags)}"


def format_counts(counts: Mapping[str, int]) -> str:
    """Return how many jobs have each status.

    Examples
    --------
    >>> format_counts({"DONE": 2, "CACHED": 1, "FAILED": 0})
    'Jobs: 3 (DONE: 2, CACHED: 1)'
    """
    shown = ", ".join(f"{status}: {count}" for status, count in counts.items() if count)
    return f"Jobs: {sum(counts.values())} ({shown})" if shown else "Jobs: 0"


def indent(depth: int) -> str:
    """Return what stands before a line at a level of the job tree; very deep levels are told by their number."""
    return "  " * min(depth, _MAX_INDENTATION) + ("" if depth <= _MAX_INDENTATION else f"({depth}) ")


def format_ancestry(job: JobRow, ancestors: Sequence[JobRow], has_more: bool, job_count: int) -> str:
    """Return the line that says where a job stands: its execution and the jobs above it, the nearest first."""
    above = [f"Job {ancestor.id[:8]} {ancestor.task_name}" for ancestor in reversed(ancestors)]
    jobs = [f"({job_count} Jobs)", *(["..."] if has_more else []), *above, f"Job {job.id[:8]} {job.task_name}"]
    return f"Traceback: Exec {job.execution_id[:8]} > {' > '.join(jobs)}"


def describe_call(call: CallRow, arguments: Sequence[ArgumentRow], result: ValueRow, tags: Tags = ()) -> Iterator[str]:
    """Yield the lines that show a call: its arguments and its result."""
    yield format_call(call, tags)
    yield f"  Args:   {format_arguments(arguments, max_length=200)}"
    failed = result.type_name == "redun.ErrorValue"
    shown = _format_error(result) if failed else result.preview
    yield f"  {'Raised:' if failed else 'Result:'} {shown}"


def describe_source(task: TaskRow) -> Iterator[str]:
    """Yield the lines of a task's source."""
    yield from (f"    {line}" for line in task.source.rstrip("\n").split("\n"))


def _read_error(value: ValueRow) -> tuple[Any, Any]:
    """Return the inert error and traceback in a stored error."""
    try:
        stored = read_inert(value.data or b"")
    except ValueError:
        return None, None
    attributes = stored.attributes() if isinstance(stored, Inert) else {}
    return attributes.get("error"), attributes.get("traceback")


def _format_error(value: ValueRow) -> str:
    error, _ = _read_error(value)
    return format_inert(error) if error is not None else value.preview


def describe_error(value: ValueRow) -> Iterator[str]:
    """Yield the lines that show a stored error with its traceback."""
    _, traceback = _read_error(value)
    frames = traceback.attributes().get("frames") if isinstance(traceback, Inert) else None
    yield "Traceback (most recent task last):"
    found = frames if isinstance(frames, list) else []
    inert_frames = [frame.attributes() for frame in found if isinstance(frame, Inert)]
    yield from chain.from_iterable(map(_describe_frame, inert_frames))
    yield _format_error(value)


def _describe_frame(frame: Any) -> Iterator[str]:
    job = f"Job {str(frame['job_id'])[:8]}: " if frame.get("job_id") else ""
    yield f'  {job}File "{frame.get("filename")}", line {frame.get("lineno")}, in {frame.get("name")}'
    if frame.get("line"):
        yield f"    {frame['line']}"
    variables = frame.get("locals")
    shown = {str(name): text for name, text in variables.items()} if isinstance(variables, dict) else {}
    width = max(map(len, shown), default=0)
    yield from (f"    {name:<{width}} = {shown[name]}" for name in sorted(shown))
