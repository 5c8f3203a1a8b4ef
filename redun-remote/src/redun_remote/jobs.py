"""A call on its way to a worker and back, as its executor sees it.

An executor *stages* a call, which writes its input; starts the command line that `make_command` gives; and, when the
platform says that the job has ended, *collects* what it left. That is the same for tasks and for scripts; arrays are of
tasks only. All of it may be done on any thread, and takes as long as the store does. Every function may be called
again: staging writes the same files, and collecting changes nothing.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, NamedTuple
from uuid import uuid4

from redun.errors import ExecutorError
from redun.executors.base import Call, settle
from redun.executors.transport import make_user_error
from redun.registry import get_task_registry
from redun_remote.command import PROGRAM, Order, list_import_paths, render_order
from redun_remote.errors import JobLostError, OutputNotFoundError, ScratchError
from redun_remote.formats import dump_array_input, dump_input, dump_paths, load_raised, load_result
from redun_remote.scratch import ArrayFiles, JobFiles, locate_array, locate_job
from redun_remote.script_job import OK, collect_script, read_status, render_input, wrap_script
from redun_remote.storage import exists, read_bytes, read_if_exists, remove, remove_folder, write_bytes


class StagedCall(NamedTuple):
    """A call whose input is in the scratch space.

    Attributes
    ----------
    call : Call
        The call.
    name : str
        The name of its job: the address of the call, with a part of its own if the call may not be answered by what
        an earlier one left.
    files : JobFiles
        Where its files are.
    """

    call: Call
    name: str
    files: JobFiles


class StagedArray(NamedTuple):
    """Calls of one task whose inputs are in the scratch space, in one file.

    Attributes
    ----------
    name : str
        The name of the array.
    files : ArrayFiles
        Where its files are.
    calls : Sequence[StagedCall]
        The calls by their index. Outputs and errors are collected from these, one by one.
    """

    name: str
    files: ArrayFiles
    calls: Sequence[StagedCall]


def locate_call(scratch: str, call: Call) -> StagedCall:
    """Return where the files of a call are, or are to be. Nothing is written.

    A call that may be answered by what an earlier execution left has one place; another one has a new place each time.
    """
    name = call.eval_hash if call.may_reuse else f"{call.eval_hash}-{uuid4().hex[:8]}"
    return StagedCall(call, name, locate_job(scratch, name))


def stage_call(scratch: str, call: Call) -> StagedCall:
    """Write the input of a call, and remove the error that an earlier attempt left.

    The input of a task is its arguments; that of a script is its text, for which the task's function is called here.

    Raises
    ------
    ExecutorError
        When the task can't be found by name in another process, or an argument can't be pickled.
    OSError
        When the scratch space can't be written.
    """
    if not call.is_script:
        check_importable(call)
    staged = locate_call(scratch, call)
    write_bytes(staged.files.input, render_input(call) if call.is_script else dump_input(call))
    for path in (staged.files.error, staged.files.status) if call.is_script else (staged.files.error,):
        remove(path)
    return staged


def stage_array(scratch: str, calls: Sequence[Call]) -> StagedArray:
    """Write the inputs of calls of one task with the same options, and remove errors of earlier attempts.

    Raises
    ------
    ExecutorError
        When one of them can't be sent; none is staged then. Stage them one by one to find out which can.
    OSError
        When the scratch space can't be written.
    """
    check_importable(calls[0])
    name = uuid4().hex
    files = locate_array(scratch, name)
    staged = [locate_call(scratch, call) for call in calls]
    write_bytes(files.input, dump_array_input(calls))
    write_bytes(files.output, dump_paths([each.files.output for each in staged]))
    write_bytes(files.error, dump_paths([each.files.error for each in staged]))
    write_bytes(files.eval_hashes, "\n".join(each.name for each in staged).encode())
    for each in staged:
        remove(each.files.error)
    return StagedArray(name, files, staged)


def read_array_hashes(scratch: str, name: str) -> list[str]:
    """Return the names of the jobs of an array by their index, as another execution may have staged it.

    Raises
    ------
    OSError
        When they can't be read.
    """
    return read_bytes(locate_array(scratch, name).eval_hashes).decode().split("\n")


def make_command(
    staged: StagedCall | StagedArray,
    program: Sequence[str] = PROGRAM,
    code: str | None = None,
    import_paths: Sequence[str] | None = None,
    heartbeat: float = 0.0,
) -> list[str]:
    """Return the command line of a staged call, or that of each job of a staged array, word by word.

    Parameters
    ----------
    staged
        The call or the array.
    program
        The words that start a worker: `redun_remote.command.PROGRAM` in an image, ``MODULE`` on this machine. Scripts
        are run by bash.
    code
        The path of the code package, see `redun_remote.code_package.CodeSource`; None for an image with the code in it.
    import_paths
        Where the worker looks for modules first; by default as this program does.
    heartbeat
        How often the worker writes that it is alive, in seconds; 0 for never.

    Raises
    ------
    OSError
        When the text of a script can't be read.
    """
    if isinstance(staged, StagedCall) and staged.call.is_script:
        return wrap_script(read_bytes(staged.files.input).decode("utf-8", "surrogateescape"), staged.files)
    call = staged.calls[0].call if isinstance(staged, StagedArray) else staged.call
    task = get_task_registry().get(call.task_name)
    order = Order(
        call.load_module,
        call.task_name,
        staged.files.input,
        staged.files.output,
        staged.files.error,
        task_hash=None if task is None else task.hash,
        import_paths=tuple(list_import_paths() if import_paths is None else import_paths),
        code=code,
        is_array=isinstance(staged, StagedArray),
        no_cache=not call.may_reuse,
        heartbeat=heartbeat,
    )
    return render_order(order, program)


def has_output(staged: StagedCall) -> bool:
    """Whether a call has an output already, left by a job that finished after its scheduler was gone.

    That of a script can be collected. Whether that of a task still is valid, its worker decides: such a call is
    submitted as any other, and ends at once.
    """
    if not staged.call.may_reuse:
        return False
    if staged.call.is_script:
        status = read_status(staged.files.status)
        return status is not None and status[0] == OK
    return exists(staged.files.output)


def collect(staged: StagedCall, has_succeeded: bool, reason: str = "", logs: Sequence[str] = ()) -> Any:
    """Return the result of a call whose job has ended, or raise how it failed.

    Parameters
    ----------
    staged
        The call.
    has_succeeded
        Whether the platform says that the job has succeeded.
    reason
        How it ended otherwise, as in "it was killed by signal 9".
    logs
        The last lines that the job put out; shown with errors that have none of their own.

    Raises
    ------
    ScratchError
        When the output or the error is missing, damaged or denied.
    JobLostError
        When the job failed and left no error.
    BaseException
        What the task raised, of the same type, with its frames in ``redun_traceback``.
    """
    call = staged.call
    try:
        found = _collect_script(staged) if call.is_script else _collect_task(staged, has_succeeded)
        if isinstance(found, _Result):
            return found.value
        error = found
        if error is None:
            error = _missing_output(staged) if has_succeeded else _lost(call, reason)
    except ExecutorError as failure:
        error = failure
    except OSError as failure:
        error = ScratchError(f"the job of task {call.task_name} ended, and what it left can't be read: {failure}")
        error.__cause__ = failure
    if logs and not hasattr(error, "redun_logs"):
        error.redun_logs = list(logs)  # type: ignore[attr-defined]
    raise error


def settle_from(
    future: Future[Any], staged: StagedCall, has_succeeded: bool, reason: str = "", logs: Sequence[str] = ()
) -> None:
    """Settle the future of a call whose job has ended with what `collect` returns or raises."""
    try:
        result = collect(staged, has_succeeded, reason, logs)
    except BaseException as error:  # A task that exits fails its own call only.
        settle(future, error=error)
    else:
        settle(future, result)


def discard(staged: StagedCall) -> None:
    """Remove the files of a call that was collected, if no later call may be answered by them.

    What can't be removed is left; it does no harm.
    """
    if not staged.call.may_reuse:
        for path in staged.files:
            with suppress(OSError):
                remove(path)
        remove_folder(os.path.dirname(staged.files.input))


def check_importable(call: Call) -> None:
    """Fail unless a worker can find the task of a call by its module and name.

    Raises
    ------
    ExecutorError
        When it can't.
    """
    task = get_task_registry().get(call.task_name)
    problem = None
    if call.load_module == "__main__":
        problem = "it is defined in the program's main module"
    elif task is None or task.func is not call.func:
        problem = "it is not registered under its name"
    if problem:
        raise make_user_error(
            f"task {call.task_name} can't run on another machine: {problem}; "
            "define it in a module, and import that from the program"
        )


class _Result(NamedTuple):
    """What a call returned, which may be an error, too."""

    value: Any


def _collect_task(staged: StagedCall, has_succeeded: bool) -> _Result | BaseException | None:
    """Return what a call returned or raised; None if its job left neither."""
    path = staged.files.output if has_succeeded else staged.files.error
    data = read_if_exists(path)
    if data is None:
        return None
    return _Result(load_result(staged.call, data, path)) if has_succeeded else load_raised(staged.call, data, path)


def _collect_script(staged: StagedCall) -> _Result | BaseException | None:
    """Return what a script wrote, or how it failed, as it says itself; None if it left no status."""
    found = collect_script(staged.files)
    return _Result(found) if isinstance(found, bytes) else found


def _missing_output(staged: StagedCall) -> OutputNotFoundError:
    return OutputNotFoundError(
        f"the job of task {staged.call.task_name} ended without an error, and left no output at {staged.files.output}"
    )


def _lost(call: Call, reason: str) -> JobLostError:
    return JobLostError(
        f"task {call.task_name} lost its worker: {reason or 'the job failed'}, and left neither a result nor an error"
    )
