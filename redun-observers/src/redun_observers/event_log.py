"""A log of events: a file with one JSON object for each line, for whatever reads such files."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from redun.observing import Observer
from redun.scheduler import Execution, Job
from redun_observers.events import (
    describe_execution_finish,
    describe_execution_start,
    describe_job_finish,
    describe_job_start,
)
from redun_observers.outbox import Outbox, OutboxOptions


@dataclass(frozen=True)
class EventLogOptions(OutboxOptions):
    """Options of a log of events."""

    path: str = field(
        default="events.jsonl", metadata={"help": "the file to append to; relative to the configuration folder"}
    )
    jobs: bool = field(default=True, metadata={"help": "whether jobs are told of as well as executions"})
    config_dir: str | None = field(default=None, metadata={"help": "the folder that paths are relative to"})


class EventLog(Observer):
    """Appends what happens to a file.

    Examples
    --------
    >>> import tempfile
    >>> from redun import Scheduler, task
    >>> @task(version="1", namespace="logged")
    ... def double(x):
    ...     return 2 * x
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     scheduler = Scheduler()
    ...     scheduler.observers.add(EventLog("log", EventLogOptions(path=f"{folder}/events.jsonl")))
    ...     scheduler.run(double(21))
    ...     [json.loads(line)["event"] for line in open(f"{folder}/events.jsonl")]
    42
    ['execution_start', 'job_start', 'job_finish', 'execution_finish']
    """

    options_type = EventLogOptions

    def __init__(self, name: str, options: EventLogOptions | None = None) -> None:
        super().__init__(name, options)
        self._outbox = Outbox(str(self), self._write, self.options)

    def redun_execution_start(self, execution: Execution) -> None:
        """Note that an execution starts."""
        self._outbox.put(describe_execution_start(execution))

    def redun_job_start(self, job: Job) -> None:
        """Note that a job starts."""
        if self.options.jobs:
            self._outbox.put(describe_job_start(job))

    def redun_job_finish(self, job: Job) -> None:
        """Note that a job has ended."""
        if self.options.jobs:
            self._outbox.put(describe_job_finish(job))

    def redun_execution_finish(self, execution: Execution, error: BaseException | None) -> None:
        """Note that an execution has ended, and write what is not written yet."""
        self._outbox.put(describe_execution_finish(execution, error))
        self._outbox.close()

    def _write(self, events: Sequence[Any]) -> None:
        append_events(Path(self.options.config_dir or ".", self.options.path), events)


def append_events(path: Path, events: Iterable[Any]) -> None:
    """Append events to a file, one a line; what a full disk has cut short before is left on a line of its own.

    Raises
    ------
    OSError
        When the file can't be written.
    """
    lines = "".join(f"{json.dumps(event, ensure_ascii=False, default=str)}\n" for event in events)
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "ab+") as file:
        if file.tell() and _read_last(file) != b"\n":
            lines = f"\n{lines}"
        file.write(lines.encode())


def _read_last(file: Any) -> bytes:
    file.seek(-1, os.SEEK_END)
    last: bytes = file.read(1)
    return last
