"""Shell commands that copy files and directories: which program copies between which kinds of storage.

Every path is quoted for the shell, and one that starts with a dash is written so that no program takes it for an
option. A path that is None stands for standard input or output.
"""

from __future__ import annotations

import posixpath
import shlex
from collections.abc import Callable

from redun_value_file.schemes import LOCAL, get_proto, local_path

MOUNTS = "/mnt/disks"
"""Where buckets are mounted on machines that mount them."""


def copy_command(src_path: str | None, dest_path: str | None, recursive: bool, as_mount: bool) -> str:
    """Return the shell command that copies between two places of which at most one kind of storage is remote.

    Parameters
    ----------
    src_path, dest_path
        Paths or URLs; one of them may be None for standard input or output.
    recursive
        Whether to copy a directory. What is in it is put into the destination, also if that exists.
    as_mount
        Whether ``gs`` buckets are mounted below `MOUNTS`; then they are local folders.

    Raises
    ------
    ValueError
        When both paths are None, or one of them is and a directory is to be copied.
    """
    if src_path is None and dest_path is None:
        raise ValueError("a copy needs at least one path; the other may be standard input or output")
    if recursive and (src_path is None or dest_path is None):
        raise ValueError("a directory can't be copied from standard input or to standard output")
    if as_mount:
        command = copy_command(_mounted(src_path), _mounted(dest_path), recursive, False)
        if dest_path is None or get_proto(dest_path) != "gs" or recursive:
            return command
        return f"mkdir -p {shlex.quote(posixpath.dirname(str(_mounted(dest_path))))} && {command}"
    kinds = {get_proto(path) for path in (src_path, dest_path) if path is not None} - {LOCAL}
    if not kinds:
        return _copy_locally(src_path, dest_path, recursive)
    copy = _COMMANDS.get(kinds.pop(), _copy_by_redun) if len(kinds) == 1 else _copy_by_redun
    return copy(src_path, dest_path, recursive)


def quote_path(path: str | None) -> str:
    """Quote a path for a shell, so that one that starts with a dash is no option; None is a single dash."""
    if path is None:
        return "-"
    plain = local_path(path)
    return shlex.quote(f"./{plain}" if plain.startswith("-") else plain)


def _copy_locally(src_path: str | None, dest_path: str | None, recursive: bool) -> str:
    if src_path is None:
        return f"cat > {quote_path(dest_path)}"
    if dest_path is None:
        return f"cat {quote_path(src_path)}"
    source, destination = quote_path(src_path), quote_path(dest_path)
    if recursive:
        # Given the directory itself, cp would put it inside a destination that exists.
        return f"mkdir -p {destination} && cp -r {quote_path(src_path.rstrip('/') + '/.')} {destination}"
    return f"cp {source} {destination}"


def _copy_by_aws(src_path: str | None, dest_path: str | None, recursive: bool) -> str:
    option = "--recursive " if recursive else ""
    return f"aws s3 cp --no-progress {option}{quote_path(src_path)} {quote_path(dest_path)}"


def _copy_by_gsutil(src_path: str | None, dest_path: str | None, recursive: bool) -> str:
    return f"gsutil cp {'-r ' if recursive else ''}{quote_path(src_path)} {quote_path(dest_path)}"


def _copy_by_redun(src_path: str | None, dest_path: str | None, recursive: bool) -> str:
    return f"redun fs cp {'--recursive ' if recursive else ''}{quote_path(src_path)} {quote_path(dest_path)}"


_COMMANDS: dict[str, Callable[[str | None, str | None, bool], str]] = {"s3": _copy_by_aws, "gs": _copy_by_gsutil}


def _mounted(path: str | None) -> str | None:
    return path if path is None or get_proto(path) != "gs" else f"{MOUNTS}/{path[len('gs://') :]}"
