"""The endpoint: an HTTP server that answers for AWS Batch, CloudWatch Logs, STS and S3, and for tests that steer it.

Which service a request is for is in its signature. Paths below ``/_control`` are the tests' own: they set faults, look
at what was called, and do to jobs what happens to them in a data centre.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import asdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import parse_qsl, unquote, urlsplit

from redun_executor_batch.testing.batch_api import ACCOUNT, BatchService
from redun_executor_batch.testing.cluster import Cluster, Settings
from redun_executor_batch.testing.faults import Faults, Gatekeeper
from redun_executor_batch.testing.jobs import Job
from redun_executor_batch.testing.log_events import LogService
from redun_executor_batch.testing.s3_api import S3Service
from redun_executor_batch.testing.s3_store import ObjectStore
from redun_executor_batch.testing.wire import (
    Hangup,
    Request,
    Response,
    ServiceError,
    answer_error,
    answer_json,
    answer_xml,
    element,
)

CONTROL = "/_control/"
_MAX_CALLS = 100_000


class Service(Protocol):
    """What answers the requests of one service."""

    def name(self, request: Request) -> str:
        """Return what a request asks for."""
        ...

    def answer(self, name: str, request: Request) -> Response:
        """Do what a request asks for."""
        ...


class TokenService:
    """The slice of STS that says who one is."""

    def name(self, request: Request) -> str:
        """Return what a request asks for."""
        return request.read_form().get("Action", "")

    def answer(self, name: str, request: Request) -> Response:
        """Do what a request asks for."""
        if name != "GetCallerIdentity":
            raise ServiceError("InvalidAction", f"this endpoint does not answer {name}")
        said = {"Arn": f"arn:aws:iam::{ACCOUNT}:user/ada", "UserId": "AIDAEXAMPLE", "Account": ACCOUNT}
        inner = element("GetCallerIdentityResult", *(element(key, value) for key, value in said.items()))
        return answer_xml(element("GetCallerIdentityResponse", inner))


class Endpoint:
    """The services together.

    Parameters
    ----------
    folder
        Where the objects of S3 are kept.
    queues
        The names of the job queues.
    """

    def __init__(self, folder: Path, queues: list[str]) -> None:
        self.faults = Faults()
        self.gate = Gatekeeper(self.faults)
        self.logs = LogService()
        self.store = ObjectStore(folder)
        self.cluster = Cluster(self.logs, self.faults, Settings())
        self.batch = BatchService(self.cluster, self.faults, queues)
        self.services: Mapping[str, Service] = {
            "batch": self.batch,
            "logs": self.logs,
            "s3": S3Service(self.store),
            "sts": TokenService(),
        }
        self._lock = threading.Lock()
        self._calls: deque[dict[str, Any]] = deque(maxlen=_MAX_CALLS)

    def answer(self, request: Request) -> Response:
        """Return the answer to a request.

        Raises
        ------
        Hangup
            When there is none.
        """
        if request.path.startswith(CONTROL):
            return self._answer_control(request)
        service = request.service
        try:
            if service not in self.services:
                raise ServiceError("UnknownOperationException", f"this endpoint has no service {service}", 404)
            handler = self.services[service]
            name = handler.name(request)
            self._note(service, name, request)
            self.gate.check(service, name, request)
            response = self._do(handler, service, name, request)
        except ServiceError as error:
            response = answer_error(service, error)
        else:
            if self.gate.is_answer_lost(name):
                raise Hangup
        return response

    def _do(self, handler: Service, service: str, name: str, request: Request) -> Response:
        body = self.gate.spoil(name, request) if service == "s3" else request.body
        if body is None:
            return Response(headers={"ETag": '"lost"'})
        if body is not request.body:
            request = Request(request.method, request.path, request.query, request.headers, body)
        return handler.answer(name, request)

    def _note(self, service: str, name: str, request: Request) -> None:
        call = {"service": service, "operation": name, "time": time.time(), "path": request.path}
        if name == "DescribeJobs":
            call["jobs"] = request.read_json().get("jobs", [])
        with self._lock:
            self._calls.append(call)

    def _answer_control(self, request: Request) -> Response:
        path = request.path[len(CONTROL) :]
        try:
            if path == "calls":
                return answer_json(self._list_calls(request.method == "DELETE"))
            if path == "faults":
                return answer_json(self._set_faults(request))
            if path == "settings":
                for name, value in request.read_json().items():
                    setattr(self.cluster.settings, name, value)
                with self.cluster.changed:
                    self.cluster.changed.notify_all()
                return answer_json(asdict(self.cluster.settings))
            if path == "jobs":
                if request.method == "DELETE":
                    self.cluster.clear()
                with self.cluster.changed:
                    return answer_json([_show(job) for job in self.cluster.jobs.values()])
            if path.startswith("jobs/") and request.method == "POST":
                return answer_json(self._treat(path[len("jobs/") :], request.read_json()))
            raise ServiceError("NotFound", f"there is nothing to control at {path}", 404)
        except ServiceError as error:
            return answer_error("control", error)

    def _list_calls(self, forget: bool) -> list[dict[str, Any]]:
        with self._lock:
            calls = list(self._calls)
            if forget:
                self._calls.clear()
        return calls

    def _set_faults(self, request: Request) -> dict[str, Any]:
        if request.method == "DELETE":
            self.faults.update(asdict(Faults()))
        elif request.method == "PUT":
            self.faults.update(request.read_json())
        with self.cluster.changed:
            self.cluster.changed.notify_all()
        return asdict(self.faults)

    def _treat(self, job_id: str, order: Mapping[str, Any]) -> bool:
        """Do to a job what happens in a data centre: reclaim its machine, exhaust its memory, forget it."""
        what = order.get("do")
        if what == "reclaim":
            return self.cluster.reclaim(job_id)
        if what == "exhaust":
            return self.cluster.exhaust(job_id)
        if what == "forget":
            self.cluster.forget(job_id)
            return True
        raise ServiceError("UnknownOrder", f"what is done to a job is reclaim, exhaust or forget, not {what!r}")


def _show(job: Job) -> dict[str, Any]:
    return {
        "id": job.id,
        "name": job.name,
        "parent": None if job.parent is None else job.parent.id,
        "status": job.status,
        "history": [status for _, status in job.history],
        "command": list(job.container.command) if job.container else [],
        "environment": dict(job.container.environment) if job.container else {},
        "attempts": len(job.attempts),
        "resources": dict(job.container.resources) if job.container else {},
        "size": len(job.children),
    }


class EndpointServer(ThreadingHTTPServer):
    """The HTTP server.

    Parameters
    ----------
    port
        Where it listens on this machine; 0 for any port.
    endpoint
        What it answers with.
    """

    daemon_threads = True
    block_on_close = False
    request_queue_size = 256

    def __init__(self, port: int, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        super().__init__(("127.0.0.1", port), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing about clients that hang up; anything else is an error here."""
        import sys

        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 1 << 16
    server: EndpointServer

    def _handle(self) -> None:
        split = urlsplit(self.path)
        length = int(self.headers.get("Content-Length") or 0)
        request = Request(
            self.command,
            unquote(split.path),
            dict(parse_qsl(split.query, keep_blank_values=True)),
            {name.lower(): value for name, value in self.headers.items()},
            self.rfile.read(length),
        )
        try:
            response = self.server.endpoint.answer(request)
        except Hangup:
            self.close_connection = True
            return
        self.send_response(response.status)
        headers = dict(response.headers)
        headers.setdefault("Content-Length", str(len(response.body)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(response.body)

    def handle_expect_100(self) -> bool:
        """Let a client go on that asks before it sends a body."""
        allowed = super().handle_expect_100()
        self.wfile.flush()
        return allowed

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _handle  # noqa: N815

    def log_message(self, format: str, *args: Any) -> None:
        """Print nothing."""
