"""The slice of AWS Batch that an executor uses: job definitions, submitting, looking, ending."""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from redun_executor_batch.testing.cluster import Cluster
from redun_executor_batch.testing.faults import Faults
from redun_executor_batch.testing.jobs import (
    STATUSES,
    Container,
    Job,
    describe,
    matches,
    substitute,
    summarize,
)
from redun_executor_batch.testing.wire import Request, Response, ServiceError, answer_json

ACCOUNT = "123456789012"
REGION = "us-east-1"
_ARN = f"arn:aws:batch:{REGION}:{ACCOUNT}"
_NAME = re.compile(r"[A-Za-z0-9][\w-]{0,127}", re.ASCII)
_MAX_DESCRIBED = 100
_MAX_LISTED = 100
_MAX_ARRAY = 10_000
_MAX_REQUEST = 30 * 1024
_MAX_TAGS = 50


class BatchService:
    """Answers the requests of AWS Batch.

    Parameters
    ----------
    cluster
        What runs the jobs.
    faults
        What goes wrong.
    queues
        The names of the job queues.
    """

    def __init__(self, cluster: Cluster, faults: Faults, queues: Sequence[str]) -> None:
        self.queues = list(queues)
        self._cluster = cluster
        self._faults = faults
        self._definitions: dict[str, list[dict[str, Any]]] = {}
        self._operations: Mapping[str, Callable[[dict[str, Any]], Mapping[str, Any]]] = {
            "SubmitJob": self._submit,
            "DescribeJobs": self._describe_jobs,
            "ListJobs": self._list_jobs,
            "TerminateJob": self._terminate,
            "CancelJob": self._cancel,
            "RegisterJobDefinition": self._register,
            "DeregisterJobDefinition": self._deregister,
            "DescribeJobDefinitions": self._describe_definitions,
            "DescribeJobQueues": self._describe_queues,
        }

    def name(self, request: Request) -> str:
        """Return what a request asks for."""
        path = request.path.rpartition("/")[2]
        return next((name for name in self._operations if name.lower() == path), path)

    def answer(self, name: str, request: Request) -> Response:
        """Do what a request asks for."""
        if name not in self._operations:
            raise ServiceError("UnknownOperationException", f"this endpoint does not answer {name}", 404)
        if name == "SubmitJob" and len(request.body) > _MAX_REQUEST:
            raise _refuse(f"Request is too large: {len(request.body)} bytes, the limit is {_MAX_REQUEST}.")
        with self._cluster.changed:
            return answer_json(self._operations[name](request.read_json()))

    def _submit(self, asked: dict[str, Any]) -> Mapping[str, Any]:
        name = _check_name(asked.get("jobName"), "jobName")
        queue = self._find_queue(asked.get("jobQueue"))
        definition = self._find_definition(asked.get("jobDefinition"))
        if "dependsOn" in asked:
            raise _refuse("this endpoint runs no jobs that depend on others")
        _check_tags(asked.get("tags", {}))
        job = Job(
            id=str(uuid.uuid4()),
            name=name,
            queue=f"{_ARN}:job-queue/{queue}",
            definition=definition["jobDefinitionArn"],
            container=None,
            spec=_read_spec(asked),
            retry=_read_retry(asked.get("retryStrategy") or definition.get("retryStrategy") or {}),
            timeout=_read_timeout(asked.get("timeout") or definition.get("timeout") or {}),
            created_at=round(time.time() * 1000),
        )
        parameters = {**definition.get("parameters", {}), **asked.get("parameters", {})}
        if definition["type"] == "multinode":
            job.children = list(_make_nodes(job, definition, asked, parameters))
        else:
            container = _merge(definition["containerProperties"], asked.get("containerOverrides", {}), parameters)
            size = asked.get("arrayProperties", {}).get("size")
            if size is None:
                job.container = container
            else:
                job.children = list(_make_children(job, container, size))
        self._cluster.add(job)
        return {"jobArn": f"{_ARN}:job/{job.id}", "jobId": job.id, "jobName": name}

    def _describe_jobs(self, asked: dict[str, Any]) -> Mapping[str, Any]:
        wanted = asked.get("jobs") or []
        if not 1 <= len(wanted) <= _MAX_DESCRIBED:
            raise _refuse(f"DescribeJobs takes 1 to {_MAX_DESCRIBED} jobs, not {len(wanted)}")
        seen = time.time() - self._faults.lag
        found = [job for job in map(self._cluster.jobs.get, wanted) if job is not None and job.status_at(seen)]
        said = [describe(job, seen) for job in found]
        return {"jobs": said * (1 + self._faults.repeated)}

    def _list_jobs(self, asked: dict[str, Any]) -> Mapping[str, Any]:
        seen = time.time() - self._faults.lag
        found = [job for job in self._select(asked, seen) if job.status_at(seen)]
        start = int(asked.get("nextToken") or 0)
        stop = start + min(int(asked.get("maxResults") or _MAX_LISTED), _MAX_LISTED)
        said: dict[str, Any] = {"jobSummaryList": [summarize(job, seen) for job in found[start:stop]]}
        if stop < len(found):
            said["nextToken"] = str(stop)
        return said

    def _select(self, asked: Mapping[str, Any], seen: float) -> Sequence[Job]:
        """Return the jobs that a listing is about: by status, which is RUNNING if none is said, or by filters."""
        filters = {item["name"]: item["values"] for item in asked.get("filters", [])}
        status = asked.get("jobStatus") or "RUNNING"
        if status not in STATUSES:
            raise _refuse(f"{status} is no status of jobs")
        parent_id = asked.get("arrayJobId") or asked.get("multiNodeJobId")
        if parent_id:
            parent = self._cluster.jobs.get(parent_id)
            children = parent.children if parent is not None else []
            return [job for job in children if job.status_at(seen) == status]
        queue = f"{_ARN}:job-queue/{self._find_queue(asked.get('jobQueue'))}"
        jobs = [job for job in self._cluster.jobs.values() if job.parent is None and job.queue == queue]
        if not filters:
            return [job for job in jobs if job.status_at(seen) == status]
        if unknown := set(filters) - {"JOB_NAME"}:
            raise _refuse(f"this endpoint knows no filter {', '.join(unknown)}")
        return [job for job in jobs if any(matches(pattern, job.name) for pattern in filters["JOB_NAME"])]

    def _terminate(self, asked: dict[str, Any]) -> Mapping[str, Any]:
        job, reason = self._cluster.jobs.get(asked.get("jobId", "")), _check_reason(asked)
        if job is not None and not job.is_final:
            self._cluster.end(job, reason)
        return {}

    def _cancel(self, asked: dict[str, Any]) -> Mapping[str, Any]:
        job, reason = self._cluster.jobs.get(asked.get("jobId", "")), _check_reason(asked)
        if job is not None and job.status in ("SUBMITTED", "PENDING", "RUNNABLE"):
            self._cluster.end(job, reason)
        return {}

    def _register(self, asked: dict[str, Any]) -> Mapping[str, Any]:
        name = _check_name(asked.get("jobDefinitionName"), "jobDefinitionName")
        kind = asked.get("type")
        if kind not in ("container", "multinode"):
            raise _refuse(f"type must be container or multinode, not {kind}")
        properties = asked.get("containerProperties" if kind == "container" else "nodeProperties")
        if not properties:
            raise _refuse(f"a definition of type {kind} needs its properties")
        if kind == "container" and "image" not in properties:
            raise _refuse("containerProperties needs image")
        _check_tags(asked.get("tags", {}))
        revisions = self._definitions.setdefault(name, [])
        arn = f"{_ARN}:job-definition/{name}:{len(revisions) + 1}"
        defaults = {"parameters": {}, "tags": {}, "propagateTags": False, "platformCapabilities": ["EC2"]}
        numbered = {"revision": len(revisions) + 1, "status": "ACTIVE", "jobDefinitionArn": arn}
        if kind == "container":
            asked = {**asked, "containerProperties": {**_EMPTY_CONTAINER, **properties}}
        revisions.append({**defaults, **asked, **numbered})
        return {"jobDefinitionName": name, "jobDefinitionArn": arn, "revision": len(revisions)}

    def _deregister(self, asked: dict[str, Any]) -> Mapping[str, Any]:
        self._find_definition(asked.get("jobDefinition"))["status"] = "INACTIVE"
        return {}

    def _describe_definitions(self, asked: dict[str, Any]) -> Mapping[str, Any]:
        name, status = asked.get("jobDefinitionName"), asked.get("status")
        wanted = asked.get("jobDefinitions")
        found = [
            definition
            for revisions in self._definitions.values()
            for definition in reversed(revisions)
            if name in (None, definition["jobDefinitionName"])
            and status in (None, definition["status"])
            and (wanted is None or definition["jobDefinitionArn"] in wanted or _short(definition) in wanted)
        ]
        start = int(asked.get("nextToken") or 0)
        stop = start + min(int(asked.get("maxResults") or _MAX_LISTED), _MAX_LISTED)
        said: dict[str, Any] = {"jobDefinitions": found[start:stop]}
        if stop < len(found):
            said["nextToken"] = str(stop)
        return said

    def _describe_queues(self, asked: dict[str, Any]) -> Mapping[str, Any]:
        wanted = [name.rpartition("/")[2] for name in asked.get("jobQueues") or self.queues]
        said: list[dict[str, Any]] = [
            {
                "jobQueueName": name,
                "jobQueueArn": f"{_ARN}:job-queue/{name}",
                "state": "ENABLED",
                "status": "VALID",
                "priority": 1,
                "computeEnvironmentOrder": [],
            }
            for name in wanted
            if name in self.queues
        ]
        return {"jobQueues": said}

    def _find_queue(self, wanted: Any) -> str:
        name = str(wanted or "").rpartition("/")[2]
        if name not in self.queues:
            raise _refuse(f"JobQueue {wanted} not found.")
        return name

    def _find_definition(self, wanted: Any) -> dict[str, Any]:
        name, _, revision = str(wanted or "").rpartition("/")[2].partition(":")
        active = [
            definition
            for definition in self._definitions.get(name, [])
            if definition["status"] == "ACTIVE" and revision in ("", str(definition["revision"]))
        ]
        if not active:
            raise _refuse(f"JobDefinition {wanted} not found.")
        return active[-1]


