"""The call graph as text: lines for executions, jobs, calls, tasks, values and files.

Values are shown by previews, which never unpickle: reading a log runs no code that somebody stored.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import chain
from typing import Any

from redun.values.preview import Inert, format_inert, read_inert
from redun_backend_sql.models import Argument, CallNode, Execution, Job, Task, Value
from redun_backend_sql.query import FileUse, count_statuses

_RULE = "-" * 80
_MAX_ARGUMENT = 60
_MAX_CALL = 300
_MAX_INDENTATION = 40
_STATUSES = ("DONE", "CACHED", "FAILED", "RUNNING")


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


def format_arguments(arguments: Sequence[Argument], max_length: int = _MAX_ARGUMENT) -> str:
    """Return a call's arguments as they would be written, each cut to a length."""
    shown = []
    for argument in arguments:
        text = argument.value.preview
        text = text if len(text) <= max_length else f"{text[: max_length - 3]}..."
        shown.append(text if argument.arg_key is None else f"{argument.arg_key}={text}")
    return ", ".join(shown)


def format_execution(execution: Execution, full_id: bool = False) -> str:
    """Return the line of an execution."""
    args = " ".join(json.loads(execution.args)[1:])
    name = execution.id if full_id else execution.id[:8]
    if execution.job is None:  # Killed before its first job was recorded.
        time = "" if execution.updated_time is None else f" {format_time(execution.updated_time)}"
        return f"Exec {name} {format_status('FAILED')}{time}:  {args}"
    status = "DONE" if execution.job.status == "CACHED" else execution.job.status
    return f"Exec {name} {format_status(status)} {format_time(execution.job.start_time)}:  {args}"


def format_job(job: Job, full_id: bool = False) -> str:
    """Return the line of a job."""
    arguments = format_arguments(job.call_node.arguments) if job.call_node is not None else "..."
    if len(arguments) > _MAX_CALL:
        arguments = f"{arguments[: _MAX_CALL - 3]}..."
    name = job.id if full_id else job.id[:8]
    return f"Job {name} {format_status(job.status)} {format_time(job.start_time)}:  {job.task.fullname}({arguments})"


def describe_executions(executions: Sequence[Execution]) -> Iterator[str]:
    """Yield the lines that list executions."""
    yield "Recent executions:"
    yield ""
    yield from map(format_execution, executions)


def describe_execution(execution: Execution, jobs: Sequence[Job]) -> Iterator[str]:
    """Yield the lines that show an execution with the tree of its jobs."""
    yield format_execution(execution, full_id=True)
    if execution.job is not None and execution.job.end_time is not None:
        yield f"Duration: {format_duration(execution.job.start_time, execution.job.end_time)}"
    yield ""
    counts = count_statuses(jobs)
    shown = ", ".join(f"{status}: {counts[status]}" for status in _STATUSES if counts[status])
    yield f"Jobs: {len(jobs)} ({shown})" if shown else "Jobs: 0"
    yield _RULE
    yield from _describe_tree(jobs)


def _describe_tree(jobs: Sequence[Job]) -> Iterator[str]:
    """Yield the lines of a job tree; it may be deeper than Python's stack, and than a line is wide."""
    children: dict[str | None, list[Job]] = {}
    for job in jobs:
        children.setdefault(job.parent_id, []).append(job)
    stack = [(job, 0) for job in reversed(children.get(None, []))]
    while stack:
        job, depth = stack.pop()
        level = "" if depth <= _MAX_INDENTATION else f"({depth}) "
        yield "  " * min(depth, _MAX_INDENTATION) + level + format_job(job)
        stack.extend((child, depth + 1) for child in reversed(children.get(job.id, [])))


def describe_job(job: Job, job_count: int) -> Iterator[str]:
    """Yield the lines that show a job: where it stands, its call, its task's source, and its error if it failed."""
    yield format_job(job, full_id=True)
    yield _format_ancestry(job, job_count)
    if job.end_time is not None:
        yield f"Duration: {format_duration(job.start_time, job.end_time)}"
    yield ""
    if job.call_node is None:
        if job.end_time is None:
            yield "CallNode UNKNOWN: Job has not finished or has been killed."
        else:
            yield "CallNode UNKNOWN: Job failed before its call could be made; the job above it has the error."
        yield ""
        yield from describe_task(job.task, None)
        return
    yield from describe_call_node(job.call_node)
    yield ""
    yield from describe_task(job.task, None)
    if job.status == "FAILED":
        yield ""
        yield from _describe_error(job.call_node.value)


def _format_ancestry(job: Job, job_count: int) -> str:
    ancestors: list[str] = []
    parent = job.parent_job
    while parent is not None and len(ancestors) < 10:
        ancestors.append(f"Job {parent.id[:8]} {parent.task.fullname}")
        parent = parent.parent_job
    jobs = [f"({job_count} Jobs)", *(["..."] if parent is not None else []), *reversed(ancestors)]
    return f"Traceback: Exec {job.execution_id[:8]} > {' > '.join([*jobs, f'Job {job.id[:8]} {job.task.fullname}'])}"


def describe_call_node(call_node: CallNode) -> Iterator[str]:
    """Yield the lines that show a call: its arguments and its result."""
    yield f"CallNode {call_node.call_hash} {call_node.task_name}"
    yield f"  Args:   {format_arguments(call_node.arguments, max_length=200)}"
    failed = call_node.value.type == "redun.ErrorValue"
    shown = _format_error(call_node.value) if failed else call_node.value.preview
    yield f"  {'Raised:' if failed else 'Result:'} {shown}"


def describe_task(task: Task, first_job: Job | None) -> Iterator[str]:
    """Yield the lines that show a task's definition."""
    yield f"Task {task.hash} {task.fullname}"
    if first_job is not None:
        yield f"  First {format_job(first_job)}"
    yield ""
    yield from (f"    {line}" for line in task.source.rstrip("\n").split("\n"))


def describe_value(value: Value, use: Job | None) -> Iterator[str]:
    """Yield the lines that show a value and the job that made or received it."""
    yield f"Value {value.value_hash} {value.type}"
    yield f"  {value.preview}"
    if value.dropped is not None:
        yield f"  Dropped {format_time(value.dropped)} to save room; the call that made it makes it again when needed"
    if use is not None:
        yield f"  In {format_job(use)}"


def describe_file(use: FileUse, job_count: int) -> Iterator[str]:
    """Yield the lines that show where a file comes from, or who read it."""
    yield f"File {use.value_hash[:8]} {use.path}"
    yield f"{'Produced' if use.is_producer else 'Consumed'} by {format_job(use.job)}"
    yield ""
    yield from describe_job(use.job, job_count)


def _read_error(value: Value) -> tuple[Any, Any]:
    """Return the inert error and traceback in a stored error."""
    try:
        stored = read_inert(value.value)
    except ValueError:
        return None, None
    attributes = stored.attributes() if isinstance(stored, Inert) else {}
    return attributes.get("error"), attributes.get("traceback")


def _format_error(value: Value) -> str:
    error, _ = _read_error(value)
    return format_inert(error) if error is not None else value.preview


def _describe_error(value: Value) -> Iterator[str]:
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
