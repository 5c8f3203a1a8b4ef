"""Submitting calls: their inputs go to the scratch space, then AWS Batch is asked for a job, or an array of jobs."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from queue import Empty, SimpleQueue
from uuid import uuid4

from redun.errors import ExecutorError
from redun.executors.base import Origin
from redun.logging import logger
from redun.options import EMPTY_OPTIONS
from redun_executor_batch.api import BatchApi
from redun_executor_batch.definitions import Definitions
from redun_executor_batch.options import BatchOptions
from redun_executor_batch.requests import make_submission, make_tags, name_array, name_job
from redun_executor_batch.ticket import Ticket
from redun_remote.code_package import CodeSource
from redun_remote.command import list_import_paths
from redun_remote.jobs import StagedArray, StagedCall, make_command, stage_array, stage_call

EXECUTION_TAG, PROJECT_TAG, USER_TAG = "redun_execution_id", "redun_project", "redun_aws_user"
"""The tags of jobs of AWS Batch that tell their execution, and who runs it."""

USER_KEY, ARN_KEY = "user_aws", "user_aws_arn"
"""The tags of executions that tell who AWS takes the user for."""

PLATFORM = "aws"
"""The kind of platform whose name for the user is not found out where that is excluded."""

_USER_SECONDS = 3.0
"""How long the first job waits for the name of the user."""


class Submitter:
    """Submits calls of one execution. For any thread.

    Parameters
    ----------
    options
        The options of the executor.
    api
        AWS Batch.
    origin
        The execution.
    tags
        Tags that all jobs have besides those that tell the execution, unless tags are not wanted.
    """

    def __init__(
        self, options: BatchOptions, api: BatchApi, origin: Origin, tags: Mapping[str, str] = EMPTY_OPTIONS
    ) -> None:
        self._scratch = options.s3_scratch
        self._api = api
        self._origin = origin
        self._tags = tags
        self._lock = threading.Lock()
        self._known: Mapping[str, str] | None = None
        self._has_tags = options.default_batch_tags
        self._code = CodeSource(self._scratch, options)
        self._import_paths = list_import_paths()
        self._definitions = Definitions(api)

    def submit_one(self, ticket: Ticket) -> str:
        """Submit a call and return the id of its job."""
        ticket.staged = staged = stage_call(self._scratch, ticket.call)
        return self._ask(ticket, name_job(ticket.options.job_name_prefix, staged.name), staged)

    def submit_array(self, tickets: Sequence[Ticket]) -> str | None:
        """Submit calls as an array and return its id; None if one of them can't be sent, and none was submitted."""
        try:
            staged = stage_array(self._scratch, [ticket.call for ticket in tickets])
        except ExecutorError:
            return None
        for ticket, each in zip(tickets, staged.calls, strict=True):
            ticket.staged = each
        name = name_array(tickets[0].options.job_name_prefix, staged.name)
        return self._ask(tickets[0], name, staged, len(tickets))

    def _ask(self, ticket: Ticket, name: str, staged: StagedCall | StagedArray, size: int | None = None) -> str:
        """Submit a job, or an array of such jobs, and return its id."""
        options, call, token = ticket.options, ticket.call, uuid4().hex
        code = None if call.is_script else self._code.provide()
        of_nodes = None
        if isinstance(staged, StagedCall) and options.num_nodes is not None:
            of_nodes = make_command(_for_other_nodes(staged), code=code, import_paths=self._import_paths)
        known = {"redun_job_id": call.job_id, "redun_task_name": call.task_name, **self._know_all()}
        asked = make_submission(
            name,
            options,
            self._definitions.provide(options),
            make_command(staged, code=code, import_paths=self._import_paths),
            ticket.memory,
            ticket.retries,
            make_tags(options, known),
            token,
            size,
            of_nodes,
        )
        return self._api.submit(asked, token)

    def _find_user(self) -> str:
        """Return who AWS takes the user for, if it says so soon; whenever it does, the execution is tagged."""
        answer: SimpleQueue[str] = SimpleQueue()

        def find() -> None:
            try:
                caller = self._api.find_caller()
            except Exception as error:  # A run does not fail for the lack of a tag.
                logger.debug("AWS does not say who the user is: %s", error)
                answer.put("")
                return
            self._origin.tag_execution([(USER_KEY, caller.name), (ARN_KEY, caller.arn)])
            answer.put(caller.name)

        threading.Thread(target=find, name="redun-batch-user", daemon=True).start()
        try:
            return answer.get(timeout=_USER_SECONDS)
        except Empty:
            return ""

    def _know_all(self) -> Mapping[str, str]:
        """Return the tags of all jobs; the execution gets those that tell who AWS takes the user for."""
        with self._lock:
            if self._known is None:
                origin = self._origin
                known = {EXECUTION_TAG: origin.execution_id, PROJECT_TAG: origin.project}
                if self._has_tags and PLATFORM not in origin.excluded_users:
                    known[USER_TAG] = self._find_user()
                self._known = {**self._tags, **{key: value for key, value in known.items() if value}}
            return self._known


def _for_other_nodes(staged: StagedCall) -> StagedCall:
    """Return a staged call whose outcome is kept beside that of the main node, and answers nothing."""
    files = staged.files
    apart = files._replace(output=f"{files.output}.nodes", error=f"{files.error}.nodes", status=f"{files.status}.nodes")
    return staged._replace(call=staged.call._replace(may_reuse=False), files=apart)
