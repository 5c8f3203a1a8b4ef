"""Sending spans by OTLP over HTTP, with a tracer provider of its own. Importing this imports the OpenTelemetry SDK."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING
from urllib.parse import unquote

from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider

from redun._version import __version__
from redun_observers.outbox import Outbox
from redun_observers.posting import Poster

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer

    from redun_observers.spans import SpansOptions

_VARIABLE = "OTEL_EXPORTER_OTLP"
_LOCAL = "http://localhost:4318"


class Sending(SpanProcessor):
    """Puts every span that has ended into an outbox.

    Parameters
    ----------
    outbox
        The outbox.
    """

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox

    def on_end(self, span: ReadableSpan) -> None:
        """Have a span sent."""
        self._outbox.put(span)


def open_tracer(owner: str, options: SpansOptions) -> tuple[Tracer, Callable[[], None]]:
    """Return a tracer whose spans are sent, and a function that sends what is left when an execution has ended."""
    headers = {"Content-Type": "application/x-protobuf", **read_headers()}
    poster = Poster(options.endpoint or find_endpoint(), headers, options.timeout)

    def send(spans: Sequence[ReadableSpan]) -> None:
        poster.post(encode_spans(spans).SerializeToString())

    outbox = Outbox(owner, send, options)
    provider = TracerProvider(resource=Resource.create({"service.name": options.service}), shutdown_on_exit=False)
    provider.add_span_processor(Sending(outbox))
    return provider.get_tracer("redun", __version__), outbox.close


def find_endpoint() -> str:
    """Return where the environment says that spans go, by the names of OpenTelemetry."""
    given = os.environ.get(f"{_VARIABLE}_TRACES_ENDPOINT")
    return given or f"{os.environ.get(f'{_VARIABLE}_ENDPOINT', _LOCAL).rstrip('/')}/v1/traces"


def read_headers() -> Mapping[str, str]:
    """Return the headers that the environment says are sent along, such as keys."""
    text = os.environ.get(f"{_VARIABLE}_TRACES_HEADERS") or os.environ.get(f"{_VARIABLE}_HEADERS", "")
    pairs = (item.partition("=") for item in text.split(","))
    return {name.strip(): unquote(value.strip()) for name, equals, value in pairs if equals}
