"""The command line, under the name by which programs import it; from redun-cli."""

from typing import Any

from redun._exports import import_first_party

_module = import_first_party("redun_cli.client", "redun-cli", "redun.cli")


def __getattr__(name: str) -> Any:
    return getattr(_module, name)
