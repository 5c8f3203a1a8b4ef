"""Requests to AWS: at most so many per second, repeated while AWS is busy or away, and refused with a sentence.

boto3 is imported when the first request is made. It repeats nothing itself, for two reasons: what is repeated here is
counted and can be given up, and a submission whose answer was lost must not be made again before one has looked whether
the job is there.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from typing import Any, NamedTuple, TypeVar

from redun.boto import BOTO_VARIABLE, make_boto_config
from redun.errors import ExecutorError, MissingPluginError
from redun.logging import logger
from redun_executor_batch.errors import BatchError, BatchRefusedError
from redun_executor_batch.rate import Rate, choose_wait
from redun_executor_batch.requests import SUBMISSION_VARIABLE

T = TypeVar("T")

LOG_GROUP = "/aws/batch/job"
DEFAULT_REGION = "us-west-2"
MAX_DESCRIBED = 100

_MAX_CONNECTIONS = 32
_CONNECT_SECONDS, _READ_SECONDS = 10, 60
_CLOSING_SECONDS = 10.0
_LOOKS = 4
"""How often one looks for a job whose submission was not answered, before it is submitted again."""

_IDENTIFYING = ("AWS_ENDPOINT_URL", "AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_DEFAULT_REGION", BOTO_VARIABLE)

_BUSY = {
    "RequestLimitExceeded",
    "SlowDown",
    "ThrottledException",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
}
_DENIED = {
    "AccessDenied",
    "AccessDeniedException",
    "ExpiredToken",
    "ExpiredTokenException",
    "InvalidClientTokenId",
    "MissingAuthenticationToken",
    "UnrecognizedClientException",
}
_SKEWED = {"InvalidSignatureException", "RequestExpired", "RequestTimeTooSkewed", "SignatureDoesNotMatch"}


class Problem(Enum):
    """What a failed request means: nothing was done and AWS is busy, nobody knows what was done, or it is refused."""

    BUSY = "busy"
    AWAY = "away"
    REFUSED = "refused"


class Caller(NamedTuple):
    """Who AWS takes the caller for.

    Attributes
    ----------
    account : str
        The account.
    arn : str
        The address of the user, or of the role that is assumed.
    """

    account: str
    arn: str

    @property
    def name(self) -> str:
        """The name of the user, or of the session of a role."""
        return self.arn.rpartition("/")[2]


class BatchApi:
    """AWS Batch, its logs and the caller's account.

    Parameters
    ----------
    region
        The region; None for that of boto3, or us-west-2 if that has none.
    rate
        How many requests of a kind are made per second at most.
    patience
        For how many seconds a request is repeated.
    """

    def __init__(self, region: str | None = None, rate: float = 20.0, patience: float = 600.0) -> None:
        self._region = region
        self._rate = rate
        self._patience = patience
        self._lock = threading.Lock()
        self._rates: dict[str, Rate] = {}
        self._caller: Caller | None = None
        self._closing = threading.Event()
        self._log_rate = Rate(5)

    def open(self) -> None:
        """Be as patient as configured."""
        self._closing.clear()

    def close(self) -> None:
        """Give up on what is not answered, soon."""
        self._closing.set()

    def call(self, operation: str, service: str = "batch", **asked: Any) -> Mapping[str, Any]:
        """Make a request that may be made twice without harm, and return its answer.

        Raises
        ------
        BatchError
            When AWS is busy or away for longer than the patience.
        BatchRefusedError
            When AWS refuses.
        """
        return self._repeat(operation, lambda: self._call_once(operation, service, asked))

    def submit(self, asked: Mapping[str, Any], token: str) -> str:
        """Submit a job and return its id. A job whose answer was lost is found again by its token.

        Raises
        ------
        BatchError
            When AWS is busy or away for longer than the patience.
        BatchRefusedError
            When AWS refuses.
        """
        return self._repeat(
            "submit_job",
            lambda: str(self._call_once("submit_job", "batch", asked)["jobId"]),
            lambda: self._look_for(asked, token),
        )

    def describe(self, job_ids: Sequence[str]) -> dict[str, Mapping[str, Any]]:
        """Return what is known of up to 100 jobs, by id."""
        found = self.call("describe_jobs", jobs=list(job_ids))["jobs"]
        return {job["jobId"]: job for job in found}

    def describe_all(self, job_ids: Sequence[str]) -> dict[str, Mapping[str, Any]]:
        """Return what is known of any number of jobs, by id."""
        found: dict[str, Mapping[str, Any]] = {}
        for start in range(0, len(job_ids), MAX_DESCRIBED):
            found.update(self.describe(job_ids[start : start + MAX_DESCRIBED]))
        return found

    def list_all(self, operation: str, key: str, **asked: Any) -> list[Mapping[str, Any]]:
        """Return all items of an answer that comes in pages."""
        items: list[Mapping[str, Any]] = []
        while True:
            answer = self.call(operation, **asked)
            items += answer[key]
            if not answer.get("nextToken"):
                return items
            asked["nextToken"] = answer["nextToken"]

    def list_jobs(self, queue: str, statuses: Sequence[str]) -> list[Mapping[str, Any]]:
        """Return short descriptions of the jobs of a queue that have one of some statuses, without parts of others."""
        return [
            job
            for status in statuses
            for job in self.list_all("list_jobs", "jobSummaryList", jobQueue=queue, jobStatus=status)
        ]

    def read_log(
        self, stream: str, limit: int, token: str | None = None, from_head: bool = False
    ) -> tuple[list[Mapping[str, Any]], str]:
        """Return events of a log stream, the last, the first or those behind a token, and the token for the next."""
        asked: dict[str, Any] = {"logGroupName": LOG_GROUP, "logStreamName": stream, "limit": limit}
        if token is not None or from_head:
            asked["startFromHead"] = True
        if token is not None:
            asked["nextToken"] = token
        answer = self.call("get_log_events", "logs", **asked)
        return list(answer["events"]), str(answer["nextForwardToken"])

    def read_log_tail(self, stream: str | None, limit: int) -> list[str]:
        """Return the last lines that a job printed; none if they can't be had now, or are asked for too often."""
        if stream is None or not self._log_rate.is_free():
            return []
        try:
            return [str(event["message"]) for event in self.read_log(stream, limit)[0]]
        except ExecutorError as error:
            logger.debug("the log stream %s can't be read: %s", stream, error)
            return []

    def find_caller(self) -> Caller:
        """Return who AWS takes the caller for."""
        if self._caller is None:
            found = self.call("get_caller_identity", "sts")
            self._caller = Caller(str(found["Account"]), str(found["Arn"]))
        return self._caller

    def _call_once(self, operation: str, service: str, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        client, rate = self._prepare(service, operation)
        wait = rate.reserve()
        if wait:
            time.sleep(wait)
        answer: Mapping[str, Any] = getattr(client, operation)(**asked)
        return answer

    def _repeat(self, operation: str, ask: Callable[[], T], look_for: Callable[[], T | None] = lambda: None) -> T:
        """Return the answer to a request, made until there is one, or what is found when nobody knows what it did."""
        start = time.monotonic()
        failures = 0
        while True:
            try:
                return ask()
            except Exception as error:
                failures += 1
                self._wait_or_fail(error, operation, start, failures)
                if classify(error) is Problem.AWAY and (found := look_for()) is not None:
                    return found

    def _prepare(self, service: str, operation: str) -> tuple[Any, Rate]:
        with self._lock:
            if operation not in self._rates:
                self._rates[operation] = Rate(self._rate)
            return _clients.get(service, self._region), self._rates[operation]

    def _wait_or_fail(self, error: Exception, operation: str, start: float, failures: int) -> None:
        """Wait before a request is made again, or raise why it is not."""
        problem = classify(error)
        if problem is None:
            raise error
        if problem is Problem.REFUSED:
            raise explain_refusal(error, operation) from error
        patience = min(self._patience, _CLOSING_SECONDS) if self._closing.is_set() else self._patience
        if time.monotonic() - start >= patience:
            raise BatchError(
                f"AWS does not answer {_name(operation)} for {patience:g} seconds (api_patience): {error}"
            ) from error
        if failures == 3:
            logger.warning("AWS does not answer %s; trying again for %g seconds: %s", _name(operation), patience, error)
        self._pause(choose_wait(failures))

    def _look_for(self, asked: Mapping[str, Any], token: str) -> str | None:
        """Return the id of the job that a submission made after all; what is new may be listed late."""
        for failures in range(1, _LOOKS + 1):
            filters = [{"name": "JOB_NAME", "values": [asked["jobName"]]}]
            listed = self.list_all("list_jobs", "jobSummaryList", jobQueue=asked["jobQueue"], filters=filters)
            newest = sorted(listed, key=lambda job: -int(job.get("createdAt", 0)))[:MAX_DESCRIBED]
            for job in newest:
                if self._has_token(job["jobId"], token):
                    return str(job["jobId"])
            self._pause(0.25 * 2**failures)
        return None

    def _pause(self, seconds: float) -> None:
        """Wait; when this is closing, not long."""
        if self._closing.is_set():
            time.sleep(min(seconds, 1.0))
        else:
            self._closing.wait(seconds)

    def _has_token(self, job_id: str, token: str) -> bool:
        described = self.describe([job_id]).get(job_id)
        if described is not None and "container" not in described:
            part = f"{job_id}:0" if "arrayProperties" in described else f"{job_id}#0"
            described = self.describe([part]).get(part)
        environment = (described or {}).get("container", {}).get("environment", [])
        return {"name": SUBMISSION_VARIABLE, "value": token} in environment


def classify(error: BaseException) -> Problem | None:
    """Return what a failed request means; None for an error that is none of a request."""
    from botocore import exceptions

    if isinstance(error, exceptions.ClientError):
        code = str(error.response.get("Error", {}).get("Code", ""))
        status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
        if code in _BUSY or status in (429, 503):
            return Problem.BUSY
        return Problem.AWAY if status >= 500 else Problem.REFUSED
    if isinstance(error, exceptions.NoCredentialsError | exceptions.PartialCredentialsError):
        return Problem.REFUSED
    if isinstance(error, exceptions.ConnectionError):  # Nothing was sent.
        return Problem.BUSY
    if isinstance(error, exceptions.HTTPClientError):
        return Problem.AWAY
    return Problem.REFUSED if isinstance(error, exceptions.BotoCoreError) else None


def explain_refusal(error: Exception, operation: str) -> BatchRefusedError:
    """Return what was refused and what to do, as an error."""
    response: Mapping[str, Any] = getattr(error, "response", {})
    code = str(response.get("Error", {}).get("Code", ""))
    said = str(response.get("Error", {}).get("Message", "")) or str(error)
    what = f"AWS refuses {_name(operation)}: {said}"
    if code in _SKEWED and any(word in said for word in ("expired", "time", "not yet current")):
        return BatchRefusedError(f"{what}; the clock of this machine differs from that of AWS: set it", code)
    if code in _DENIED:
        return BatchRefusedError(f"{what} ({code}); check the credentials and what their user may do", code)
    if "credentials" in type(error).__name__.lower():
        return BatchRefusedError(f"{what}; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE")
    return BatchRefusedError(what, code)


class _Clients:
    """The clients of this process, by service, region and whom they are for. Making one takes a tenth of a second."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._made: dict[tuple[str | None, ...], Any] = {}

    def get(self, service: str, region: str | None) -> Any:
        key = (service, region, *map(os.environ.get, _IDENTIFYING))
        with self._lock:
            if key not in self._made:
                self._made[key] = _make_client(service, region)
            return self._made[key]


_clients = _Clients()


def _make_client(service: str, region: str | None) -> Any:
    try:
        import boto3
    except ImportError as error:
        raise MissingPluginError(
            "AWS Batch needs boto3, which is not installed: pip install boto3", name="boto3"
        ) from error
    config = make_boto_config(
        fixed={"retries": {"mode": "standard", "total_max_attempts": 1}},
        connect_timeout=_CONNECT_SECONDS,
        max_pool_connections=_MAX_CONNECTIONS,
        read_timeout=_READ_SECONDS,
    )
    session = boto3.session.Session()
    return session.client(service, region_name=region or session.region_name or DEFAULT_REGION, config=config)


def _name(operation: str) -> str:
    return "".join(part.capitalize() for part in operation.split("_"))
