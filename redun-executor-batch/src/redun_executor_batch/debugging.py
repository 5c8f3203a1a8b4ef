"""Trying jobs on this machine: in a container of the same image if there is Docker, else as a process."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import fields
from typing import Any

from redun.executors.base import Executor
from redun.logging import logger
from redun_executor_batch.options import BatchOptions
from redun_remote.code_package import CodeOptions
from redun_remote.docker import DockerExecutor, DockerOptions
from redun_remote.subprocess_executor import SubprocessExecutor, SubprocessOptions

_DOCKER = "docker"
_ASK_SECONDS = 10


def make_local_executor(name: str, options: BatchOptions) -> Executor:
    """Return an executor of this machine that runs calls as jobs of AWS Batch would.

    Parameters
    ----------
    name
        Its name.
    options
        The options of the jobs.
    """
    known: dict[str, Any] = {item.name: getattr(options, item.name) for item in fields(CodeOptions)}
    known |= {"scratch": options.debug_scratch, "config_dir": options.config_dir}
    if not has_docker():
        logger.info("AWS Batch: with debug = true and no Docker, jobs run as processes of this machine")
        return SubprocessExecutor(name, SubprocessOptions(**known))
    container = DockerOptions(
        image=options.image,
        vcpus=options.vcpus,
        gpus=options.gpus,
        memory=options.memory[-1],
        shared_memory=options.shared_memory,
        **known,
    )
    return DockerExecutor(name, container)


def has_docker() -> bool:
    """Whether there is Docker on this machine, and its engine runs."""
    program = shutil.which(_DOCKER)
    if program is None:
        return False
    try:
        done = subprocess.run([program, "info"], capture_output=True, timeout=_ASK_SECONDS)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
