"""Log streams in memory, and the slice of CloudWatch Logs that reads them."""

from __future__ import annotations

import threading
import time
from typing import Any

from redun_executor_batch.testing.wire import Request, Response, ServiceError, answer_json

GROUP = "/aws/batch/job"
_MAX_EVENTS = 10_000


class LogService:
    """What jobs printed, line by line, and the requests for it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._streams: dict[str, list[tuple[int, str]]] = {}

    def write(self, stream: str, lines: list[str]) -> None:
        """Add lines to a stream, which is made when there is none."""
        now = round(time.time() * 1000)
        with self._lock:
            self._streams.setdefault(stream, []).extend((now, line) for line in lines)

    def name(self, request: Request) -> str:
        """Return what a request asks for."""
        return request.headers.get("x-amz-target", "").rpartition(".")[2]

    def answer(self, name: str, request: Request) -> Response:
        """Do what a request asks for."""
        asked = request.read_json()
        if asked.get("logGroupName", GROUP) != GROUP:
            raise ServiceError("ResourceNotFoundException", "The specified log group does not exist.")
        if name == "GetLogEvents":
            return answer_json(self._get_events(asked))
        if name == "DescribeLogStreams":
            prefix = asked.get("logStreamNamePrefix", "")
            with self._lock:
                names = sorted(stream for stream in self._streams if stream.startswith(prefix))
            return answer_json({"logStreams": [{"logStreamName": stream} for stream in names]})
        raise ServiceError("UnknownOperationException", f"this endpoint does not answer {name}")

    def _get_events(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Return a page of a stream. Tokens are positions, and that at the end is given again when nothing came."""
        with self._lock:
            stream = self._streams.get(asked.get("logStreamName", ""))
            if stream is None:
                raise ServiceError("ResourceNotFoundException", "The specified log stream does not exist.")
            events = list(stream)
        limit = min(int(asked.get("limit", _MAX_EVENTS)), _MAX_EVENTS)
        token = asked.get("nextToken")
        if token is not None:
            way, _, place = token.partition("/")
            if way not in ("f", "b") or not place.isdigit():
                raise ServiceError("InvalidParameterException", "The specified nextToken is invalid.")
            start = int(place) if way == "f" else max(int(place) - limit, 0)
            stop = start + limit if way == "f" else int(place)
        elif asked.get("startFromHead"):
            start, stop = 0, limit
        else:
            start, stop = max(len(events) - limit, 0), len(events)
        chosen = events[start:stop]
        now = round(time.time() * 1000)
        return {
            "events": [{"timestamp": when, "message": line, "ingestionTime": now} for when, line in chosen],
            "nextForwardToken": f"f/{start + len(chosen)}",
            "nextBackwardToken": f"b/{start}",
        }