_EMPTY_CONTAINER: Mapping[str, Any] = {
    "command": [],
    "environment": [],
    "mountPoints": [],
    "resourceRequirements": [],
    "secrets": [],
    "ulimits": [],
    "volumes": [],
}


def _merge(properties: Mapping[str, Any], overrides: Mapping[str, Any], parameters: Mapping[str, str]) -> Container:
    """Return the container that a definition and what overrides it make."""
    own = ("image", "command", "environment", "resourceRequirements")
    resources = {item["type"]: item["value"] for item in properties.get("resourceRequirements", ())}
    resources.update((item["type"], item["value"]) for item in overrides.get("resourceRequirements", ()))
    environment = {item["name"]: item["value"] for item in properties.get("environment", ())}
    environment.update((item["name"], item["value"]) for item in overrides.get("environment", ()))
    if reserved := [name for name in environment if name.startswith("AWS_BATCH")]:
        raise _refuse(f"variables can't begin with AWS_BATCH: {', '.join(reserved)}")
    return Container(
        image=properties["image"],
        command=substitute(overrides.get("command") or properties.get("command", []), parameters),
        environment=environment,
        resources=resources,
        described={name: value for name, value in properties.items() if name not in own},
    )


def _make_children(job: Job, container: Container, size: Any) -> Iterator[Job]:
    if not isinstance(size, int) or not 2 <= size <= _MAX_ARRAY:
        raise _refuse(f"the size of an array must be from 2 to {_MAX_ARRAY}, not {size}")
    for index in range(size):
        yield _make_child(job, f"{job.id}:{index}", container, index=index)


