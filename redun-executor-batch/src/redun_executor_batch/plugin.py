"""The hook module of AWS Batch."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from redun.plugins.provider import Provider
from redun.plugins.specs import hookimpl

if TYPE_CHECKING:
    from redun.scheduler.job import Execution

redun_api = 1


@hookimpl
def redun_executors() -> Iterable[Provider]:
    """Offer the executor."""
    yield Provider("aws_batch", "redun_executor_batch.executor:BatchExecutor", "Each task as a job of AWS Batch")
