"""Submitting calls: their inputs go to the scratch space, then AWS Batch is asked for a job, or an array of jobs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import uuid4

from redun.errors import ExecutorError
from redun_executor_batch.api import BatchApi
from redun_executor_batch.definitions import Definitions
from redun_executor_batch.options import BatchOptions
from redun_executor_batch.requests import make_submission, make_tags, name_array, name_job
from redun_executor_batch.ticket import Ticket
from redun_remote.code_package import CodeSource
from redun_remote.command import list_import_paths
from redun_remote.jobs import StagedArray, StagedCall, make_command, stage_array, stage_call

USER_TAG = "redun_aws_user"


class Submitter:
    """Submits calls of one execution. For any thread.

    Parameters
    ----------
    options
        The options of the executor.
    api
        AWS Batch.
    known
        The tags that all jobs have, unless tags are not wanted.
    """

    def __init__(self, options: BatchOptions, api: BatchApi, known: Mapping[str, str]) -> None:
        self._scratch = options.s3_scratch
        self._api = api
        self._known = dict(known)
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

    def _know_all(self) -> Mapping[str, str]:
        if self._has_tags and USER_TAG not in self._known:
            self._known[USER_TAG] = self._api.find_caller()[1]
        return self._known


def _for_other_nodes(staged: StagedCall) -> StagedCall:
    """Return a staged call whose outcome is kept beside that of the main node, and answers nothing."""
    files = staged.files
    apart = files._replace(output=f"{files.output}.nodes", error=f"{files.error}.nodes", status=f"{files.status}.nodes")
    return staged._replace(call=staged.call._replace(may_reuse=False), files=apart)