def _make_nodes(
    job: Job, definition: Mapping[str, Any], asked: Mapping[str, Any], parameters: Mapping[str, str]
) -> Iterator[Job]:
    if "arrayProperties" in asked:
        raise _refuse("a job of several nodes can't be an array")
    properties, overrides = definition["nodeProperties"], asked.get("nodeOverrides", {})
    count = int(overrides.get("numNodes") or properties["numNodes"])
    for node in range(count):
        base = _find_node(properties["nodeRangeProperties"], node, count).get("container", {})
        over = _find_node(overrides.get("nodePropertyOverrides", []), node, count).get("containerOverrides", {})
        if not base:
            raise _refuse(f"no range of nodes has node {node}")
        yield _make_child(job, f"{job.id}#{node}", _merge(base, over, parameters), node=node)


def _find_node(ranges: Sequence[Mapping[str, Any]], node: int, count: int) -> Mapping[str, Any]:
    for item in ranges:
        first, colon, last = item["targetNodes"].partition(":")
        end = int(last) if last else count - 1 if colon else int(first)
        if int(first or 0) <= node <= end:
            return item
    return {}


def _make_child(
    job: Job, child_id: str, container: Container, index: int | None = None, node: int | None = None
) -> Job:
    return Job(
        child_id,
        job.name,
        job.queue,
        job.definition,
        container,
        job.spec,
        job.retry,
        job.timeout,
        job.created_at,
        parent=job,
        index=index,
        node=node,
    )


