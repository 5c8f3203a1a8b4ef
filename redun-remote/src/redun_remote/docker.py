"""Each call in a container of this machine, by the command line of docker or of a program like it.

A container has a name, so that it can be asked why it ended, and removed however that was. A local scratch space is
mounted at its own path; one in a store is reached with the AWS credentials of this program, which are handed over by
their names, so that no command line has them.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import uuid4

from redun.errors import ConfigError, ExecutorError, OutOfMemoryError
from redun.executors.program import Program
from redun.executors.transport import make_user_error
from redun.scripting import ScriptError
from redun_remote.jobs import StagedCall
from redun_remote.local_jobs import LocalJobExecutor, LocalJobOptions, resolve_path
from redun_value_file.schemes import LOCAL, get_proto

_DAEMON_FAILED, _KILLED = 125, 137
_AWS_VARIABLES = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_ENDPOINT_URL",
)
_OF_THE_MACHINE = ("iam-role", "container-role")


@dataclass(frozen=True, kw_only=True)
class DockerOptions(LocalJobOptions):
    """Options of the docker executor; those of a container may be given for a task, too."""

    image: str = field(metadata={"help": "the image, which has redun-remote and redun-cli; for scripts bash is enough"})
    vcpus: float = field(default=1, metadata={"help": "how many processors a container gets", "minimum": 0.01})
    gpus: int = field(default=0, metadata={"help": "whether a container gets the GPUs: 0 for none", "minimum": 0})
    memory: float = field(default=4, metadata={"help": "how much memory a container gets, in GB", "minimum": 0.01})
    shared_memory: float | None = field(default=None, metadata={"help": "the size of /dev/shm, in GB", "minimum": 0})
    volumes: str = field(
        default="[]",
        metadata={"help": "folders to mount, as JSON: [[host, container], ...]; of the host also relative"},
    )
    interactive: bool = field(
        default=False, metadata={"help": "whether a container has the terminal, to debug a task; one at a time"}
    )
    include_aws_env: bool = field(default=True, metadata={"help": "whether a container gets the AWS credentials"})
    docker: str = field(default="docker", metadata={"help": "the program that runs containers, podman for example"})
    job_monitor_interval: float = field(
        default=0.2, metadata={"help": "read by no part of this executor; accepted because configurations have it"}
    )

    def __post_init__(self) -> None:
        _read_volumes(self.volumes)


class DockerExecutor(LocalJobExecutor):
    """Runs each call in a container.

    Parameters
    ----------
    name
        The name that tasks ask for with option ``executor``.
    options
        The image, and what a container gets.
    """

    options_type = DockerOptions
    options: DockerOptions

    def __init__(
        self, name: str, options: DockerOptions | None = None, *, config: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(name, options, config=config)

    def start(self) -> None:
        if shutil.which(self.options.docker) is None:
            raise ExecutorError(
                f"executor {self.name!r} needs the program {self.options.docker!r}, which is not on the path; "
                "install it, or name another one by option docker"
            )

    def run_program(self, program: Program, staged: StagedCall, command: Sequence[str]) -> None:
        container, settings = _name_container(staged), read_settings(self.options, staged.call.options)
        secrets = find_credentials() if self.options.include_aws_env else {}
        words = render_run(self.options, settings, self.scratch, container, sorted(secrets), command)
        try:
            if self.options.interactive:
                _run_in_terminal(words, secrets)
            else:
                exports = [f"export {name}={shlex.quote(value)}" for name, value in secrets.items()]
                program.run("\n".join(["#!/bin/sh", *exports, f"exec {shlex.join(words)}"]))
        except ScriptError as error:
            self._explain(error, staged, container, settings)
            raise
        finally:
            self._ask("rm", "--force", container)

    def launch_program(self, staged: StagedCall, command: Sequence[str]) -> str:
        container, settings = _name_container(staged), read_settings(self.options, staged.call.options)
        secrets = find_credentials() if self.options.include_aws_env else {}
        options = replace(self.options, interactive=False)
        run = render_run(options, settings, self.scratch, container, sorted(secrets), command)
        words = [*run[:2], "--detach", "--rm", *run[2:]]
        done = subprocess.run(words, env={**os.environ, **secrets}, capture_output=True, text=True)
        if done.returncode:
            problem = (done.stderr.strip().splitlines() or [""])[-1]
            raise ExecutorError(f"the container of task {staged.call.task_name} could not be started: {problem}")
        return f"container {container}"

    def _explain(self, error: ScriptError, staged: StagedCall, container: str, settings: Mapping[str, Any]) -> None:
        """Raise what the engine knows about a failed container, if that is more than its exit code."""
        task = staged.call.task_name
        if error.exit_code == _DAEMON_FAILED:
            last = next(iter(error.list_lines()[-1:]), "")
            raise ExecutorError(f"the container of task {task} could not be started: {last}") from None
        if error.exit_code == _KILLED and self._ask("inspect", "--format", "{{.State.OOMKilled}}", container) == "true":
            raise OutOfMemoryError(
                f"task {task} used more memory than its container has: option memory is {settings['memory']:g} GB"
            ) from None

    def _ask(self, *words: str) -> str:
        """Return what the engine answers, nothing if it fails."""
        done = subprocess.run([self.options.docker, *words], capture_output=True, text=True, stdin=subprocess.DEVNULL)
        return done.stdout.strip() if done.returncode == 0 else ""


def _name_container(staged: StagedCall) -> str:
    return f"redun-job-{staged.call.eval_hash[:12]}-{uuid4().hex[:8]}"


def read_settings(options: DockerOptions, task_options: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a container gets: the executor's options, and those of the task in their place.

    Raises
    ------
    ExecutorError
        When an option of the task has no valid value.
    """
    names = ("image", "vcpus", "gpus", "memory", "shared_memory", "volumes")
    settings = {name: task_options.get(name, getattr(options, name)) for name in names}
    for name in ("vcpus", "gpus", "memory", "shared_memory"):
        value = settings[name]
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not (is_number and value >= 0) and not (name == "shared_memory" and value is None):
            raise make_user_error(f"task option {name}={value!r} must be a number, 0 or more")
    if not isinstance(settings["image"], str) or not settings["image"] or settings["image"].startswith("-"):
        raise make_user_error(f"task option image={settings['image']!r} must be the name of an image")
    try:
        settings["volumes"] = _read_volumes(settings["volumes"])
    except ConfigError as error:
        raise make_user_error(f"task option {error}") from None
    return settings


