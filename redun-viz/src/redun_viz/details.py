"""What a page shows of each job beside its place and time: arguments, result, error, source and tags.

All of it is bounded: a text that is too long is cut, and says which command shows all of it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from redun.backends.base import ERROR_TYPE
from redun.tags import format_tag_key_value
from redun_backend_sql.database import Database
from redun_backend_sql.display import describe_error
from redun_backend_sql.parameters import Parameters, parse_parameters
from redun_backend_sql.records import (
    MAX_LINE_BYTES,
    JobLine,
    read_calls,
    read_tags,
    read_tasks,
    read_values,
    value_of,
)
from redun_viz.read import Recorded
from redun_viz.text import cut, cut_lines, format_count

MAX_VALUE, MAX_ARGUMENTS, MAX_TAGS = 200, 20, 20
"""How long a value is shown, and how many arguments and tags of a job are."""

MAX_SOURCE, MAX_SOURCES = 20_000, 500
"""How long a source is shown, and how many sources are."""

MAX_TRACEBACK, MAX_TRACEBACKS = 20_000, 100
"""How long a traceback is shown, and how many different ones are."""


@dataclass
class Details:
    """What is known of jobs, by their ids; texts are printable and cut.

    Attributes
    ----------
    command
        The command that the execution was started with.
    arguments
        The arguments: names and values.
    results
        The results; a job that failed has none.
    errors
        Which of the tracebacks a failed job has.
    tracebacks
        The tracebacks, each once.
    sources
        The sources of tasks, by the tasks' names.
    tags
        The tags of jobs and of the execution.
    """

    command: str = ""
    arguments: dict[str, Sequence[tuple[str, str]]] = field(default_factory=dict)
    results: dict[str, str] = field(default_factory=dict)
    errors: dict[str, int] = field(default_factory=dict)
    tracebacks: list[str] = field(default_factory=list)
    sources: dict[str, str] = field(default_factory=dict)
    tags: dict[str, Sequence[str]] = field(default_factory=dict)


def read_details(database: Database, recorded: Recorded, lines: Sequence[JobLine]) -> Details:
    """Return what is known of jobs.

    Parameters
    ----------
    database
        The database.
    recorded
        What is shown.
    lines
        Its jobs, with their arguments and tags.
    """
    execution = recorded.subject.execution
    details = Details(cut(" ".join(json.loads(execution.args)[1:]), MAX_VALUE))
    tags = {execution.id: read_tags(database, [execution.id]).get(execution.id, ())}
    tags.update((line.job.id, line.tags) for line in lines if line.tags)
    for key, found in tags.items():
        shown = [cut(format_tag_key_value(name, value), MAX_VALUE) for name, value in found]
        details.tags[key] = _cut_list(shown, MAX_TAGS, "tag")
    parameters = _read_sources(database, lines, details)
    _read_arguments(lines, parameters, details)
    _read_results(database, lines, details)
    return details


def _cut_list(texts: Sequence[str], limit: int, noun: str) -> Sequence[str]:
    if len(texts) <= limit:
        return texts
    return [*texts[:limit], f"… and {format_count(len(texts) - limit, noun)} more"]


def _read_sources(database: Database, lines: Sequence[JobLine], details: Details) -> Mapping[str, Parameters]:
    """Read the sources of tasks; return their parameters, by the hash of the task."""
    hashes = list(dict.fromkeys(line.job.task_hash for line in lines))
    tasks = read_tasks(database, hashes)
    for task in tasks[:MAX_SOURCES]:
        details.sources.setdefault(
            task.fullname, cut_lines(task.source.rstrip(), MAX_SOURCE, f"redun log {task.hash[:8]}")
        )
    return {task.hash: parse_parameters(task.source) for task in tasks}


def _read_arguments(lines: Sequence[JobLine], parameters: Mapping[str, Parameters], details: Details) -> None:
    for line in lines:
        own = parameters.get(line.job.task_hash, Parameters())
        arguments = line.arguments or ()
        shown = [
            (
                cut(own.name_position(argument.position or 0) if argument.key is None else argument.key, MAX_VALUE),
                cut(argument.value.preview, MAX_VALUE),
            )
            for argument in arguments[:MAX_ARGUMENTS]
        ]
        if len(arguments) > MAX_ARGUMENTS:
            shown.append(("…", f"more are shown by `redun log {line.job.id[:8]}`"))
        details.arguments[line.job.id] = shown


def _read_results(database: Database, lines: Sequence[JobLine], details: Details) -> None:
    calls = {
        call.call_hash: call
        for call in read_calls(database, [line.job.call_hash for line in lines if line.job.call_hash is not None])
    }
    failed = [line.job for line in lines if line.job.status == "FAILED"]
    shown = {line.job.id for line in lines} - {job.id for job in failed}
    keys = {
        calls[line.job.call_hash].value_hash for line in lines if line.job.id in shown and line.job.call_hash in calls
    }
    values = read_values(database, keys, MAX_LINE_BYTES)
    for line in lines:
        job = line.job
        if job.id in shown and job.call_hash in calls:
            details.results[job.id] = cut(value_of(values, calls[job.call_hash].value_hash).preview, MAX_VALUE)
    numbers: dict[str, int] = {}
    for job in failed:
        if job.call_hash in calls and job.result_type == ERROR_TYPE:
            key = calls[job.call_hash].value_hash
            if key not in numbers and len(numbers) < MAX_TRACEBACKS:
                numbers[key] = len(numbers)
                details.tracebacks.append(_read_traceback(database, key, job.id))
            if key in numbers:
                details.errors[job.id] = numbers[key]
            else:
                details.results[job.id] = f"the error is shown by `redun log {job.id[:8]}`"


def _read_traceback(database: Database, value_hash: str, job_id: str) -> str:
    value = value_of(read_values(database, [value_hash]), value_hash)
    return cut_lines("\n".join(describe_error(value)), MAX_TRACEBACK, f"redun log {job_id[:8]}")
