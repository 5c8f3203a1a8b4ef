"""What tasks for AWS Glue import, under the name by which workflows import it; from redun-executor-spark."""

from typing import TYPE_CHECKING, Any

from redun._exports import import_first_party

if TYPE_CHECKING:
    from redun_executor_spark.glue import *  # noqa: F403

_module = import_first_party("redun_executor_spark.glue", "redun-executor-spark", "redun.glue")


def __getattr__(name: str) -> Any:
    return getattr(_module, name)