def render_run(
    options: DockerOptions,
    settings: Mapping[str, Any],
    scratch: str,
    container: str,
    variables: Sequence[str],
    command: Sequence[str],
) -> list[str]:
    """Return the command line that runs a container, word by word.

    Parameters
    ----------
    options
        The executor's options.
    settings
        What the container gets.
    scratch
        The scratch space, to be mounted if it is a local one.
    container
        The container's name.
    variables
        The environment variables that it gets from this program, by name.
    command
        What it runs.

    Examples
    --------
    >>> options = DockerOptions(image="my-image", memory=0.5)
    >>> words = render_run(options, read_settings(options, {"vcpus": 2}), "s3://b/redun", "job-1", [], ["ls"])
    >>> print(*words)
    docker run --name job-1 --memory=512m --cpus=2 my-image ls
    """
    words = [options.docker, "run", "--name", container]
    words += ["-i", "-t"] if options.interactive else []
    for name in variables:
        words += ["--env", name]
    mounts = list(settings["volumes"])
    if get_proto(scratch) == LOCAL:
        os.makedirs(scratch, exist_ok=True)
        mounts.append((scratch, scratch))
    for host, inside in mounts:
        words += ["--volume", f"{resolve_path(host, options.config_dir)}:{inside}"]
    words += [f"--memory={_size(settings['memory'])}", f"--cpus={settings['vcpus']:g}"]
    words += [f"--shm-size={_size(settings['shared_memory'])}"] if settings["shared_memory"] else []
    words += ["--gpus", "all"] if settings["gpus"] else []
    return [*words, settings["image"], *command]


def find_credentials() -> Mapping[str, str]:
    """Return the environment variables by which a container reaches AWS as this program does.

    Credentials that this machine has for itself are left out, since a container finds them as well.
    """
    found = {name: os.environ[name] for name in _AWS_VARIABLES if os.environ.get(name)}
    if "AWS_ACCESS_KEY_ID" in found or not _has_profile():
        return found
    try:
        import boto3
    except ImportError:
        return found
    credentials = boto3.session.Session().get_credentials()
    if credentials is None or credentials.method in _OF_THE_MACHINE:
        return found
    frozen = credentials.get_frozen_credentials()
    values = (frozen.access_key, frozen.secret_key, frozen.token)
    return {**found, **{name: value for name, value in zip(_AWS_VARIABLES, values, strict=False) if value}}


def _has_profile() -> bool:
    """Whether the user has set AWS up; without, looking for credentials takes seconds on some machines."""
    files = os.environ.get("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials"), "~/.aws/config"
    return "AWS_PROFILE" in os.environ or any(os.path.exists(os.path.expanduser(path)) for path in files)


def _run_in_terminal(words: Sequence[str], secrets: Mapping[str, str]) -> None:
    done = subprocess.run(words, env={**os.environ, **secrets})
    if done.returncode:
        raise ScriptError(b"", done.returncode if done.returncode > 0 else 128 - done.returncode)


def _read_volumes(volumes: Any) -> list[tuple[str, str]]:
    """Return pairs of a folder and where a container has it, given as such or as JSON."""
    try:
        pairs = json.loads(volumes) if isinstance(volumes, str) else volumes
        read = [(host, inside) for host, inside in pairs]
    except (ValueError, TypeError):
        read = None
    if read is None or not all(isinstance(path, str) and path and ":" not in path for pair in read for path in pair):
        raise ConfigError(f'volumes = {volumes!r} must be a list of pairs, as in [["data", "/data"]]')
    return read


def _size(gigabytes: float) -> str:
    return f"{gigabytes:g}g" if float(gigabytes).is_integer() else f"{round(gigabytes * 1024)}m"
