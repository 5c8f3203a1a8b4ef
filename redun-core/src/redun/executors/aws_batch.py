"""The executor of AWS Batch, under the name by which programs import it; from redun-executor-batch."""

from typing import Any

from redun._exports import import_first_party

_module = import_first_party("redun_executor_batch.executor", "redun-executor-batch", "redun.executors.aws_batch")


def __getattr__(name: str) -> Any:
    return getattr(_module, name)
