"""Handles, under the name by which workflows import them and stored pickles refer to them; from redun-value-handle."""

from typing import TYPE_CHECKING, Any

from redun._exports import import_first_party

if TYPE_CHECKING:
    from redun_value_handle.public import *  # noqa: F403

_module = import_first_party("redun_value_handle", "redun-value-handle", "redun.handle")


def __getattr__(name: str) -> Any:
    return getattr(_module, name)
