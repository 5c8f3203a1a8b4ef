"""What AWS Batch is asked for, as plain data: names, job definitions, submissions. Nothing is sent."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from redun_executor_batch.options import NO_ROLE, BatchOptions

SUBMISSION_VARIABLE = "REDUN_SUBMISSION"
"""The environment variable of jobs that tells one submission from another of the same name."""

MAX_ATTEMPTS = 10
_MAX_NAME = 128
_MAX_TAG_KEY, _MAX_TAG = 128, 256
_MIN_TIMEOUT = 60
_MEBIBYTES = 1024
_NOFILE = 65_535

_LOST_MACHINE = {"onStatusReason": "Host EC2*", "action": "RETRY"}
_NO_PROGRAM = {"onReason": "CannotStartContainerError*", "action": "EXIT"}
_NOT_STARTED = {"onStatusReason": "Task failed to start*", "action": "RETRY"}
_SLOW_DOCKER = {"onReason": "DockerTimeoutError*", "action": "RETRY"}
_ANYTHING_ELSE = {"onReason": "*", "action": "EXIT"}


def name_job(prefix: str, name: str) -> str:
    """Return the name of the job of a call."""
    return f"{prefix}-{name}"


def name_array(prefix: str, name: str) -> str:
    """Return the name of an array of jobs."""
    return f"{prefix}-{name}-array"


def read_job_name(prefix: str, job_name: str) -> tuple[str, bool] | None:
    """Return the name of a call or an array, and whether it is an array; None for a job of somebody else.

    Examples
    --------
    >>> read_job_name("redun-job", "redun-job-0a1b"), read_job_name("redun-job", "redun-job-5f-array")
    (('0a1b', False), ('5f', True))
    """
    if not job_name.startswith(f"{prefix}-"):
        return None
    name = job_name[len(prefix) + 1 :]
    return (name[: -len("-array")], True) if name.endswith("-array") else (name, False)


def name_definition(options: BatchOptions) -> str:
    """Return the name of the job definition, made of that of the image unless it is configured.

    Examples
    --------
    >>> name_definition(BatchOptions(image="1234.ecr/app:1.2", queue="q", s3_scratch="s3://b"))
    '1234-ecr-app-1-2-redun-jd'
    """
    if options.job_def_name is not None:
        return options.job_def_name
    end = "-redun-jd"
    plain = re.sub(r"[^A-Za-z0-9_-]", "-", options.image).lstrip("-_") or "image"
    return plain[-(_MAX_NAME - len(end)) :].lstrip("-_") + end


def make_definition(options: BatchOptions, role: str | None) -> dict[str, Any]:
    """Return the job definition that jobs with some options need.

    Parameters
    ----------
    options
        The options.
    role
        The role of jobs, if they have one.
    """
    container: dict[str, Any] = {
        "image": options.image,
        "command": ["ls"],
        "resourceRequirements": _resources(options, options.memory[0]),
        "environment": [],
        "mountPoints": [],
        "volumes": [],
        "ulimits": [],
        "privileged": options.privileged,
    }
    if role is not None:
        container["jobRoleArn"] = role
    if options.shared_memory is not None:
        container["linuxParameters"] = {"sharedMemorySize": _to_mebibytes(options.shared_memory)}
    definition: dict[str, Any] = {"jobDefinitionName": name_definition(options)}
    if options.num_nodes is None:
        return merge({**definition, "type": "container", "containerProperties": container}, options.job_def_extra)
    container["ulimits"] = [{"name": "nofile", "softLimit": _NOFILE, "hardLimit": _NOFILE}]
    nodes = {
        "numNodes": options.num_nodes,
        "mainNode": 0,
        "nodeRangeProperties": [
            {"targetNodes": "0", "container": container},
            {"targetNodes": "1:", "container": container},
        ],
    }
    return merge({**definition, "type": "multinode", "nodeProperties": nodes}, options.job_def_extra)


def fits(wanted: Any, found: Any) -> bool:
    """Whether a job definition has what is wanted, and perhaps more. Resources are a matter of each job.

    Examples
    --------
    >>> fits({"image": "a", "ulimits": []}, {"image": "a", "secrets": [], "revision": 3}), fits({"a": 1}, {"a": 2})
    (True, False)
    """
    if isinstance(wanted, Mapping):
        return isinstance(found, Mapping) and all(
            fits(value, found.get(name)) for name, value in wanted.items() if name != "resourceRequirements"
        )
    if isinstance(wanted, list):
        found = found or []
        return len(wanted) == len(found) and all(map(fits, wanted, found))
    return bool(wanted == found) or (found is None and wanted in (False, {}))


def merge(base: Mapping[str, Any], extra: Mapping[str, Any]) -> dict[str, Any]:
    """Return nested dicts merged, the second winning."""
    merged = dict(base)
    for name, value in extra.items():
        both = isinstance(value, Mapping) and isinstance(merged.get(name), Mapping)
        merged[name] = merge(merged[name], value) if both else value
    return merged


def make_submission(
    name: str,
    options: BatchOptions,
    definition: str,
    command: Sequence[str],
    memory: float,
    retries: Mapping[str, int],
    tags: Mapping[str, str],
    token: str,
    size: int | None = None,
    command_of_nodes: Sequence[str] | None = None,
) -> dict[str, Any]:
    """Return the request that submits a job.

    Parameters
    ----------
    name
        Its name.
    options
        The options of its call.
    definition
        The address of its job definition.
    command
        The command; that of the main node, of several.
    memory
        Its memory in GB.
    retries
        How often it is tried again, by kind of failure.
    tags
        Its tags.
    token
        What tells this submission from others of the name.
    size
        How many jobs it is, for an array.
    command_of_nodes
        The command of the other nodes.
    """

    def override(words: Sequence[str]) -> dict[str, Any]:
        environment = [{"name": SUBMISSION_VARIABLE, "value": token}]
        return {
            "command": list(words),
            "resourceRequirements": _resources(options, memory),
            "environment": environment,
        }

    asked: dict[str, Any] = {
        "jobName": name,
        "jobQueue": options.queue,
        "jobDefinition": definition,
        "tags": dict(tags),
        "propagateTags": True,
    }
    if options.num_nodes is None:
        asked["containerOverrides"] = override(command)
    else:
        asked["nodeOverrides"] = {
            "numNodes": options.num_nodes,
            "nodePropertyOverrides": [
                {"targetNodes": "0", "containerOverrides": override(command)},
                {"targetNodes": "1:", "containerOverrides": override(command_of_nodes or command)},
            ],
        }
    strategy = make_retry_strategy(retries)
    if strategy is not None:
        asked["retryStrategy"] = strategy
    if size is not None:
        asked["arrayProperties"] = {"size": size}
    if options.timeout is not None:
        asked["timeout"] = {"attemptDurationSeconds": max(round(options.timeout), _MIN_TIMEOUT)}
    if options.share_id is not None:
        asked["shareIdentifier"] = options.share_id
    if options.scheduling_priority_override is not None:
        asked["schedulingPriorityOverride"] = options.scheduling_priority_override
    return asked


def make_retry_strategy(retries: Mapping[str, int]) -> dict[str, Any] | None:
    """Return when AWS Batch itself tries a job again: when it lost its machine, or could not start.

    Examples
    --------
    >>> make_retry_strategy({"preempted": 2})
    {'attempts': 3, 'evaluateOnExit': [{'onStatusReason': 'Host EC2*', 'action': 'RETRY'}, \
{'onReason': '*', 'action': 'EXIT'}]}
    """
    lost, failed = retries.get("preempted", 0), retries.get("infrastructure", 0)
    if not lost and not failed:
        return None
    conditions = [_LOST_MACHINE] if lost else []
    conditions += [_NO_PROGRAM, _NOT_STARTED, _SLOW_DOCKER] if failed else []
    return {"attempts": min(1 + max(lost, failed), MAX_ATTEMPTS), "evaluateOnExit": [*conditions, _ANYTHING_ELSE]}


def make_tags(options: BatchOptions, known: Mapping[str, str]) -> dict[str, str]:
    """Return the tags of a job: what is known of it, unless that is not wanted, and those that are configured.

    Examples
    --------
    >>> options = BatchOptions(image="i", queue="q", s3_scratch="s3://b", batch_tags={"step": 2})
    >>> make_tags(options, {"redun_task_name": "demo.add<1>"})
    {'redun_task_name': 'demo.add_1_', 'step': '2'}
    """
    tags = {**(known if options.default_batch_tags else {}), **options.batch_tags}
    return {_clean(key)[:_MAX_TAG_KEY]: _clean(str(value))[:_MAX_TAG] for key, value in tags.items()}


def find_role(options: BatchOptions, account: str) -> str | None:
    """Return the role of jobs, if they have one."""
    if options.role.lower() == NO_ROLE:
        return None
    return options.role or f"arn:aws:iam::{account}:role/ecsTaskExecutionRole"


def _resources(options: BatchOptions, memory: float) -> list[dict[str, str]]:
    needed = {"VCPU": f"{options.vcpus:g}", "MEMORY": str(_to_mebibytes(memory))}
    if options.gpus:
        needed["GPU"] = str(options.gpus)
    return [{"type": name, "value": value} for name, value in needed.items()]


def _to_mebibytes(gigabytes: float) -> int:
    return max(int(gigabytes * _MEBIBYTES), 1)


def _clean(text: str) -> str:
    return re.sub(r"[^\w\s.:/=+\-@]", "_", text)
