"""Jobs that are programs of this machine: what the executors have in common that start one for each call.

A worker thread of a pool has one job at a time. It stages the call, runs a program to its end, and collects what the
job left; a call that is cancelled ends with its program.
"""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, ClassVar

from redun.executors.base import Call, Executor
from redun.executors.pool import Runner, WorkerPool
from redun.executors.program import Program
from redun.scripting import ScriptError
from redun_remote.code_package import CodeOptions, CodeSource
from redun_remote.command import PROGRAM, list_import_paths
from redun_remote.endings import describe_exit
from redun_remote.jobs import StagedCall, collect, discard, has_output, locate_call, make_command, stage_call
from redun_value_file.schemes import LOCAL, get_proto, local_path


@dataclass(frozen=True)
class LocalJobOptions(CodeOptions):
    """Options of executors whose jobs are programs of this machine."""

    scratch: str = field(
        default="scratch", metadata={"help": "the scratch space; a path is relative to the configuration folder"}
    )
    max_workers: int = field(default=4, metadata={"help": "how many tasks run at the same time", "minimum": 1})
    heartbeat: float = field(
        default=0.0, metadata={"help": "how often a task says that it runs, in seconds; 0 for never", "minimum": 0}
    )
    config_dir: str | None = field(default=None, metadata={"help": "set by redun: the configuration folder"})


class LocalJobExecutor(Executor):
    """Base of executors that start a program for each call.

    Attributes
    ----------
    scratch : str
        The scratch space, as workers name it.
    worker : Sequence of str
        The words that start a worker where the jobs run.
    """

    options_type: ClassVar[type[Any]] = LocalJobOptions
    options: LocalJobOptions
    worker: Sequence[str] = PROGRAM

    def __init__(
        self, name: str, options: LocalJobOptions | None = None, *, config: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(name, options, config=config)
        self.scratch = resolve_path(self.options.scratch, self.options.config_dir)
        self._pool: WorkerPool | None = None

    @abstractmethod
    def run_program(self, program: Program, staged: StagedCall, command: Sequence[str]) -> None:
        """Run the command of a job to its end.

        Parameters
        ----------
        program
            What to run it with, so that it can be stopped.
        staged
            The call.
        command
            The words of the command.

        Raises
        ------
        ScriptError
            When it ends with another exit code than 0.
        ExecutorError
            When it failed for a reason that the executor knows better.
        """

    @abstractmethod
    def launch_program(self, staged: StagedCall, command: Sequence[str]) -> str:
        """Start the command of a job that is left alone, and return what the job is called."""

    def launch(self, call: Call) -> str:
        staged = stage_call(self.scratch, call)
        code = self.send_code()
        sent = None if code is None or call.is_script else code.provide()
        command = make_command(staged, self.worker, sent, heartbeat=self.options.heartbeat)
        return f"{self.launch_program(staged, command)}; its files are in {os.path.dirname(staged.files.input)}"

    def send_code(self) -> CodeSource | None:
        """Return where workers get the code from; None if it is where they run."""
        return CodeSource(self.scratch, self.options)

    def submit(self, call: Call) -> Future[Any]:
        return self.submit_many([call])[0]

    def submit_many(self, calls: Sequence[Call]) -> Sequence[Future[Any]]:
        if self._pool is None:
            code, import_paths = self.send_code(), list_import_paths()
            self._pool = WorkerPool(
                f"redun-{self.name}", self.options.max_workers, lambda: _JobRunner(self, code, import_paths)
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

    def __init__(self, executor: LocalJobExecutor, code: CodeSource | None, import_paths: Sequence[str]) -> None:
        self._executor = executor
        self._code = code
        self._import_paths = import_paths

    def run(self, call: Call) -> Any:
        self._program = Program(f"the job of task {call.task_name}", f"Output Job {call.job_id[:8]}: ")
        try:
            earlier = locate_call(self._executor.scratch, call)
            if call.is_script and has_output(earlier):
                return collect(earlier, has_succeeded=True)
            staged = stage_call(self._executor.scratch, call)
            try:
                return self._run_job(self._program, staged)
            finally:
                discard(staged)
        finally:
            self._program = None

    def _run_job(self, program: Program, staged: StagedCall) -> Any:
        executor = self._executor
        code = None if self._code is None or staged.call.is_script else self._code.provide()
        command = make_command(staged, executor.worker, code, self._import_paths, executor.options.heartbeat)
        failure = None
        try:
            executor.run_program(program, staged, command)
        except ScriptError as error:
            failure = error
        if failure is None:
            return collect(staged, has_succeeded=True)
        lines = failure.list_lines()
        return collect(staged, has_succeeded=False, reason=describe_exit(failure.exit_code, lines), logs=lines)


def resolve_path(path: str, config_dir: str | None) -> str:
    """Return a path as programs elsewhere on this machine can name it; a local one is below the configuration folder.

    Examples
    --------
    >>> resolve_path("s3://bucket/redun", "/project/.redun"), resolve_path("scratch", "/project/.redun")
    ('s3://bucket/redun', '/project/.redun/scratch')
    """
    if get_proto(path) != LOCAL:
        return path
    return os.path.abspath(os.path.join(config_dir or ".", local_path(path)))
