"""A small server for one ASGI application, of the standard library alone: a thread for each request."""

from __future__ import annotations

import asyncio
from collections.abc import MutableMapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from redun.logging import logger
from redun_remote.proxy import MAX_BODY, Proxy

TIMEOUT = 30.0
"""How long a client may take to send its request, in seconds."""


def make_server(app: Proxy, host: str, port: int) -> ThreadingHTTPServer:
    """Return a server that answers by an application; `serve_forever` runs it.

    Parameters
    ----------
    app
        The application.
    host, port
        Where it listens; port 0 for any that is free.
    """

    class Handler(BaseHTTPRequestHandler):
        timeout = TIMEOUT

        def _handle(self) -> None:
            sent: list[MutableMapping[str, Any]] = []
            asyncio.run(_ask(app, self, sent))
            start, *rest = sent
            self.send_response(start["status"])
            for name, value in start["headers"]:
                self.send_header(name.decode(), value.decode())
            self.end_headers()
            for message in rest:
                self.wfile.write(message["body"])

        do_GET = do_POST = do_PUT = do_DELETE = _handle  # noqa: N815

        def log_message(self, format: str, *args: Any) -> None:
            logger.debug("proxy: %s", format % args)

    return ThreadingHTTPServer((host, port), Handler)


async def _ask(app: Proxy, request: BaseHTTPRequestHandler, sent: list[MutableMapping[str, Any]]) -> None:
    """Let an application answer a request, and take its messages."""
    headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in request.headers.items()]
    scope = {"type": "http", "method": request.command, "path": request.path.partition("?")[0], "headers": headers}

    async def receive() -> MutableMapping[str, Any]:
        text = request.headers.get("Content-Length", "0")
        length = int(text) if text.isdigit() else 0
        return {"type": "http.request", "body": request.rfile.read(min(length, MAX_BODY + 1)), "more_body": False}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    await app(scope, receive, send)
