"""Files and directories as values of workflows: passed by path, identified by their state, recorded as provenance.

`file` defines the values, `variants` their immutable and content-hashed relatives, `staging` pairs of a local and a
remote place, `filesystems` where the bytes are, `scripts` runs shell scripts on staged
files. The public names can be imported from here, and nothing is imported
before one of them is asked for: a process that only wants to know what the package offers need not wait for it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from redun_value_file.public import *  # noqa: F403


def __getattr__(name: str) -> Any:
    if name.startswith("__") and name != "__all__":
        raise AttributeError(name)
    return getattr(import_module("redun_value_file.public"), name)
