"""The hook module: which observers there are. It implements no lifecycle hook, so who asks for none pays for none."""

from __future__ import annotations

from collections.abc import Iterable

from redun.plugins.provider import Provider
from redun.plugins.specs import hookimpl

redun_api = 1


@hookimpl
def redun_observers() -> Iterable[Provider]:
    """Offer the observers."""
    for name, target, summary in (
        ("jsonl", "event_log:EventLog", "A file of events, one JSON object a line"),
        ("otel", "spans:Spans", "OpenTelemetry spans of executions and jobs"),
        ("openlineage", "lineage:Lineage", "OpenLineage events of the files that calls read and made"),
    ):
        yield Provider(name, f"redun_observers.{target}", summary)
