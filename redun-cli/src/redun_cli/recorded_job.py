"""A recorded job made ready to be run again by hand: its function, as it is today or as it was, and its arguments."""

from __future__ import annotations

import ast
import linecache
import sys
import textwrap
from collections.abc import Callable, Iterator, Sequence
from difflib import unified_diff
from inspect import iscoroutinefunction
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import click

from redun.backends.base import JobCall
from redun.errors import RedunError
from redun.registry import get_task_registry
from redun.task import Task
from redun_cli.past_arguments import PastArguments


class RecordedFunction(NamedTuple):
    """What a job ran, to be run again.

    Attributes
    ----------
    func
        The function.
    notes
        What is to be said before: whether it is not the one that the job ran.
    """

    func: Callable[..., Any]
    notes: Sequence[str]

    @property
    def is_coroutine(self) -> bool:
        """Whether it has to be awaited."""
        return iscoroutinefunction(self.func)


def find_script(call: JobCall) -> str:
    """Return the script or module that the execution of a job was started with.

    Raises
    ------
    RedunError
        When it was started in another way, or from another directory.
    """
    from redun_cli.commands.run import run

    words = list(call.exec_argv)
    script: str | None = None
    if "run" in words:
        with run.make_context("run", words[words.index("run") + 1 :], resilient_parsing=True) as context:
            script = context.params["script"]
    if script is None:
        raise RedunError(f"job {call.job_id[:8]} was not started by `redun run`: name its script with --script")
    if script.endswith(".py") and not Path(script).is_file():
        raise RedunError(
            f"job {call.job_id[:8]} was run by the script {script}, which is not here: "
            "go to where it is, or name another one with --script"
        )
    return script


def find_function(call: JobCall, module: ModuleType, is_recorded: bool) -> RecordedFunction:
    """Return the function of a recorded job.

    Parameters
    ----------
    call
        The job.
    module
        The module of its script, imported.
    is_recorded
        Whether the source that was recorded is wanted, in place of today's.

    Raises
    ------
    RedunError
        When there is none.
    """
    task = get_task_registry().get(call.task_name)
    if is_recorded:
        home = module if task is None else _find_home(task, module)
        return RecordedFunction(compile_source(call.source, call.task_name, home), ())
    if task is None:
        raise RedunError(
            f"there is no task {call.task_name} in {module.__name__} any more: --recorded runs it as it was"
        )
    if task.source == call.source or not call.source:
        return RecordedFunction(task.func, ())
    note = f"Task {call.task_name} has changed since: this runs it as it is today, --recorded as it was."
    return RecordedFunction(task.func, (note, *_describe_change(call.source, task.source)))


def _find_home(task: Task[..., Any], module: ModuleType) -> ModuleType:
    return sys.modules.get(task.load_module, module)


def _describe_change(before: str, after: str) -> Iterator[str]:
    lines = unified_diff(before.splitlines(), after.splitlines(), "recorded", "today", lineterm="")
    return (f"  {line}" for line in lines)


def compile_source(source: str, task_name: str, module: ModuleType) -> Callable[..., Any]:
    """Return the function that a recorded source defines, with the names of a module.

    Raises
    ------
    RedunError
        When the source is no definition of a function, as that of a lambda or a task made by a program.
    """
    text = textwrap.dedent(source)
    place = f"<recorded {task_name}>"
    try:
        tree = ast.parse(text, place)
    except SyntaxError:
        tree = ast.Module([], [])
    definition = tree.body[0] if tree.body else None
    if not isinstance(definition, ast.FunctionDef | ast.AsyncFunctionDef):
        raise RedunError(f"what is recorded of task {task_name} is no definition of a function: it can't be run alone")
    linecache.cache[place] = (len(text), None, text.splitlines(keepends=True), place)
    names = dict(vars(module))
    exec(compile(tree, place, "exec"), names)  # noqa: S102
    found: Callable[..., Any] = names[definition.name]
    return found


def call_function(function: RecordedFunction, arguments: PastArguments) -> Any:
    """Call the function of a job, to its end."""
    if function.is_coroutine:
        import asyncio

        return asyncio.run(function.func(*arguments.args, **arguments.kwargs))
    return function.func(*arguments.args, **arguments.kwargs)


def show_notes(function: RecordedFunction) -> None:
    """Say what is to be said of a function before it runs."""
    for note in function.notes:
        click.echo(note, err=True)
