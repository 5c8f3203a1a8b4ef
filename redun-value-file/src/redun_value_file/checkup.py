"""What ``redun doctor`` looks at of files: which kinds of storage can be used here."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec

from redun.checks import Finding, State
from redun.workspace import Workspace
from redun_value_file.filesystems import list_filesystems

_NEEDS = {"s3": ("boto3", "s3"), "gs": ("gcsfs", None), "az": ("adlfs", None), "http": ("aiohttp", "http")}
"""What a kind of storage needs, and the extra of this distribution that brings it."""


def check_files(workspace: Workspace) -> Iterator[Finding]:
    """Look at which kinds of storage have what they need installed; none is connected to."""
    missing = {name: need for name, need in _NEEDS.items() if find_spec(need[0]) is None}
    usable = [name for name in list_filesystems() if name.replace("https", "http") not in missing]
    yield Finding(State.OK, "files", f"there are {', '.join(usable)}")
    for name, (module, extra) in missing.items():
        package = f"'redun-value-file[{extra}]'" if extra else module
        text = f"{name}:// needs {module}, which is not installed"
        yield Finding(State.OK, "files", text, f"pip install {package}, if you want it")
