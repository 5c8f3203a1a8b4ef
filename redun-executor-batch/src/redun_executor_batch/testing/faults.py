"""What goes wrong at the endpoint, as a test says; by default nothing."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from fnmatch import fnmatchcase
from typing import Any

from redun_executor_batch.testing.wire import Hangup, Request, ServiceError


@dataclass
class Faults:
    """Switches of the endpoint.

    Patterns of jobs are looked for in their names and commands; those of objects are compared to ``bucket/key``. Both
    are patterns of the shell's. Operations are called as the documentation does, such as ``SubmitJob``.

    Attributes
    ----------
    throttle : dict of str to int
        How many of the next calls of operations are refused as too many.
    rate : dict of str to float
        How many calls of operations are taken per second; more are refused.
    reset : dict of str to int
        How many of the next calls of operations end with a closed connection, and nothing done.
    lost : dict of str to int
        How many of the next calls of operations are done, while their answers are lost.
    fail : dict of str to int
        How many of the next calls of operations are answered with an internal error.
    repeated : int
        How often more each job is in the answers of DescribeJobs.
    lag : float
        How many seconds later what happened to jobs is seen.
    down : float
        Until when no connection is answered, in seconds since 1970.
    skew : float
        How many seconds the clocks here are ahead of the caller's.
    denied : list of str
        Patterns of objects that nobody may read or write.
    objects : dict of str to str
        By pattern, what becomes of an object that is written: ``lose`` it, ``empty`` it, ``cut`` it in half, ``garble``
        it.
    reclaim : dict of str to int
        By pattern of jobs, how many of their attempts lose their machine while they run.
    memory : dict of str to int
        By pattern of jobs, how many MiB they need.
    refuse : dict of str to str
        By pattern of jobs, why their container can't be started.
    hold : list of str
        Patterns of jobs that stay ``RUNNABLE``.
    """

    throttle: dict[str, int] = field(default_factory=dict)
    rate: dict[str, float] = field(default_factory=dict)
    reset: dict[str, int] = field(default_factory=dict)
    lost: dict[str, int] = field(default_factory=dict)
    fail: dict[str, int] = field(default_factory=dict)
    repeated: int = 0
    lag: float = 0
    down: float = 0
    skew: float = 0
    denied: list[str] = field(default_factory=list)
    objects: dict[str, str] = field(default_factory=dict)
    reclaim: dict[str, int] = field(default_factory=dict)
    memory: dict[str, int] = field(default_factory=dict)
    refuse: dict[str, str] = field(default_factory=dict)
    hold: list[str] = field(default_factory=list)

    def update(self, changes: Mapping[str, Any]) -> None:
        """Set switches.

        Raises
        ------
        ServiceError
            For a name that is none of them.
        """
        known = {item.name for item in fields(self)}
        if unknown := set(changes) - known:
            raise ServiceError("UnknownFault", f"there is no fault {', '.join(sorted(unknown))}")
        for name, value in changes.items():
            setattr(self, name, value)


class Gatekeeper:
    """Lets calls pass, or not, as the faults say.

    Parameters
    ----------
    faults
        The switches.
    """

    def __init__(self, faults: Faults) -> None:
        self.faults = faults
        self._lock = threading.Lock()
        self._tokens: dict[str, tuple[float, float]] = {}

    def check(self, service: str, operation: str, request: Request) -> None:
        """Raise what becomes of a call before it is done.

        Raises
        ------
        Hangup
            When it is not answered.
        ServiceError
            When it is refused.
        """
        faults = self.faults
        if time.time() < faults.down or self._take(faults.reset, operation):
            raise Hangup
        if self._take(faults.throttle, operation) or not self._is_within_rate(operation):
            raise _too_many(service)
        if self._take(faults.fail, operation):
            raise ServiceError("InternalError" if service == "s3" else "ServerException", "We are sorry.", 500)
        if abs(faults.skew) > 300:
            raise _wrong_time(service)
        place = request.path.lstrip("/")
        if service == "s3" and any(fnmatchcase(place, pattern) for pattern in faults.denied):
            raise ServiceError("AccessDenied", "Access Denied", 403)

    def is_answer_lost(self, operation: str) -> bool:
        """Whether what was done is not answered."""
        return self._take(self.faults.lost, operation)

    def spoil(self, operation: str, request: Request) -> bytes | None:
        """Return what is written in place of what was sent; None if nothing is."""
        if operation not in ("PutObject", "UploadPart"):
            return request.body
        place = request.path.lstrip("/")
        how = next((how for pattern, how in self.faults.objects.items() if fnmatchcase(place, pattern)), "")
        if how == "lose":
            return None
        spoiled = {"empty": b"", "cut": request.body[: len(request.body) // 2], "garble": b"\x80\x03nonsense"}
        return spoiled.get(how, request.body)

    def _take(self, counts: dict[str, int], operation: str) -> bool:
        with self._lock:
            left = counts.get(operation, 0)
            if left > 0:
                counts[operation] = left - 1
            return left > 0

    def _is_within_rate(self, operation: str) -> bool:
        """Whether there is a token for a call: as many as the rate says arrive per second, and are kept for one."""
        rate = self.faults.rate.get(operation)
        if rate is None:
            return True
        with self._lock:
            now = time.monotonic()
            tokens, since = self._tokens.get(operation, (rate, now))
            tokens = min(tokens + (now - since) * rate, max(rate, 1))
            passed = tokens >= 1
            self._tokens[operation] = (tokens - passed, now)
            return passed


def _too_many(service: str) -> ServiceError:
    if service == "s3":
        return ServiceError("SlowDown", "Please reduce your request rate.", 503)
    if service == "logs":
        return ServiceError("ThrottlingException", "Rate exceeded")
    return ServiceError("TooManyRequestsException", "Too Many Requests", 429)


def _wrong_time(service: str) -> ServiceError:
    if service == "s3":
        text = "The difference between the request time and the current time is too large."
        return ServiceError("RequestTimeTooSkewed", text, 403)
    return ServiceError("InvalidSignatureException", "Signature expired: the time is not that of the server", 403)
