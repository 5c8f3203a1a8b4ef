"""Handles: values of workflows that stand for a database or a service, and for how far calls have brought it.

`handle` defines them, `merging` brings several together again. What the store knows of their states is in
`redun.backends.handles`, what an execution does about them in `redun.scheduler.handles`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from redun_value_handle.public import *  # noqa: F403


def __getattr__(name: str) -> Any:
    if name.startswith("__") and name != "__all__":
        raise AttributeError(name)
    return getattr(import_module("redun_value_handle.public"), name)
