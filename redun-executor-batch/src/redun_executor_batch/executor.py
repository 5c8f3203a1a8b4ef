"""The executor: each call as a job of AWS Batch, many of one task as an array."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from typing import Any

from redun.errors import ExecutorError
from redun.executors.base import Call, Executor, settle
from redun_executor_batch.api import BatchApi
from redun_executor_batch.debugging import make_local_executor
from redun_executor_batch.execution import describe_execution
from redun_executor_batch.options import BatchOptions, apply_task_options, plan_retries
from redun_executor_batch.session import Session
from redun_executor_batch.submitter import Submitter
from redun_executor_batch.ticket import Ticket


class BatchExecutor(Executor):
    """Runs calls as jobs of AWS Batch.

    Jobs outlive this process. A scheduler that starts again waits for those that are in flight, and takes the results
    of those that have ended.

    Parameters
    ----------
    name
        The name that tasks ask for with option ``executor``.
    options
        Where jobs run, and with what.
    config
        In place of `options`, the options as a section of a configuration has them.

    Examples
    --------
    >>> section = {"image": "my-image", "queue": "my-queue", "s3_scratch": "s3://my-bucket/redun"}
    >>> BatchExecutor("batch", config=section).options.queue
    'my-queue'
    """

    options_type = BatchOptions
    options: BatchOptions

    def __init__(
        self, name: str = "batch", options: BatchOptions | None = None, *, config: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(name, options, config=config)
        self.scratch = self.options.s3_scratch
        self._api = BatchApi(self.options.aws_region, self.options.api_rate, self.options.api_patience)
        self._session: Session | None = None
        self._local: Executor | None = None
        self._tickets: dict[Future[Any], Ticket] = {}

    @property
    def is_remote(self) -> bool:
        return not self.options.debug

    def submit(self, call: Call) -> Future[Any]:
        return self.submit_many([call])[0]

    def submit_many(self, calls: Sequence[Call]) -> Sequence[Future[Any]]:
        futures: list[Future[Any]] = []
        tickets: list[Ticket] = []
        for call in calls:
            future: Future[Any] = Future()
            try:
                options = apply_task_options(self.options, call)
                ticket = Ticket(call, future, options, plan_retries(options, call))
            except ExecutorError as error:
                settle(future, error=error)
            else:
                if options.debug:
                    future = self._run_here(call, options)
                else:
                    tickets.append(ticket)
                    self._tickets[future] = ticket
                    future.add_done_callback(self._forget)
            futures.append(future)
        if tickets:
            if self._session is None:
                self._api.open()
                self._session = Session(self.options, self._api, describe_execution())
            self._session.add(tickets)
        return futures

    def cancel(self, future: Future[Any]) -> bool:
        ticket = self._tickets.get(future)
        if ticket is None and self._local is not None:
            return self._local.cancel(future)
        if ticket is None or self._session is None:
            return False
        return self._session.cancel(ticket)

    def launch(self, call: Call) -> str:
        options = apply_task_options(self.options, call)
        self._api.open()
        ticket = Ticket(call, Future(), options, plan_retries(options, call))
        job_id = Submitter(self.options, self._api, describe_execution()).submit_one(ticket)
        return f"AWS Batch job {job_id} in queue {options.queue}"

    def supports(self, feature: str) -> bool:
        return feature in ("script", "retries", "timeout")

    def stop(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            session.close()
        if self._local is not None:
            self._local.stop()

    def _run_here(self, call: Call, options: BatchOptions) -> Future[Any]:
        if self._local is None:
            self._local = make_local_executor(f"{self.name}_debug", options)
            self._local.start()
        return self._local.submit(call)

    def _forget(self, future: Future[Any]) -> None:
        self._tickets.pop(future, None)


AWSBatchExecutor = BatchExecutor
"""The executor by the name under which programs import it."""
