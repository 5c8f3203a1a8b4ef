"""The hook module of AWS Batch."""

from __future__ import annotations

from collections.abc import Iterable

from redun.plugins.provider import Provider
from redun.plugins.specs import hookimpl

redun_api = 1


@hookimpl
def redun_executors() -> Iterable[Provider]:
    """Offer the executor."""
    yield Provider("aws_batch", "redun_executor_batch.executor:BatchExecutor", "Each task as a job of AWS Batch")


@hookimpl
def redun_commands() -> Iterable[Provider]:
    """Offer the command that looks at jobs of AWS Batch, and ends them."""
    yield Provider("aws", "redun_executor_batch.commands:aws", "Look at jobs of AWS Batch, read their logs, end them")
