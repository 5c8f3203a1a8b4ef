"""Each call in a new process of this machine, through a scratch space: all of remote work but the other machine.

The process runs in a folder of its own, into which the code package is unpacked, so what works here works elsewhere.
"""

from __future__ import annotations

import shlex
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from redun.executors.program import Program, make_environment
from redun.scripting import SCRATCH_VARIABLE
from redun_remote.code_package import CodeSource
from redun_remote.command import MODULE
from redun_remote.jobs import StagedCall
from redun_remote.local_jobs import LocalJobExecutor, LocalJobOptions

_LEAVE_ALONE = '"$@" >/dev/null 2>&1 & echo $!'
"""Starts a program that is no child of anybody, and says its number."""


@dataclass(frozen=True)
class SubprocessOptions(LocalJobOptions):
    """Options of the subprocess executor."""

    work_dir: str | None = field(
        default=None,
        metadata={"help": "where tasks run, having the code; default a new folder for each, with the code package"},
    )


class SubprocessExecutor(LocalJobExecutor):
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
    worker = MODULE

    def __init__(self, name: str = "subprocess", options: SubprocessOptions | None = None) -> None:
        super().__init__(name, options or SubprocessOptions())

    def send_code(self) -> CodeSource | None:
        return None if self.options.work_dir else super().send_code()

    def launch_program(self, staged: StagedCall, command: Sequence[str]) -> str:
        folder = self.options.work_dir or tempfile.mkdtemp(prefix="redun-launch-")
        words = ["/bin/sh", "-c", _LEAVE_ALONE, "redun", *command]
        done = subprocess.run(
            words,
            cwd=folder,
            env=make_environment(),
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            check=True,
        )
        return f"process {done.stdout.decode().strip()}"

    def run_program(self, program: Program, staged: StagedCall, command: Sequence[str]) -> None:
        work_dir = self.options.work_dir
        folder = f'"${SCRATCH_VARIABLE}"' if work_dir is None else shlex.quote(str(Path(work_dir).absolute()))
        program.run(f"#!/bin/sh\ncd {folder} && exec {shlex.join(command)}\n")
