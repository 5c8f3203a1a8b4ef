"""The public names of the package; importing this imports all of it."""

from redun_value_handle.handle import Handle, HandleInfo
from redun_value_handle.merging import merge_handles

__all__ = ["Handle", "HandleInfo", "merge_handles"]
