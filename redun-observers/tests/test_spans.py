"""Spans, seen through the real SDK of OpenTelemetry."""

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from redun import Scheduler, catch, task
from redun_observers.spans import Spans

redun_namespace = "spans"


@task()
def double(number):
    return 2 * number


@task(tags=[("kind", "total")])
def total(numbers):
    return sum(numbers)


@task()
def main(numbers):
    return total([double(number) for number in numbers])


@task()
def fail():
    raise ValueError("no luck: token='xyzzy'")


@task()
def fail_below():
    return double(fail())


@task()
def recover(error):
    return 0


class Traced:
    """A scheduler whose spans stay in memory."""

    def __init__(self):
        self.exporter = InMemorySpanExporter()
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.tracer = provider.get_tracer("test")
        self.scheduler = Scheduler()
        self.scheduler.observers.add(Spans("test", tracer=self.tracer))

    def run(self, expression, **settings):
        self.exporter.clear()
        return self.scheduler.run(expression, **settings)

    def read(self):
        """Return the spans that have ended, by name, those of one name in the order of their ends."""
        spans = {}
        for span in self.exporter.get_finished_spans():
            spans.setdefault(span.name, []).append(span)
        return spans


@pytest.fixture
def traced():
    """A scheduler whose spans stay in memory."""
    return Traced()


def test_spans_are_nested_as_jobs_are(traced):
    """The span of a job lies below that of the job that made it, the root job's below the execution's: one trace."""
    traced.run(main([1, 2]))

    spans = traced.read()
    (execution,), (root,) = spans["redun.execution"], spans["spans.main"]
    assert execution.parent is None
    assert root.parent.span_id == execution.context.span_id
    below = [*spans["spans.double"], *spans["spans.total"]]
    assert [span.parent.span_id for span in below] == [root.context.span_id] * 3
    assert len({span.context.trace_id for named in spans.values() for span in named}) == 1


def test_spans_lie_within_those_above(traced):
    """A span begins and ends within the span above it."""
    traced.run(main([1]))

    spans = {span.context.span_id: span for named in traced.read().values() for span in named}
    for span in spans.values():
        if span.parent is not None:
            above = spans[span.parent.span_id]
            assert above.start_time <= span.start_time <= span.end_time <= above.end_time


def test_attributes_tell_what_it_was(traced):
    """Spans have the attributes that the README lists, and a call's are those by which ``redun log`` finds it."""
    traced.run(main([1]), exec_argv=["redun", "run", "--token=x"], tags=[("env", "test"), ("n", {"a": 1})])

    spans = traced.read()
    execution, job = spans["redun.execution"][0].attributes, spans["spans.total"][0].attributes
    recorded = traced.scheduler.backend.jobs[job["redun.job.id"]]
    assert execution["redun.execution.args"] == ("redun", "run", "--token=***")
    assert (execution["redun.tag.env"], execution["redun.tag.n"]) == ("test", "{'a': 1}")
    assert job["redun.execution.id"] == execution["redun.execution.id"] == recorded.execution_id
    assert job["redun.job.call_hash"] == recorded.call_hash
    assert (job["redun.task.name"], job["redun.task.namespace"]) == ("total", "spans")
    assert job["redun.task.hash"] == recorded.task_hash
    assert (job["redun.job.status"], job["redun.tag.kind"]) == ("DONE", "total")
    assert job["redun.job.reason"]
    assert len(job["redun.job.eval_hash"]) == 40


def test_answers_from_the_cache_are_marked(traced):
    """A job that is answered from the cache has a span with status CACHED."""
    traced.run(main([1]))
    traced.run(main([1]))

    statuses = [span.attributes["redun.job.status"] for span in traced.read()["spans.double"]]
    assert statuses == ["CACHED"]


def test_failures_are_marked_up_to_the_root(traced):
    """Every span that failed says so; only that of the call which raised the error has it as an event."""
    with pytest.raises(ValueError, match="no luck"):
        traced.run(fail_below())

    spans = traced.read()
    failed = [spans[name][0] for name in ("spans.fail", "spans.fail_below", "redun.execution")]
    assert [span.status.status_code for span in failed] == [StatusCode.ERROR] * 3
    assert {span.status.description for span in failed} == {"ValueError: no luck: token='***'"}
    assert [[event.name for event in span.events] for span in failed] == [["exception"], [], []]
    told = failed[0].events[0].attributes
    assert (told["exception.type"], told["exception.message"]) == ("ValueError", "no luck: token='***'")
    assert "in fail" in told["exception.stacktrace"]
    assert "xyzzy" not in told["exception.stacktrace"]


def test_what_was_recovered_from_fails_alone(traced):
    """The execution is not marked as failed when the workflow recovered from the error."""
    assert traced.run(catch(fail(), ValueError, recover)) == 0

    spans = traced.read()
    assert spans["spans.fail"][0].status.status_code is StatusCode.ERROR
    assert spans["redun.execution"][0].status.status_code is StatusCode.UNSET


def test_an_execution_lies_below_the_span_of_the_program(traced):
    """An execution's span is a child of the one that is current where the scheduler runs."""
    with traced.tracer.start_as_current_span("program") as program:
        traced.run(double(1))

    (execution,) = traced.read()["redun.execution"]
    assert execution.parent.span_id == program.get_span_context().span_id


def test_no_span_is_left_open(traced):
    """What was stopped with a failed execution has ended spans, too, and nothing is kept for the next execution."""
    with pytest.raises(ValueError, match="no luck"):
        traced.run([fail(), double(1), main([1, 2])], on_error="stop")
    traced.run(double(2))

    spans = traced.read()
    assert sorted(spans) == ["redun.execution", "spans.double"]
    assert spans["spans.double"][0].parent.span_id == spans["redun.execution"][0].context.span_id


def test_spans_are_sent_to_an_endpoint(observed, server, monkeypatch):
    """With an endpoint, spans arrive there by OTLP, with the service's name and the headers of the environment."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-key=a%20b")

    observed(type="otel", endpoint=f"{server.url}/v1/traces", service="pipeline").run(main([1, 2]))

    sent = [ExportTraceServiceRequest.FromString(body) for _, _, body in server.posts]
    resources = [resource for request in sent for resource in request.resource_spans]
    names = [span.name for resource in resources for scope in resource.scope_spans for span in scope.spans]
    services = {
        item.value.string_value for one in resources for item in one.resource.attributes if item.key == "service.name"
    }
    assert sorted(names) == ["redun.execution", "spans.double", "spans.double", "spans.main", "spans.total"]
    assert services == {"pipeline"}
    assert {path for path, _, _ in server.posts} == {"/v1/traces"}
    assert {headers["X-Key"] for _, headers, _ in server.posts} == {"a b"}


def test_the_environment_names_the_endpoint(observed, server, monkeypatch):
    """Without an endpoint, and without a tracer provider, spans go where OpenTelemetry's variable says."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", server.url)

    observed(type="otel").run(double(1))

    assert [path for path, _, _ in server.posts] == ["/v1/traces"] * len(server.posts)
    assert server.posts


def test_an_endpoint_that_is_down_does_not_stop_a_run(observed, server, warned):
    """When the endpoint refuses, the run goes on; the loss is said once, and its size in the end."""
    url = server.url
    server.stop()

    result = observed(type="otel", endpoint=f"{url}/v1/traces").run(main([1, 2]))

    assert result == 6
    assert warned()[0].startswith("observer 'watch' (Spans) drops events: ConnectionError")
    assert warned()[1:] == ["observer 'watch' (Spans): 5 of 5 events were dropped"]
