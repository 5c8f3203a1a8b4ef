"""A proxy that starts executions of entry points for who has its token: an ASGI application.

``POST /`` with a form of ``config_name``, ``entrypoint``, ``input_path``, ``execution_id`` and ``cache``, and a header
``Authorization: Bearer TOKEN``. The answer is JSON. Arguments are pickles, which can run code, so their path has to be
below a folder that the configuration names::

    [proxy]
    inputs = s3://bucket/redun/

    [proxy.configs]
    genomics = /opt/genomics/.redun

``app`` serves the configuration of the working directory, for servers that take an application by its name.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import os
import posixpath
import urllib.parse
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

from redun.config import Config, find_config_dir
from redun.errors import ConfigError, RedunError, UnknownNameError
from redun.logging import logger
from redun.settings import parse_options
from redun_remote.entrypoints import find_entrypoint
from redun_remote.federated import launch_federated_task
from redun_remote.token import read_token

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

MAX_BODY = 64 * 1024
"""How long a request may be, in bytes."""

_FIELDS = ("config_name", "entrypoint", "input_path", "execution_id")


@dataclass(frozen=True)
class ProxyOptions:
    """Options of the proxy, section ``[proxy]``."""

    inputs: tuple[str, ...] = field(metadata={"help": "the folders or URLs below which arguments may be"})


class Answer(NamedTuple):
    """What the proxy answers: a status of HTTP, and JSON."""

    status: int
    content: Mapping[str, Any]


class Proxy:
    """The application.

    Parameters
    ----------
    config
        The configuration, with sections ``[proxy]`` and ``[proxy.configs]``.
    token
        What requests must know.
    """

    def __init__(self, config: Config, token: str) -> None:
        self._options = parse_options(ProxyOptions, config.section("proxy"), "[proxy]")
        self._folders = {
            name: str(Path(config.configdir or ".", folder)) for name, folder in config.section("proxy.configs").items()
        }
        if not self._options.inputs or not self._folders:
            raise ConfigError("[proxy] needs option inputs, and [proxy.configs] at least one NAME = FOLDER")
        self._token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request of HTTP."""
        if scope["type"] == "lifespan":
            await _live(receive, send)
            return
        if scope["type"] != "http":
            raise ConfigError(f"the proxy speaks HTTP, not {scope['type']!r}")
        answer = await self._answer(scope, receive)
        body = json.dumps(answer.content).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        headers += [(b"www-authenticate", b"Bearer")] if answer.status == 401 else []
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _answer(self, scope: Scope, receive: Receive) -> Answer:
        if not self._is_authorized(scope):
            return Answer(401, {"error": "the request has no token that is known here"})
        if scope["path"] != "/":
            return Answer(404, {"error": "there is nothing but /"})
        if scope["method"] != "POST":
            return Answer(405, {"error": "a request is made by POST"})
        body = await _read_body(receive)
        if body is None:
            return Answer(413, {"error": f"a request has {MAX_BODY} bytes at most"})
        try:
            form = {name: values[-1] for name, values in urllib.parse.parse_qs(body.decode("ascii")).items()}
        except UnicodeDecodeError:
            return Answer(400, {"error": "a request is a form, URL-encoded"})
        return await asyncio.to_thread(self._start, form)

    def _is_authorized(self, scope: Scope) -> bool:
        given = next((value for name, value in scope["headers"] if name.lower() == b"authorization"), b"")
        return hmac.compare_digest(given, f"Bearer {self._token}".encode())

    def _start(self, form: Mapping[str, str]) -> Answer:
        """Start an execution, or say what is wrong with the request."""
        problem = self._find_problem(form)
        if problem is not None:
            return problem
        folder, execution_id = self._folders[form["config_name"]], form["execution_id"]
        try:
            find_entrypoint(Config.read(folder), form["entrypoint"])
        except UnknownNameError:
            return Answer(404, {"error": f"there is no entry point {form['entrypoint']!r} in {form['config_name']!r}"})
        except RedunError as error:
            logger.error("the proxy can't read %s: %s", folder, error)
            return Answer(500, {"error": "the configuration can't be read; the proxy's log says why"})
        try:
            launch_federated_task(
                folder,
                form["entrypoint"],
                input_path=form["input_path"],
                execution_id=execution_id,
                cache=form.get("cache", "true").lower() != "false",
            )
        except Exception as error:  # What an executor raises must not end the proxy, or reach who asks.
            logger.error("the proxy can't start %s of %s: %s", form["entrypoint"], form["config_name"], error)
            return Answer(502, {"error": "the execution can't be started; the proxy's log says why"})
        logger.info("the proxy started %s of %s: %s", form["entrypoint"], form["config_name"], execution_id)
        return Answer(202, {"execution_id": execution_id})

    def _find_problem(self, form: Mapping[str, str]) -> Answer | None:
        missing = [name for name in _FIELDS if not form.get(name)]
        if missing:
            return Answer(400, {"error": f"the request lacks {' and '.join(missing)}"})
        if form["config_name"] not in self._folders:
            return Answer(404, {"error": f"there is no configuration {form['config_name']!r}"})
        try:
            UUID(form["execution_id"])
        except ValueError:
            return Answer(400, {"error": "execution_id must be a UUID"})
        if not any(is_below(form["input_path"], folder) for folder in self._options.inputs):
            return Answer(403, {"error": "input_path is not below a folder from which arguments are taken"})
        return None


def is_below(path: str, folder: str) -> bool:
    """Whether a path is below a folder, however it is written.

    Examples
    --------
    >>> is_below("s3://bucket/redun/a", "s3://bucket/redun"), is_below("s3://bucket/redun-2/a", "s3://bucket/redun")
    (True, False)
    >>> is_below("/data/../etc/a", "/data")
    False
    """
    if ".." in path.split("/"):
        return False
    scheme, separator, rest = path.rpartition("://")
    normal = f"{scheme}{separator}{posixpath.normpath(rest)}"
    return normal.startswith(f"{folder.rstrip('/')}/")


def make_app(config_dir: str | None = None, environment: Mapping[str, str] = os.environ) -> Proxy:
    """Return the application for a configuration folder, by default the one that commands find, and an environment.

    Raises
    ------
    ConfigError
        When there is no configuration of a proxy, or no token.
    """
    return Proxy(Config.read(find_config_dir(config_dir)), read_token(environment))


async def _read_body(receive: Receive) -> bytes | None:
    """Return the body of a request; None if it is too long."""
    body = b""
    while True:
        message = await receive()
        part: bytes = message.get("body", b"")
        body += part
        if len(body) > MAX_BODY:
            return None
        if not message.get("more_body"):
            return body


async def _live(receive: Receive, send: Send) -> None:
    """Take part in the start and the end of a server."""
    while (message := await receive())["type"] != "lifespan.shutdown":
        await send({"type": f"{message['type']}.complete"})
    await send({"type": "lifespan.shutdown.complete"})


def __getattr__(name: str) -> Any:
    if name != "app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return make_app()
