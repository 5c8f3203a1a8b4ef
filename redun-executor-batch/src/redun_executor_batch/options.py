"""What can be configured for AWS Batch, for all jobs or for those of one task."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from redun.errors import ExecutorError, FailureKind
from redun.executors.base import Call
from redun_remote.code_package import CodeOptions
from redun_remote.errors import WorkerSetupError

NO_ROLE = "none"
MAX_DELAY = 3600.0
"""The longest delay before a call is tried again, in seconds."""

_RETRIED = (FailureKind.PREEMPTED.value, FailureKind.INFRASTRUCTURE.value)
"""The kinds of failures that a plain number of retries is for: those that are not the task's own."""


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


class Memory(tuple[float, ...]):
    """How much memory a job gets in GB: at first, and each time that it ran out of what it had.

    Parameters
    ----------
    value
        A number, several, or these as text.

    Raises
    ------
    ValueError
        When it is none of these.

    Examples
    --------
    >>> Memory("4"), Memory([4, 8, 16]), Memory("[0.5, 1]")
    ((4.0,), (4.0, 8.0, 16.0), (0.5, 1.0))
    """

    def __new__(cls, value: Any) -> Memory:
        """Read one."""
        if isinstance(value, str):
            value = json.loads(value if "[" in value or "," not in value else f"[{value}]")
        steps = tuple(value) if isinstance(value, Iterable) else (value,)
        if not steps or not all(_is_number(step) and step > 0 for step in steps):
            raise ValueError(f"memory is a number of GB, or several to be tried one after the other, not {value!r}")
        return super().__new__(cls, map(float, steps))


@dataclass(frozen=True, kw_only=True)
class BatchOptions(CodeOptions):
    """Options of the AWS Batch executor; most can be options of a task, too."""

    image: str = field(metadata={"help": "the image of the containers, with redun in it for tasks that are no scripts"})
    queue: str = field(metadata={"help": "the job queue"})
    s3_scratch: str = field(
        metadata={"help": "where inputs, outputs and code are exchanged, such as s3://bucket/redun"}
    )
    aws_region: str | None = field(
        default=None, metadata={"help": "the region; by default that of boto3, else us-west-2"}
    )
    role: str = field(
        default="",
        metadata={"help": "the role of jobs; by default ecsTaskExecutionRole of the account, none for no role"},
    )
    vcpus: float = field(default=1, metadata={"help": "how many processors a job gets", "minimum": 0})
    gpus: int = field(default=0, metadata={"help": "how many GPUs a job gets", "minimum": 0})
    memory: Memory = field(
        default=Memory(4.0),
        metadata={"help": "how much memory a job gets in GB; [4, 8] for more when it runs out of it"},
    )
    shared_memory: float | None = field(
        default=None, metadata={"help": "how large /dev/shm is in GB; by default as Docker has it"}
    )
    retries: int = field(
        default=1,
        metadata={"help": "how often a job is tried again that lost its machine or could not start", "minimum": 0},
    )
    timeout: float | None = field(
        default=None, metadata={"help": "how long an attempt may run, in seconds; AWS Batch takes 60 or more"}
    )
    privileged: bool = field(default=False, metadata={"help": "whether containers have the rights of their machine"})
    autocreate_job_def: bool = field(
        default=True, metadata={"help": "whether a job definition is registered when there is none that fits"}
    )
    autocreate_job: bool | None = field(default=None, metadata={"help": "an older name of autocreate_job_def"})
    job_def_name: str | None = field(
        default=None, metadata={"help": "the name of the job definition; by default made of that of the image"}
    )
    job_def_extra: dict[str, Any] = field(
        default_factory=dict, metadata={"help": "what else the job definition has, as a JSON object"}
    )
    batch_tags: dict[str, Any] = field(default_factory=dict, metadata={"help": "tags of jobs, as a JSON object"})
    default_batch_tags: bool = field(
        default=True, metadata={"help": "whether jobs have tags that say which task, execution and user they are of"}
    )
    num_nodes: int | None = field(
        default=None,
        metadata={"help": "on how many machines each job runs, as a multi-node job if several", "minimum": 1},
    )
    share_id: str | None = field(default=None, metadata={"help": "the share identifier, for queues that are shared"})
    scheduling_priority_override: int | None = field(
        default=None, metadata={"help": "the priority within the share identifier"}
    )
    job_name_prefix: str = field(default="redun-job", metadata={"help": "what the names of jobs begin with"})
    debug: bool = field(
        default=False, metadata={"help": "whether jobs run on this machine: in a container if there is Docker"}
    )
    debug_scratch: str = field(
        default="scratch", metadata={"help": "the scratch space of debug, relative to the configuration folder"}
    )
    job_monitor_interval: float = field(
        default=5.0, metadata={"help": "how often AWS is asked about jobs, in seconds", "minimum": 0}
    )
    job_stale_time: float = field(
        default=3.0, metadata={"help": "how long jobs wait for others to make an array with, in seconds", "minimum": 0}
    )
    min_array_size: int = field(
        default=5, metadata={"help": "how many jobs make an array at least; 0 for no arrays", "minimum": 0}
    )
    max_array_size: int = field(default=1000, metadata={"help": "how many jobs an array has at most", "minimum": 1})
    max_jobs: int | None = field(
        default=None, metadata={"help": "how many jobs are in AWS Batch at the same time at most", "minimum": 1}
    )
    max_vcpus: float | None = field(
        default=None, metadata={"help": "how many processors jobs in AWS Batch have together at most", "minimum": 0}
    )
    api_rate: float = field(
        default=20.0, metadata={"help": "how many requests of a kind are made per second at most", "minimum": 0.1}
    )
    api_patience: float = field(
        default=600.0,
        metadata={"help": "how long requests are repeated when AWS is busy or down, in seconds", "minimum": 0},
    )
    config_dir: str | None = field(default=None, metadata={"help": "set by redun: the configuration folder"})

    def __post_init__(self) -> None:
        if self.max_array_size < max(self.min_array_size, 1):
            raise ValueError(
                f"max_array_size = {self.max_array_size} is smaller than min_array_size = {self.min_array_size}"
            )
        if not self.creates_definitions and self.job_def_name is None:
            raise ValueError("autocreate_job_def = false needs job_def_name, the name of an existing job definition")
        if self.num_nodes == 1:  # A job of one machine is an ordinary one: it may be part of an array, for example.
            object.__setattr__(self, "num_nodes", None)

    @property
    def creates_definitions(self) -> bool:
        """Whether job definitions are registered."""
        return self.autocreate_job_def if self.autocreate_job is None else self.autocreate_job


