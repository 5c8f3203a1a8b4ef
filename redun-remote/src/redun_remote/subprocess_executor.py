"""Each call in a new process of this machine, through a scratch space: all of remote work but the other machine.

The process runs in a folder of its own, into which the code package is unpacked, so what works here works elsewhere.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from redun.executors.base import Call, Executor
from redun.executors.pool import Runner, WorkerPool
from redun.executors.program import Program
from redun.scripting import SCRATCH_VARIABLE, ScriptError
from redun_remote.code_package import CodeOptions, CodeSource
from redun_remote.command import MODULE, list_import_paths
from redun_remote.endings import describe_exit
from redun_remote.jobs import StagedCall, collect, discard, has_output, locate_call, make_command, stage_call
from redun_value_file.schemes import LOCAL, get_proto, local_path


@dataclass(frozen=True)
class SubprocessOptions(CodeOptions):
    """Options of the subprocess executor."""

    scratch: str = field(
        default="scratch", metadata={"help": "the scratch space; a path is relative to the configuration folder"}
    )
    max_workers: int = field(default=4, metadata={"help": "how many tasks run at the same time", "minimum": 1})
    work_dir: str | None = field(
        default=None,
        metadata={
            "help": "where tasks run, with code of its own; default a new folder for each, with the code package"
        },
    )
    heartbeat: float = field(
        default=0.0,
        metadata={"help": "how often a task says that it still runs, in seconds; 0 for never", "minimum": 0},
    )
    config_dir: str | None = field(default=None, metadata={"help": "set by redun: the configuration folder"})


class SubprocessExecutor(Executor):
    """Runs each call in a new process, with its arguments and its result in a scratch space.

    Parameters
    ----------
    name
        The name that tasks ask for with option ``executor``.
    options
        Where the scratch space is, and what is sent there.
    """

    options_type = SubprocessOptions
    options: SubprocessOptions

    def __init__(self, name: str = "subprocess", options: SubprocessOptions | None = None) -> None:
        super().__init__(name, options)
        self._pool: WorkerPool | None = None
        self._scratch = resolve_scratch(self.options.scratch, self.options.config_dir)

    def submit(self, call: Call) -> Future[Any]:
        return self.submit_many([call])[0]

    def submit_many(self, calls: Sequence[Call]) -> Sequence[Future[Any]]:
        if self._pool is None:
            code = None if self.options.work_dir else CodeSource(self._scratch, self.options)
            paths = list_import_paths()
            self._pool = WorkerPool(
                f"redun-{self.name}",
                self.options.max_workers,
                lambda: _JobRunner(self._scratch, self.options, code, paths),
            )
        futures: list[Future[Any]] = [Future() for _ in calls]
        self._pool.submit(list(zip(calls, futures, strict=True)))
        return futures

    def cancel(self, future: Future[Any]) -> bool:
        return future.cancel() or (self._pool is not None and self._pool.cancel(future))

    def supports(self, feature: str) -> bool:
        return feature == "script"

    def stop(self) -> None:
        if self._pool is not None:
            pool, self._pool = self._pool, None
            pool.stop()


class _JobRunner(Runner):
    """Runs the jobs of one worker thread, one after the other."""

    def __init__(
        self, scratch: str, options: SubprocessOptions, code: CodeSource | None, import_paths: Sequence[str]
    ) -> None:
        self._scratch = scratch
        self._options = options
        self._code = code
        self._import_paths = import_paths

    def run(self, call: Call) -> Any:
        name = f"the job of task {call.task_name}"
        self._program = program = Program(name, f"Output Job {call.job_id[:8]}: ")
        try:
            staged = locate_call(self._scratch, call)
            if call.is_script and has_output(staged):
                return collect(staged, has_succeeded=True)
            staged = stage_call(self._scratch, call)
            try:
                return self._run_job(program, staged)
            finally:
                discard(staged)
        finally:
            self._program = None

    def _run_job(self, program: Program, staged: StagedCall) -> Any:
        code = None if self._code is None or staged.call.is_script else self._code.provide()
        command = make_command(staged, MODULE, code, self._import_paths, self._options.heartbeat)
        failure = None
        try:
            program.run(self._render_start(command))
        except ScriptError as error:
            failure = error
        if failure is None:
            return collect(staged, has_succeeded=True)
        lines = failure.list_lines()
        return collect(staged, has_succeeded=False, reason=describe_exit(failure.exit_code, lines), logs=lines)

    def _render_start(self, command: Sequence[str]) -> str:
        """Return the shell commands that run a command in its folder, as the process itself."""
        work_dir = self._options.work_dir
        folder = f'"${SCRATCH_VARIABLE}"' if work_dir is None else shlex.quote(str(Path(work_dir).absolute()))
        return f"#!/bin/sh\ncd {folder} && exec {shlex.join(command)}\n"


def resolve_scratch(scratch: str, config_dir: str | None) -> str:
    """Return a scratch space as workers can name it: a local path is made absolute, from the configuration folder."""
    if get_proto(scratch) != LOCAL:
        return scratch
    return os.path.abspath(os.path.join(config_dir or ".", local_path(scratch)))
