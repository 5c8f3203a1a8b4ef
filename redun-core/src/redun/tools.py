"""Tasks for copying files, templates and debugging, under the name by which workflows import them."""

from typing import TYPE_CHECKING, Any

from redun._exports import import_first_party

if TYPE_CHECKING:
    from redun_value_file.tools import *  # noqa: F403

_module = import_first_party("redun_value_file.tools", "redun-value-file", "redun.tools")


def __getattr__(name: str) -> Any:
    return getattr(_module, name)