def _read_spec(asked: Mapping[str, Any]) -> Mapping[str, Any]:
    spec = {"tags": asked.get("tags", {}), "propagateTags": asked.get("propagateTags", False)}
    if "shareIdentifier" in asked:
        spec["shareIdentifier"] = asked["shareIdentifier"]
    if "schedulingPriorityOverride" in asked:
        spec["schedulingPriority"] = asked["schedulingPriorityOverride"]
    return spec


def _read_retry(retry: Mapping[str, Any]) -> Mapping[str, Any]:
    if not 1 <= int(retry.get("attempts", 1)) <= 10:
        raise _refuse("retryStrategy.attempts must be from 1 to 10")
    if len(retry.get("evaluateOnExit", ())) > 5:
        raise _refuse("retryStrategy.evaluateOnExit has at most 5 conditions")
    for condition in retry.get("evaluateOnExit", ()):
        if str(condition.get("action", "")).upper() not in ("RETRY", "EXIT"):
            raise _refuse("the action of a condition must be RETRY or EXIT")
        if any("*" in text[:-1] for name, text in condition.items() if name.startswith("on")):
            raise _refuse("a condition can only have an asterisk at its end")
    return retry


def _read_timeout(timeout: Mapping[str, Any]) -> float | None:
    seconds = timeout.get("attemptDurationSeconds")
    if seconds is not None and int(seconds) < 60:
        raise _refuse("attemptDurationSeconds must be at least 60")
    return None if seconds is None else float(seconds)


def _check_name(name: Any, what: str) -> str:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise _refuse(f"{what} must have up to 128 letters, digits, hyphens and underscores, not {name!r}")
    return name


def _check_tags(tags: Mapping[str, str]) -> None:
    if len(tags) > _MAX_TAGS:
        raise _refuse(f"there may be {_MAX_TAGS} tags at most")
    for key, value in tags.items():
        if not 1 <= len(key) <= 128 or len(value) > 256 or not re.fullmatch(r"[\w\s.:/=+\-@]*", f"{key}{value}"):
            raise _refuse(f"the tag {key}={value} is too long, or has letters that tags can't have")


def _check_reason(asked: Mapping[str, Any]) -> str:
    if not asked.get("reason"):
        raise _refuse("a reason is needed")
    return str(asked["reason"])


def _short(definition: Mapping[str, Any]) -> str:
    return f"{definition['jobDefinitionName']}:{definition['revision']}"


def _refuse(text: str) -> ServiceError:
    return ServiceError("ClientException", text)
