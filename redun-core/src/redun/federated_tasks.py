"""Federated tasks, under the name by which workflows import them; from redun-remote."""

from typing import Any

from redun._exports import import_first_party

_module = import_first_party("redun_remote.federated", "redun-remote", "redun.federated_tasks")


def __getattr__(name: str) -> Any:
    return getattr(_module, name)
