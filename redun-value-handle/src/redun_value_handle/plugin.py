"""The hook module of handles."""

from __future__ import annotations

from collections.abc import Iterable

from redun.plugins.provider import Provider
from redun.plugins.specs import hookimpl

redun_api = 1


@hookimpl
def redun_values() -> Iterable[Provider]:
    """Offer the type of handles that are of no class of their own."""
    yield Provider("redun.Handle", "redun_value_handle.handle:Handle", "Something outside whose state calls advance")
