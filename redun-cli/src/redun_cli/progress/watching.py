"""Watching a run for whoever started it: nothing but the log, a live display, and a summary at the end."""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from logging import LogRecord
from typing import TYPE_CHECKING

import click

from redun.backends.memory import MemoryBackend
from redun.errors import BackendError
from redun.logging import logger
from redun.plugins.catalog import commands
from redun.registry import get_task_registry
from redun.repositories import DEFAULT_REPOSITORY
from redun.terminals import has_colours, is_terminal
from redun_cli.progress.modes import ProgressMode, choose_mode
from redun_cli.progress.summary import summarize
from redun_cli.progress.tally import Tally
from redun_cli.styles import STYLES

if TYPE_CHECKING:
    from redun.backends.base import Backend
    from redun.scheduler import Scheduler
    from redun.workspace import Workspace

_INSPECTING = ("log", "why", "debug")
_MAX_TASKS = 100


@contextmanager
def watching(workspace: Workspace, scheduler: Scheduler, asked: ProgressMode) -> Iterator[None]:
    """Show the progress of what the scheduler runs inside, and sum it up at the end.

    Parameters
    ----------
    workspace
        Where the command works.
    scheduler
        The scheduler.
    asked
        How the user wants to see the progress.
    """
    mode = choose_mode(asked, sys.stderr)
    if not sums_up(asked):
        with hiding_tables() if mode is ProgressMode.NONE else nullcontext():
            yield
        return
    tally, start = Tally(), time.monotonic()
    durations = _find_durations(scheduler.backend)
    scheduler.observers.add(tally)
    try:
        with _drawing(tally, durations) if mode is ProgressMode.LIVE else nullcontext():
            yield
    finally:
        scheduler.observers.remove(tally)
        if tally.execution is not None:
            _sum_up(workspace, scheduler.backend, tally, time.monotonic() - start, durations)


def sums_up(asked: ProgressMode) -> bool:
    """Whether a run is summed up at its end: on terminals, unless the user asked for less.

    In a pipe, the last lines of the log stay the last ones.
    """
    return asked is not ProgressMode.NONE and is_terminal(sys.stderr)


@contextmanager
def hiding_tables(note_output: Callable[[str, str], None] | None = None) -> Iterator[None]:
    """Keep the table of jobs out of the log.

    Parameters
    ----------
    note_output
        Is called with the id of a job and a line that it has written, for each such line that is logged.
    """

    def keep(record: LogRecord) -> bool:
        job_id = getattr(record, "job_id", None)
        if job_id is not None and note_output is not None:
            note_output(job_id, getattr(record, "output", ""))
        return not getattr(record, "is_table", False)

    logger.addFilter(keep)
    try:
        yield
    finally:
        logger.removeFilter(keep)


@contextmanager
def _drawing(tally: Tally, durations: Mapping[str, float]) -> Iterator[None]:
    from redun_cli.progress.display import Display
    from redun_cli.progress.pace import Pace

    display = Display(tally, Pace(durations))
    with hiding_tables(tally.note_output):
        display.start()
        try:
            yield
        finally:
            display.stop()


def _find_durations(backend: Backend) -> Mapping[str, float]:
    names = [task.fullname for task in get_task_registry() if not task.fullname.startswith("redun.")]
    try:
        return backend.find_durations(names[:_MAX_TASKS])
    except BackendError as error:
        logger.debug("how long calls took before is not known: %s", error)
        return {}


def _sum_up(
    workspace: Workspace, backend: Backend, tally: Tally, seconds: float, durations: Mapping[str, float]
) -> None:
    folder = ["-c", workspace.explicit_dir] if workspace.explicit_dir is not None else []
    repository = ["-r", workspace.repo] if workspace.repo != DEFAULT_REPOSITORY else []
    known = [] if isinstance(backend, MemoryBackend) else [name for name in _INSPECTING if name in commands]

    def list_commands(job_id: str) -> Sequence[str]:
        return [shlex.join(["redun", *folder, *repository, name, job_id[:8]]) for name in known]

    is_coloured = has_colours(sys.stderr)
    with suppress(OSError):  # A terminal that was closed does not change what became of the run.
        for line in summarize(tally, seconds, durations, list_commands):
            click.echo(click.style(line.text, **STYLES[line.part]) if is_coloured else line.text, err=True, color=True)
