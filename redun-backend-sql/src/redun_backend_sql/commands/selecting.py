"""The options by which commands select records."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import click

from redun.terminals import has_colours
from redun_backend_sql.commands.colours import paint_lines
from redun_backend_sql.selection import Selection

F = TypeVar("F", bound=Callable[..., Any])

_KINDS = {
    "executions": ("--exec", "Execution"),
    "jobs": ("--job", "Job"),
    "calls": ("--call-node", "CallNode"),
    "tasks": ("--task", "Task"),
    "values": ("--value", "Value"),
    "files": ("--file", "File"),
}
_FILTERS = {
    "exec_status": ("--exec-status", "STATUS,...", "Executions that are RUNNING, FAILED or DONE."),
    "job_status": ("--job-status", "STATUS,...", "Jobs that are RUNNING, FAILED, CACHED or DONE."),
    "task_name": ("--task-name", "NAME,...", "Of tasks with that name; * stands for anything."),
    "task_hash": ("--task-hash", "HASH,...", "Of one definition of a task."),
    "value_type": ("--value-type", "TYPE,...", "Values of a type, as builtins.int."),
    "file_path": ("--file-path", "PATTERN,...", "Files with that path; * stands for anything."),
    "exec_id": ("--exec-id", "ID,...", "What belongs to an execution; - is the latest."),
    "result": ("--result", "HASH,...", "Calls that returned a value."),
    "arg": ("--arg", "HASH,...", "Calls that were given a value."),
}
_TIMES = {
    "since": ("--since", "What began at a time or later: 2026-03-01, 2026-03-01T14:30, or 2d for two days ago."),
    "until": ("--until", "What began before a time; a date counts to the end of its day."),
}
_TAGS: Mapping[str, tuple[Sequence[str], str]] = {
    "tag": (("-t", "--tag"), "With a tag."),
    "exec_tag": (("--exec-tag",), "Of executions with a tag."),
}


def selecting(function: F) -> F:
    """Give a command the options of `Selection`, which `take_selection` takes out of its parameters."""
    for name, (flags, text) in reversed(list(_TAGS.items())):
        function = click.option(*flags, name, metavar="KEY[=VALUE]", multiple=True, help=text)(function)
    for name, (flag, text) in reversed(list(_TIMES.items())):
        function = click.option(flag, name, metavar="TIME", default="", help=text)(function)
    for name, (flag, metavar, text) in reversed(list(_FILTERS.items())):
        function = click.option(flag, name, metavar=metavar, multiple=True, help=text)(function)
    for name, (flag, kind) in reversed(list(_KINDS.items())):
        function = click.option(flag, name, is_flag=True, help=f"Records of type {kind}.")(function)
    return function


def take_selection(options: dict[str, Any]) -> Selection:
    """Return what is selected, and take the options that say so out of the parameters of a command."""
    types = [kind for name, (_, kind) in _KINDS.items() if options.pop(name)]
    filters = {name: [part for text in options.pop(name) for part in text.split(",") if part] for name in _FILTERS}
    others = {name: options.pop(name) for name in (*_TAGS, *_TIMES)}
    wanted: dict[str, Any] = {**filters, **others}
    return Selection(types=types, **wanted)


@contextmanager
def _less_settings() -> Iterator[None]:
    """Let ``less`` end by itself when everything fits on the screen, unless the user has settings of their own."""
    if "LESS" in os.environ:
        yield
        return
    os.environ["LESS"] = "FKRSX"
    try:
        yield
    finally:
        del os.environ["LESS"]


def echo_lines(lines: Iterable[str], use_pager: bool = False) -> None:
    """Write lines about records to standard output, on a terminal in colours, and through a pager if that is wanted."""
    if has_colours(sys.stdout):
        lines = paint_lines(lines)
    if use_pager and sys.stdout.isatty():
        with _less_settings():
            click.echo_via_pager(f"{line}\n" for line in lines)
        return
    for line in lines:
        click.echo(line)


def count_lines(counts: Iterable[tuple[str, int]]) -> Iterator[str]:
    """Yield the lines that say how many records of each type there are."""
    return (f"{count:>8} {kind}" for kind, count in counts if count)