_OF_TASKS: Mapping[str, type | tuple[type, ...]] = {
    "image": str,
    "queue": str,
    "role": str,
    "vcpus": (int, float),
    "gpus": int,
    "memory": (int, float, list, tuple),
    "shared_memory": (int, float),
    "timeout": (int, float),
    "privileged": bool,
    "autocreate_job_def": bool,
    "autocreate_job": bool,
    "job_def_name": str,
    "job_def_extra": dict,
    "batch_tags": dict,
    "default_batch_tags": bool,
    "num_nodes": int,
    "share_id": str,
    "scheduling_priority_override": int,
    "job_name_prefix": str,
    "debug": bool,
}


def apply_task_options(options: BatchOptions, call: Call) -> BatchOptions:
    """Return the options of a call's job: the configured ones, and above them those of its task.

    Raises
    ------
    ExecutorError
        When one has no valid value.
    """
    own: dict[str, Any] = {}
    for name, wanted in _OF_TASKS.items():
        value = call.options.get(name)
        if value is None:
            continue
        if not isinstance(value, wanted) or (isinstance(value, bool) and wanted is not bool):
            raise _wrong(call, name, value)
        own[name] = value
    for name in ("vcpus", "timeout", "num_nodes"):
        if own.get(name, 1) <= 0:
            raise _wrong(call, name, own[name])
    if "batch_tags" in own:
        own["batch_tags"] = {**options.batch_tags, **own["batch_tags"]}
    try:
        if "memory" in own:
            own["memory"] = Memory(own["memory"])
        return replace(options, **own) if own else options
    except ValueError as error:
        raise WorkerSetupError(f"task {call.task_name} can't run on AWS Batch: {error}") from None


def plan_retries(options: BatchOptions, call: Call) -> Mapping[str, int]:
    """Return how often a call is tried again, by kind of failure.

    A number is for failures that are not the task's own. Numbers by kind are taken as they are.

    Raises
    ------
    ExecutorError
        When the task's option has no valid value.

    Examples
    --------
    >>> options = BatchOptions(image="i", queue="q", s3_scratch="s3://b")
    >>> call = Call("demo.add", print, [], {}, {"retries": 2}, "0a", "1", "workflow", False)
    >>> plan_retries(options, call)
    {'preempted': 2, 'infrastructure': 2}
    """
    retries = call.options.get("retries")
    if retries is None:
        retries = options.retries
    if isinstance(retries, Mapping):
        known = {kind.value for kind in FailureKind}
        if not all(name in known and _is_count(number) for name, number in retries.items()):
            raise _wrong(call, "retries", retries)
        return dict(retries)
    if not _is_count(retries):
        raise _wrong(call, "retries", retries)
    plan_delay(call, 0)
    return dict.fromkeys(_RETRIED, retries)


def plan_delay(call: Call, failures: int) -> float:
    """Return how long to wait before a call is tried again, in seconds; the task's ``retry_delay`` doubles each time.

    Examples
    --------
    >>> call = Call("demo.add", print, [], {}, {"retry_delay": 10}, "0a", "1", "workflow", False)
    >>> [plan_delay(call, failures) for failures in (1, 2, 3)]
    [10.0, 20.0, 40.0]
    """
    delay = call.options.get("retry_delay", 0)
    if not _is_number(delay) or delay < 0:
        raise _wrong(call, "retry_delay", delay)
    return float(min(delay * 2 ** min(max(failures - 1, 0), 64), MAX_DELAY))


def _wrong(call: Call, name: str, value: Any) -> ExecutorError:
    return WorkerSetupError(f"task {call.task_name} has option {name}={value!r}, which AWS Batch can't take")


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
