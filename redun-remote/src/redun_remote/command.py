"""The command line that starts a worker: written by executors, read by ``redun oneshot``."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from redun.utils import get_import_paths
from redun_remote.errors import WorkerSetupError

NEEDED_VERSION = ">=0.47.0"
"""What a worker's version of redun has to be, to understand the command line and the files."""

PROGRAM = ("redun", "--check-version", NEEDED_VERSION, "oneshot")
"""The worker as the command of an image that redun is installed in."""

MODULE = (sys.executable, "-m", "redun_remote.worker", "--check-version", NEEDED_VERSION)
"""The worker in this environment's own Python."""


@dataclass(frozen=True)
class Order:
    """What a worker is to do.

    Attributes
    ----------
    load_module, task_name : str
        The module that defines the task, and the task's full name.
    input, output, error : str
        The paths of the files; those of the array, for a job of one. Empty where arguments are given otherwise, the
        result is to be printed, or an error is only to be shown.
    task_hash : str or None
        The hash of the task's definition; a worker with another definition refuses to run it.
    import_paths : tuple of str
        Folders in which modules are looked for first, relative to where the worker runs.
    code : str or None
        The path of a code package, to be unpacked where the worker runs.
    is_array : bool
        Whether the worker is a job of an array, and the environment says which.
    index_variable : str or None
        The environment variable that says so, if it is none of the usual ones.
    no_cache : bool
        Whether an output that is there already is not to be taken.
    heartbeat : float
        How often the worker says that it is alive, in seconds; 0 for never.
    """

    load_module: str
    task_name: str
    input: str
    output: str
    error: str
    task_hash: str | None = None
    import_paths: tuple[str, ...] = ()
    code: str | None = None
    is_array: bool = False
    index_variable: str | None = None
    no_cache: bool = False
    heartbeat: float = 0.0


def render_order(order: Order, program: Sequence[str] = PROGRAM) -> list[str]:
    """Return the command line of a worker, word by word.

    Parameters
    ----------
    order
        What it is to do.
    program
        The words that start the worker: `PROGRAM` in an image, `MODULE` on this machine.

    Examples
    --------
    >>> order = Order("workflow", "demo.add", "jobs/1/input", "jobs/1/output", "jobs/1/error", no_cache=True)
    >>> print(*render_order(order))
    redun --check-version >=0.47.0 oneshot workflow --no-cache \
--input jobs/1/input --output jobs/1/output --error jobs/1/error demo.add
    """
    words = [*program, order.load_module]
    for path in order.import_paths:
        words += ["--import-path", path]
    if order.code is not None:
        words += ["--code", order.code]
    if order.is_array:
        words.append("--array-job")
    if order.index_variable is not None:
        words += ["--array-rank-env", order.index_variable]
    if order.no_cache:
        words.append("--no-cache")
    if order.task_hash is not None:
        words += ["--task-hash", order.task_hash]
    if order.heartbeat:
        words += ["--heartbeat", f"{order.heartbeat:g}"]
    return [*words, "--input", order.input, "--output", order.output, "--error", order.error, order.task_name]


_FLAGS = {"--array-job": "is_array", "--no-cache": "no_cache"}
_OPTIONS = {
    "--input": "input",
    "--output": "output",
    "--error": "error",
    "--code": "code",
    "--array-rank-env": "index_variable",
    "--task-hash": "task_hash",
    "--heartbeat": "heartbeat",
}


def parse_order(words: Sequence[str]) -> tuple[Order, str | None]:
    """Return what a worker is to do, and the version that it needs, from the words that `render_order` wrote.

    This is the command of the worker's own module, which is read without a library, since every job starts with it.

    Raises
    ------
    WorkerSetupError
        When they are no such command line.

    Examples
    --------
    >>> order = Order("workflow", "demo.add", "in", "out", "err", import_paths=("src", "."), is_array=True)
    >>> parse_order(render_order(order, ["--check-version", ">=0.47"])) == (order, ">=0.47")
    True
    """
    given: dict[str, Any] = {}
    import_paths: list[str] = []
    names: list[str] = []
    requirement = None
    rest = iter(words)
    try:
        for word in rest:
            if word in _FLAGS:
                given[_FLAGS[word]] = True
            elif word in _OPTIONS:
                given[_OPTIONS[word]] = next(rest)
            elif word == "--import-path":
                import_paths.append(next(rest))
            elif word == "--check-version":
                requirement = next(rest)
            elif word.startswith("--"):
                raise WorkerSetupError(f"a worker does not know the option {word!r}: it is of another version of redun")
            else:
                names.append(word)
        load_module, task_name = names
        heartbeat = float(given.pop("heartbeat", 0))
        return Order(
            load_module, task_name, import_paths=tuple(import_paths), heartbeat=heartbeat, **given
        ), requirement
    except (StopIteration, TypeError, ValueError) as error:
        raise WorkerSetupError(
            f"{' '.join(words)!r} is no command line of a worker; `redun oneshot --help` shows one"
        ) from error


def list_import_paths(base: str | None = None) -> tuple[str, ...]:
    """Return the import paths of this program for a worker that runs elsewhere.

    Those below the folder from which the code is packed are relative to it; others are as they are here, and of use to
    a worker of the same machine only.

    Parameters
    ----------
    base
        That folder; the working directory by default.
    """
    folder = Path(base or Path.cwd()).resolve()
    paths = []
    for path in get_import_paths():
        full = Path(path).resolve()
        paths.append(os.path.relpath(full, folder) if full.is_relative_to(folder) else str(full))
    return tuple(paths)
