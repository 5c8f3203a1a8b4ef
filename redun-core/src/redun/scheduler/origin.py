"""What executors are told of a running execution, and may tell of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any
from weakref import WeakMethod

from redun.executors.base import Origin
from redun.options import check_tags
from redun.scheduler.job import Execution, Job
from redun.scheduler.record import Recorder
from redun.tags import PROJECT_KEY

_OWN_NAMESPACE = "redun"


class RunningOrigin(Origin):
    """The execution that a loop works on. In another process, nothing but data.

    Parameters
    ----------
    execution
        The execution.
    post
        Has a function called on the scheduler's thread.
    recorder
        Takes tags.
    unfinished
        The jobs that have begun and not ended, by id; changes while the execution runs.
    """

    def __init__(
        self,
        execution: Execution,
        post: Callable[[Callable[[], None]], None],
        recorder: Recorder,
        unfinished: Mapping[str, Job],
    ) -> None:
        super().__init__(execution.id, excluded_users=execution.origin.excluded_users)
        self._execution = execution
        self._post = WeakMethod(post)  # Who keeps a call does not keep its execution's loop.
        self._recorder = recorder
        self._unfinished = unfinished

    def __reduce__(self) -> Any:
        return Origin, (self.execution_id, self.project, self.excluded_users)

    @property
    def project(self) -> str:
        return find_project(self._execution)

    def tag_execution(self, tags: Iterable[tuple[str, Any]]) -> None:
        self._tell("Execution", self._execution.job, self.execution_id, check_tags(tags))

    def tag_job(self, job_id: str, tags: Iterable[tuple[str, Any]]) -> None:
        self._tell("Job", self._unfinished.get(job_id), job_id, check_tags(tags))

    def _tell(self, kind: str, job: Job | None, id: str, tags: Sequence[tuple[str, Any]]) -> None:
        post = self._post()
        if post is not None and job is not None and job.has_provenance:
            post(partial(self._recorder.add_tags, kind, id, tags))


def find_project(execution: Execution) -> str:
    """Return the project of an execution: its tag, or the namespace of its first task."""
    tagged = dict(execution.tags).get(PROJECT_KEY)
    namespace = "" if execution.job is None else str(execution.job.task.namespace)
    return str(tagged or ("" if namespace == _OWN_NAMESPACE else namespace))
