"""Job definitions: found where one fits, registered where none does."""

from __future__ import annotations

import json
import threading
from typing import Any

from redun.logging import logger
from redun_executor_batch.api import BatchApi
from redun_executor_batch.errors import BatchRefusedError
from redun_executor_batch.options import BatchOptions
from redun_executor_batch.requests import find_role, fits, make_definition, name_definition


class Definitions:
    """The job definitions of this session, each looked for once.

    Parameters
    ----------
    api
        AWS Batch.
    """

    def __init__(self, api: BatchApi) -> None:
        self._api = api
        self._lock = threading.Lock()
        self._known: dict[str, str] = {}

    def provide(self, options: BatchOptions) -> str:
        """Return the address of the job definition for jobs with some options.

        Raises
        ------
        BatchRefusedError
            When there is none, and none is to be registered; or AWS refuses.
        BatchError
            When AWS does not answer.
        """
        name = name_definition(options)
        with self._lock:
            if not options.creates_definitions:
                key, wanted = name, None
            else:
                wanted = make_definition(options, self._find_role(options))
                key = json.dumps({**wanted, "resources": None}, sort_keys=True)
            if key not in self._known:
                self._known[key] = self._find(name, wanted)
            return self._known[key]

    def _find_role(self, options: BatchOptions) -> str | None:
        return find_role(options, "" if options.role else self._api.find_caller()[0])

    def _find(self, name: str, wanted: dict[str, Any] | None) -> str:
        found = self._api.list_all(
            "describe_job_definitions", "jobDefinitions", jobDefinitionName=name, status="ACTIVE"
        )
        for definition in sorted(found, key=lambda each: -int(each["revision"])):
            if wanted is None or fits(wanted, definition):
                return str(definition["jobDefinitionArn"])
        if wanted is None:
            raise BatchRefusedError(
                f"there is no active job definition {name!r}, and autocreate_job_def = false; register it, or set "
                "job_def_name"
            )
        made = self._api.call("register_job_definition", **wanted)
        logger.info("AWS Batch: registered the job definition %s", made["jobDefinitionArn"])
        return str(made["jobDefinitionArn"])
