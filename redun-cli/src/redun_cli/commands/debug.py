"""``redun debug``: run a recorded job again here, in the debugger."""

from __future__ import annotations

import bdb
import pdb
import sys
import traceback
from contextlib import closing
from pprint import pprint
from types import TracebackType

import click

from redun.completing import complete_ids
from redun.expression import Expression
from redun.workspace import Workspace
from redun_cli.errors import WorkflowFailed
from redun_cli.past_arguments import PastArguments, find_job_call, read_arguments
from redun_cli.recorded_job import RecordedFunction, call_function, find_function, find_script, show_notes
from redun_cli.script import import_script

_MACHINERY = (__name__.partition(".")[0], "asyncio", "bdb", "pdb")


@click.command()
@click.argument("key", metavar="JOB", shell_complete=complete_ids)
@click.option("--script", metavar="SCRIPT", help="The file or module with the task; default that of the execution.")
@click.option("--recorded", is_flag=True, help="Run the source that was recorded, not the one that is there today.")
@click.option("--result", is_flag=True, help="Print what it returns, without the debugger.")
@click.pass_obj
def debug(workspace: Workspace, key: str, script: str | None, recorded: bool, result: bool) -> None:
    """Run a recorded job again here, in Python's debugger, with exactly the arguments that it had.

    JOB is the start of the id of a job, or of an execution for the call of its workflow; - is the latest execution and
    ~1 the one before. The debugger stops at the first line of the task's function, and where it fails; lines that are
    piped in are its commands. The function alone runs, in this process, whatever executor it had: calls of other tasks
    stay expressions. Nothing is recorded, but what the function does outside, to files for example, it does.

    Where the source has changed since, that is said. --recorded takes the one that was recorded, with the imports and
    other functions that its module has today.

    Arguments are unpickled, which runs code that whoever recorded them has chosen: debug only jobs of stores you trust.

    \b
    Examples:
      redun debug 3f2a9c                a job, as `redun log` shows its id
      redun debug -                     the workflow of the latest execution
      redun debug 3f2a9c --result       what it returns today
      redun debug 3f2a9c --recorded     as it was then
      redun debug 3f2a9c --script other/workflow.py
    """
    with closing(workspace.open_backend(create=False)) as backend:
        call = find_job_call(backend, key)
    module = import_script(script or find_script(call))
    function, arguments = find_function(call, module, recorded), read_arguments(call)
    show_notes(function)
    try:
        value = call_function(function, arguments) if result else _step(function, arguments)
    except bdb.BdbQuit:
        return
    except Exception as error:
        frames = _find_frames(error)
        lines = traceback.format_exception(type(error), error, frames)
        click.echo("".join(lines), err=True, nl=False)
        if not result and sys.stdin.isatty():
            pdb.post_mortem(frames)
        raise WorkflowFailed from error
    if isinstance(value, Expression):
        click.echo("It returns an expression, calls that a run would make:", err=True)
    if value is not None:
        pprint(value)


def _step(function: RecordedFunction, arguments: PastArguments) -> object:
    """Call a function in the debugger, from its first line on."""
    debugger = pdb.Pdb()
    if not function.is_coroutine:
        return debugger.runcall(function.func, *arguments.args, **arguments.kwargs)

    async def trace(*args: object, **kwargs: object) -> object:
        # What runcall does, but inside of the event loop, whose own steps nobody wants to see.
        debugger.reset()
        sys.settrace(debugger.trace_dispatch)
        try:
            return await function.func(*args, **kwargs)
        finally:
            sys.settrace(None)

    return call_function(function._replace(func=trace), arguments)


def _find_frames(error: BaseException) -> TracebackType | None:
    """Return the frames of an error from the task's function on."""
    frames = error.__traceback__
    while frames is not None and str(frames.tb_frame.f_globals.get("__name__")).partition(".")[0] in _MACHINERY:
        frames = frames.tb_next
    return frames
