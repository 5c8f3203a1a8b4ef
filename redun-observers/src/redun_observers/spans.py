"""Spans of OpenTelemetry: one for each execution, and below it one for each job, nested as the jobs are.

Spans go to the tracer provider of the program, if it has set one up; with the option ``endpoint``, and where there is
no provider, the observer makes one of its own, which sends them by OTLP over HTTP through an outbox.

An execution's span is named ``redun.execution``, a job's by its task. Attributes begin with ``redun.``:
``execution.id``, ``execution.args``, ``job.id``, ``job.status`` (``DONE``, ``CACHED`` or ``FAILED``), ``job.reason``,
``job.eval_hash``, ``job.call_hash``, ``task.name``, ``task.namespace``, ``task.hash``, and ``tag.KEY`` for tags. A
span that failed has status ERROR; the one whose own call raised the error has it as an event.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from traceback import format_exception
from typing import TYPE_CHECKING, Any

from redun._version import __version__
from redun.errors import MissingPluginError
from redun.masking import mask_secrets
from redun.observing import Observer
from redun.scheduler import Execution, Job
from redun_observers.events import describe_error, mask_arguments
from redun_observers.outbox import OutboxOptions
from redun_observers.posting import check_url

if TYPE_CHECKING:
    from opentelemetry.trace import Span, Tracer

EXECUTION = "redun.execution"


@dataclass(frozen=True)
class SpansOptions(OutboxOptions):
    """Options of spans."""

    endpoint: str | None = field(
        default=None,
        metadata={
            "help": "where to send spans, such as http://localhost:4318/v1/traces; default is the tracer provider of "
            "the program, else what OTEL_EXPORTER_OTLP_ENDPOINT says, else that address"
        },
    )
    service: str = field(default="redun", metadata={"help": "the service.name of spans that the observer itself sends"})
    timeout: float = field(
        default=5.0, metadata={"help": "how long the endpoint may take to answer, in seconds", "minimum": 0.001}
    )

    def __post_init__(self) -> None:
        """Check that the endpoint is an address."""
        if self.endpoint is not None:
            check_url(self.endpoint)


class Spans(Observer):
    """Makes spans of what happens.

    Parameters
    ----------
    name, options
        See `Observer`.
    tracer
        Where spans are made, in place of what the options say.
    """

    options_type = SpansOptions

    def __init__(self, name: str, options: SpansOptions | None = None, tracer: Tracer | None = None) -> None:
        super().__init__(name, options)
        _require("opentelemetry.trace")
        self._tracer = tracer
        self._close: Callable[[], None] = _do_nothing
        self._trace: Trace | None = None
        if tracer is None and self.options.endpoint is not None:
            self._set_up()

    def redun_execution_start(self, execution: Execution) -> None:
        """Begin the span of an execution, below that which is current in the program."""
        from opentelemetry.trace import get_tracer, get_tracer_provider

        if self._tracer is None and _is_without_sdk(get_tracer_provider()):
            self._set_up()
        self._trace = Trace(self._tracer or get_tracer("redun", __version__), execution)

    def redun_job_start(self, job: Job) -> None:
        """Begin the span of a job."""
        if self._trace is not None:
            self._trace.begin(job)

    def redun_job_finish(self, job: Job) -> None:
        """End the span of a job."""
        if self._trace is not None:
            self._trace.end(job)

    def redun_execution_finish(self, execution: Execution, error: BaseException | None) -> None:
        """End the span of an execution, and send what is not sent yet."""
        if self._trace is not None:
            self._trace.close(error)
            self._trace = None
        self._close()

    def _set_up(self) -> None:
        for module in ("opentelemetry.sdk.trace", "opentelemetry.exporter.otlp.proto.common"):
            _require(module)
        from redun_observers.otlp import open_tracer

        self._tracer, self._close = open_tracer(str(self), self.options)


class Trace:
    """The spans of one execution, from its start to its end.

    Parameters
    ----------
    tracer
        Where spans are made.
    execution
        The execution, whose span begins now.
    """

    def __init__(self, tracer: Tracer, execution: Execution) -> None:
        self._tracer = tracer
        self._open: dict[str, Span] = {}
        self._told: dict[int, BaseException] = {}
        attributes = {
            "redun.execution.id": execution.id,
            "redun.execution.args": mask_arguments(execution.args),
            **_describe_tags(execution.tags),
        }
        self._root = tracer.start_span(EXECUTION, attributes=attributes)

    def begin(self, job: Job) -> None:
        """Begin the span of a job, below that of the job that made it."""
        from opentelemetry.context import Context
        from opentelemetry.trace import set_span_in_context

        above = self._open.get(job.parent_job.id) if job.parent_job is not None else None
        self._open[job.id] = self._tracer.start_span(
            job.task.fullname,
            context=set_span_in_context(above or self._root, Context()),
            attributes=_describe_job(job),
            start_time=_to_nanoseconds(job.start_time),
        )

    def end(self, job: Job) -> None:
        """End the span of a job; without one, as of a job that is refused before it starts, do nothing."""
        span, outcome = self._open.pop(job.id, None), job.outcome
        if span is None or outcome is None:
            return
        span.set_attribute("redun.job.status", job.status.name)
        if outcome.call_hash:
            span.set_attribute("redun.job.call_hash", outcome.call_hash)
        if outcome.error is not None:
            self._mark(span, outcome.error)
        span.end(_to_nanoseconds(job.end_time) if job.end_time else None)

    def close(self, error: BaseException | None) -> None:
        """End the span of the execution, and those of jobs that never ended."""
        for span in self._open.values():
            span.end()
        if error is not None:
            self._mark(self._root, error)
        self._root.end()

    def _mark(self, span: Span, error: BaseException) -> None:
        """Mark a span as failed; the first one of an error carries it, those above say only that they failed."""
        from opentelemetry.trace import StatusCode

        described = describe_error(error)
        span.set_status(StatusCode.ERROR, f"{described['type']}: {described['message']}")
        if id(error) not in self._told:
            self._told[id(error)] = error
            stack = mask_secrets("".join(format_exception(error)))
            told = {"type": described["type"], "message": described["message"], "stacktrace": stack}
            span.add_event("exception", {f"exception.{name}": text for name, text in told.items()})


def _require(module: str) -> None:
    try:
        is_there = find_spec(module) is not None
    except ModuleNotFoundError:
        is_there = False
    if not is_there:
        raise MissingPluginError(
            f"observer 'otel' needs module {module}, which is not installed: pip install 'redun-observers[otel]'",
            name=module,
        )


def _is_without_sdk(provider: Any) -> bool:
    """Whether spans would go nowhere, because the program has set up no tracer provider."""
    return type(provider).__module__.startswith("opentelemetry.trace")


def _describe_job(job: Job) -> Mapping[str, Any]:
    described = {
        "redun.execution.id": job.execution.id,
        "redun.job.id": job.id,
        "redun.task.name": job.task.name,
        "redun.task.namespace": job.task.namespace,
        "redun.task.hash": job.task.hash,
    }
    if job.eval_hash:
        described["redun.job.eval_hash"] = job.eval_hash
    if job.reason:
        described["redun.job.reason"] = job.reason
    return {**described, **_describe_tags(job.get_option("tags") or ())}


def _describe_tags(tags: Iterable[tuple[str, Any]]) -> Mapping[str, Any]:
    """Return tags as attributes; of values that are no single number, text or truth value the text."""
    return {
        f"redun.tag.{key}": value if isinstance(value, bool | int | float | str) else str(value) for key, value in tags
    }


def _to_nanoseconds(seconds: float) -> int:
    return int(seconds * 1e9)


def _do_nothing() -> None:
    """Do nothing, where the program itself looks after its spans."""
