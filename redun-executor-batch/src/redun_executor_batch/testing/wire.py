"""Requests and answers as the AWS protocols write them: REST-JSON, JSON 1.1, query and REST-XML."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

_SCOPE = re.compile(r"Credential=([^/]+)/\d+/[^/]+/([^/]+)/aws4_request")


@dataclass(frozen=True)
class Request:
    """An HTTP request.

    Attributes
    ----------
    method, path
        The method, and the path with escapes resolved.
    query : Mapping[str, str]
        The parameters behind the path.
    headers : Mapping[str, str]
        The headers, their names in lower case.
    body : bytes
        What was sent.
    """

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    @property
    def service(self) -> str:
        """The service that a request was signed for; S3, if it was not signed."""
        signed = _SCOPE.search(self.headers.get("authorization", ""))
        return signed[2] if signed else "s3"

    @property
    def account(self) -> str:
        """The access key that a request was signed with, empty if it was not signed."""
        signed = _SCOPE.search(self.headers.get("authorization", ""))
        return signed[1] if signed else ""

    def read_json(self) -> dict[str, Any]:
        """Return the body as a JSON object.

        Raises
        ------
        ServiceError
            When it is none.
        """
        try:
            found = json.loads(self.body or b"{}")
        except ValueError as error:
            raise ServiceError("SerializationException", f"the body is no JSON: {error}") from None
        if not isinstance(found, dict):
            raise ServiceError("SerializationException", "the body is no JSON object")
        return found

    def read_form(self) -> dict[str, str]:
        """Return the body as the fields of a form."""
        return {name: values[0] for name, values in parse_qs(self.body.decode(), keep_blank_values=True).items()}


@dataclass(frozen=True)
class Response:
    """An answer: status, headers and body."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


class ServiceError(Exception):
    """What a service refuses.

    Parameters
    ----------
    code
        The kind of error, as the service's documentation calls it.
    message
        What it says.
    status
        The HTTP status.
    """

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(f"{code}: {message}")
        self.code, self.message, self.status = code, message, status


class Hangup(Exception):
    """The connection is closed without an answer."""


def answer_json(content: Any, status: int = 200) -> Response:
    """Return an answer in JSON."""
    return Response(status, json.dumps(content).encode(), {"Content-Type": "application/json"})


def answer_xml(text: str, status: int = 200) -> Response:
    """Return an answer in XML."""
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n{text}'
    return Response(status, body.encode(), {"Content-Type": "application/xml"})


def answer_error(service: str, error: ServiceError) -> Response:
    """Return an error as the clients of a service expect it.

    Examples
    --------
    >>> answer_error("batch", ServiceError("ClientException", "no such queue")).headers["x-amzn-ErrorType"]
    'ClientException'
    """
    if service == "s3":
        text = f"<Error><Code>{error.code}</Code><Message>{escape(error.message)}</Message></Error>"
        return answer_xml(text, error.status)
    if service == "sts":
        kind = f"<Type>Sender</Type><Code>{error.code}</Code><Message>{escape(error.message)}</Message>"
        return answer_xml(f"<ErrorResponse><Error>{kind}</Error></ErrorResponse>", error.status)
    content = {"__type": error.code, "message": error.message}
    headers = {"Content-Type": "application/json", "x-amzn-ErrorType": error.code}
    return Response(error.status, json.dumps(content).encode(), headers)


def element(name: str, *content: str | int, **attributes: str) -> str:
    """Return an XML element. Texts with a tag in front are taken as elements, others are escaped.

    Examples
    --------
    >>> element("Owner", element("ID", "a&b"))
    '<Owner><ID>a&amp;b</ID></Owner>'
    """
    inner = "".join(part if isinstance(part, _Markup) else escape(str(part)) for part in content)
    return _Markup(f"<{name}{''.join(f' {key}={value!r}' for key, value in attributes.items())}>{inner}</{name}>")


class _Markup(str):
    """A text that is XML already."""

    __slots__ = ()
