"""Launching commands on executors, under the name by which programs import it; from redun-remote."""

from typing import Any

from redun._exports import import_first_party

_module = import_first_party("redun_remote.launch", "redun-remote", "redun.executors.launch")


def __getattr__(name: str) -> Any:
    return getattr(_module, name)
