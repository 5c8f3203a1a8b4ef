"""Events of OpenLineage: which files went into calls and came out of them, for catalogues of data such as Marquez.

An execution is a run of a job that is named by its root task, with events START and COMPLETE or FAIL. A call that ran
is a run of the job named by its task, with the execution's run as parent, if files are among its arguments or in its
result. Its two events are sent when it has ended, for only then is it known whether there are files. A file counts as
output of the call that returned it first, not of those above that pass it on.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from redun._version import __version__
from redun.observing import Observer
from redun.scheduler import Execution, Job, JobStatus
from redun_observers.datasets import Dataset, find_datasets, find_encoded_datasets
from redun_observers.event_log import append_events
from redun_observers.events import Event, describe_error, format_time
from redun_observers.outbox import Outbox, OutboxOptions
from redun_observers.posting import Poster, check_url

SCHEMA = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"
FACETS = "https://openlineage.io/spec/facets"


@dataclass(frozen=True)
class LineageOptions(OutboxOptions):
    """Options of OpenLineage events."""

    url: str | None = field(
        default=None, metadata={"help": "the server to send events to, such as http://localhost:5000"}
    )
    endpoint: str = field(default="api/v1/lineage", metadata={"help": "where on the server they go"})
    api_key: str | None = field(
        default=None, metadata={"help": "the key to show the server; ${NAME} takes it from the environment"}, repr=False
    )
    path: str | None = field(
        default=None, metadata={"help": "a file to append events to; relative to the configuration folder"}
    )
    namespace: str = field(default="redun", metadata={"help": "the namespace of jobs"})
    producer: str = field(
        default=f"urn:redun:{__version__}", metadata={"help": "the URI that says what made the events"}
    )
    timeout: float = field(
        default=5.0, metadata={"help": "how long the server may take to answer, in seconds", "minimum": 0.001}
    )
    config_dir: str | None = field(default=None, metadata={"help": "the folder that paths are relative to"})

    def __post_init__(self) -> None:
        """Check that there is one place for events to go to."""
        if (self.url is None) == (self.path is None):
            raise ValueError("OpenLineage events go to either a server (url) or a file (path); name one of them")
        if self.url is not None:
            check_url(self.url)


class Lineage(Observer):
    """Tells OpenLineage which files calls read and made."""

    options_type = LineageOptions

    def __init__(self, name: str, options: LineageOptions) -> None:
        super().__init__(name, options)
        self._outbox = Outbox(str(self), self._find_destination(), options, batch=1)
        self._inputs: dict[str, list[Dataset]] = {}
        self._made: set[Dataset] = set()
        self._start = ""
        self._name = ""

    def redun_execution_start(self, execution: Execution) -> None:
        """Note when an execution starts; what it is called is known when its first job does."""
        self._inputs.clear()
        self._made.clear()
        self._start, self._name = format_time(), ""

    def redun_job_start(self, job: Job) -> None:
        """Note the files among the arguments of a job."""
        if not self._name:
            self._tell_start(job.execution)
        if job.encoded is not None:
            self._inputs[job.id] = find_encoded_datasets([*job.encoded.positional, *job.encoded.keyword.values()])

    def redun_job_finish(self, job: Job) -> None:
        """Tell of a call that has ended, if it was made and has to do with files."""
        inputs, outcome = self._inputs.pop(job.id, []), job.outcome
        assert outcome is not None
        passed_on = {*self._made, *inputs}
        outputs = [dataset for dataset in find_datasets(outcome.value) if dataset not in passed_on]
        self._made.update(outputs)
        if job.status is JobStatus.CACHED or not (inputs or outputs):
            return
        run = {"runId": job.id, "facets": {"parent": self._make_parent(job.execution)}}
        called = self._make_job(job.task.fullname, "TASK")
        self._put("START", format_time(job.start_time), run, called, inputs, [])
        self._put_end(outcome.error, format_time(job.end_time), run, called, inputs, outputs)

    def redun_execution_finish(self, execution: Execution, error: BaseException | None) -> None:
        """Tell that an execution has ended, and send what is not sent yet."""
        if not self._name:
            self._tell_start(execution)
        self._put_end(error, format_time(), {"runId": execution.id}, self._make_job(self._name, "EXECUTION"), [], [])
        self._outbox.close()

    def _find_destination(self) -> Callable[[Sequence[Event]], None]:
        options = self.options
        if options.url is not None:
            url = f"{options.url.rstrip('/')}/{options.endpoint.lstrip('/')}"
            headers = {"Content-Type": "application/json"}
            if options.api_key:
                headers["Authorization"] = f"Bearer {options.api_key}"
            poster = Poster(url, headers, options.timeout)
            return lambda events: poster.post(json.dumps(events[0], default=str).encode())
        path = Path(options.config_dir or ".", options.path)
        return lambda events: append_events(path, events)

    def _tell_start(self, execution: Execution) -> None:
        self._name = execution.job.task.fullname if execution.job is not None else "redun.execution"
        self._put("START", self._start, {"runId": execution.id}, self._make_job(self._name, "EXECUTION"), [], [])

    def _put_end(
        self,
        error: BaseException | None,
        when: str,
        run: Mapping[str, Any],
        job: Mapping[str, Any],
        inputs: Sequence[Dataset],
        outputs: Sequence[Dataset],
    ) -> None:
        if error is not None:
            facet = self._make_facet("1-0-1/ErrorMessageRunFacet", programmingLanguage="Python")
            described = describe_error(error)
            facet["message"] = f"{described['type']}: {described['message']}"
            run = {**run, "facets": {**run.get("facets", {}), "errorMessage": facet}}
        self._put("COMPLETE" if error is None else "FAIL", when, run, job, inputs, outputs)

    def _put(
        self,
        kind: str,
        when: str,
        run: Mapping[str, Any],
        job: Mapping[str, Any],
        inputs: Sequence[Dataset],
        outputs: Sequence[Dataset],
    ) -> None:
        self._outbox.put(
            {
                "eventType": kind,
                "eventTime": when,
                "run": run,
                "job": job,
                "inputs": [self._make_dataset(dataset) for dataset in inputs],
                "outputs": [self._make_dataset(dataset) for dataset in outputs],
                "producer": self.options.producer,
                "schemaURL": SCHEMA,
            }
        )

    def _make_parent(self, execution: Execution) -> Event:
        parent = {"run": {"runId": execution.id}, "job": {"namespace": self.options.namespace, "name": self._name}}
        return self._make_facet("1-1-0/ParentRunFacet", **parent, root=parent)

    def _make_job(self, name: str, kind: str) -> Event:
        facet = self._make_facet("2-0-3/JobTypeJobFacet", processingType="BATCH", integration="REDUN", jobType=kind)
        return {"namespace": self.options.namespace, "name": name, "facets": {"jobType": facet}}

    def _make_dataset(self, dataset: Dataset) -> Event:
        facet = self._make_facet("1-0-1/DatasetVersionDatasetFacet", datasetVersion=dataset.version)
        return {"namespace": dataset.namespace, "name": dataset.name, "facets": {"version": facet}}

    def _make_facet(self, schema: str, **content: Any) -> Event:
        name = schema.rpartition("/")[2]
        return {
            "_producer": self.options.producer,
            "_schemaURL": f"{FACETS}/{schema}.json#/$defs/{name}",
            **content,
        }
