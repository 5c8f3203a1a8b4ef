"""Running an expression in one call, with the scheduler of a configuration folder.

A scheduler that is made for a folder is kept for later runs with the same folder. One that is in use, because a task
runs a workflow of its own or another thread runs one, is left alone and a further one is made.
"""

from __future__ import annotations

import atexit
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from redun.logging import logger
from redun.options import EMPTY_OPTIONS
from redun.workspace import Workspace

if TYPE_CHECKING:
    from redun.scheduler import Scheduler

R = TypeVar("R")

_idle: dict[Path, list[Scheduler]] = {}


def run(
    expr: R,
    config_dir: str | None = None,
    exec_argv: Sequence[str] | None = None,
    dryrun: bool = False,
    cache: bool = True,
    tags: Sequence[tuple[str, Any]] = (),
    context: Mapping[str, Any] = EMPTY_OPTIONS,
    execution_id: str | None = None,
) -> R:
    """Return the value of an expression, evaluated as ``redun run`` does.

    Parameters
    ----------
    expr
        What to evaluate: an expression, or a nested value with expressions in it.
    config_dir
        The configuration folder; by default the one that ``redun run`` finds from the working directory, or makes.
    exec_argv, dryrun, cache, tags, context, execution_id
        See `Scheduler.run`.

    Examples
    --------
    >>> import os, tempfile
    >>> from redun import task
    >>> @task(version="1")
    ... def add(a, b):
    ...     return a + b
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with open(os.path.join(folder, "redun.ini"), "w") as config:
    ...         _ = config.write("[backend]\\ntype = memory")
    ...     run(add(1, add(2, 3)), config_dir=folder)
    6
    """
    with _borrow_scheduler(config_dir) as scheduler:
        return scheduler.run(
            expr,
            exec_argv=exec_argv,
            dryrun=dryrun,
            cache=cache,
            tags=tags,
            context=context,
            execution_id=execution_id,
        )


@contextmanager
def _borrow_scheduler(config_dir: str | None) -> Iterator[Scheduler]:
    level = logger.level
    workspace = Workspace(config_dir)
    logger.setLevel(level)  # A workspace sets the level that a command was given; here it is the program's.
    idle = _idle.setdefault(workspace.config_dir.absolute(), [])
    try:
        scheduler = idle.pop()
    except IndexError:
        scheduler = workspace.open_scheduler()
    try:
        yield scheduler
    finally:
        idle.append(scheduler)


@atexit.register
def _close_schedulers() -> None:
    while _idle:
        _, schedulers = _idle.popitem()
        for scheduler in schedulers:
            scheduler.close()
