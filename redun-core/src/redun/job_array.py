"""Arrays of jobs, under the name by which workflows and executors import them; from redun-remote."""

from typing import TYPE_CHECKING, Any

from redun._exports import import_first_party

if TYPE_CHECKING:
    from redun_remote.arrays import *  # noqa: F403

_module = import_first_party("redun_remote.arrays", "redun-remote", "redun.job_array")


def __getattr__(name: str) -> Any:
    return getattr(_module, name)
