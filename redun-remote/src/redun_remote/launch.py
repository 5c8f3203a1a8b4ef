"""Starting a command on an executor: to be left alone there, or to be waited for.

A command that is left alone is recorded nowhere. One that is waited for is a call of the task ``redun.script_task``.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from redun.config import Config
from redun.errors import ExecutorError
from redun.executors.base import Call, Executor, Origin
from redun.hashing import hash_struct
from redun.ids import new_id
from redun.options import EMPTY_OPTIONS
from redun.scheduler.setup import Executors
from redun.scripting import join_words
from redun_remote.code_package import CodeOptions, find_code_files, pack_code, upload_code
from redun_value_file.filesystems import shell_copy
from redun_value_file.scripts import script_task


def launch_script(
    config: Config,
    script_command: str | Sequence[str],
    executor: Executor | None = None,
    executor_name: str | None = None,
    task_options: Mapping[str, Any] = EMPTY_OPTIONS,
    execution_id: str | None = None,
) -> str:
    """Start a command on an executor and leave it alone; return what it is called there.

    Parameters
    ----------
    config
        The configuration, which has the executor.
    script_command
        The command: a text for a shell, or a list of words.
    executor, executor_name
        The executor, ready for calls, or its name.
    task_options
        Options of the job, such as ``memory``.
    execution_id
        What the job is named after, besides its command; a new id by default.

    Raises
    ------
    ExecutorError
        When there is neither an executor nor its name, or its jobs end with this process.
    """
    if (executor is None) == (executor_name is None):
        raise ExecutorError("launch_script() takes an executor or the name of one")
    call = make_script_call(join_words(script_command), task_options, execution_id or new_id())
    if executor is not None:
        return executor.launch(call)
    executors = Executors(config)
    try:
        return executors.start(str(executor_name)).launch(call)
    finally:
        executors.stop()


def make_script_call(command: str, task_options: Mapping[str, Any], execution_id: str) -> Call:
    """Return the call of a script that belongs to no execution of this process."""
    task = script_task
    address = hash_struct(["launch", command, execution_id])
    options = {**task.get_task_options(), **task_options}
    module, origin = task.load_module, Origin(execution_id)
    return Call(task.fullname, task.func, (command,), {}, options, address, execution_id, module, True, origin=origin)


def add_code(command: str, scratch: str, options: CodeOptions = CodeOptions()) -> str:
    """Return a command that first unpacks the code of this folder, which is uploaded.

    Parameters
    ----------
    command
        The command.
    scratch
        The scratch space to which the code is uploaded.
    options
        What is code.
    """
    folder = os.getcwd()
    path = upload_code(scratch, pack_code(folder, find_code_files(folder, options)))
    return f"{shell_copy(path, None)} | tar xzf -\n{command}"
