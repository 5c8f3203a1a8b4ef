"""Staging: a local and a remote place for the same content, and copying between them."""

from __future__ import annotations

import os
import shlex
from typing import Any, ClassVar, Generic, TypeVar

from redun.hashing import hash_struct
from redun.values.base import Value
from redun_value_file.file import Dir, File, FileClasses
from redun_value_file.schemes import get_proto, local_path

T = TypeVar("T", File, Dir)


class Staging(Value, Generic[T]):
    """Base of pairs of a local and a remote place.

    Attributes
    ----------
    local, remote
        The places, two files or two directories.

    Examples
    --------
    >>> from redun import File
    >>> isinstance(File("s3://bucket/reads.fastq").stage("reads.fastq"), Staging)
    True
    """

    register = False
    __module__ = "redun.file"
    classes: ClassVar[type[FileClasses]] = FileClasses

    def __init__(self, local: T, remote: T) -> None:
        self.local: T = local
        self.remote: T = remote

    def stage(self) -> T:
        """Copy from the remote to the local place, and return that."""
        return self._copy(self.remote, self.local)

    def unstage(self) -> T:
        """Copy from the local to the remote place, and return that."""
        return self._copy(self.local, self.remote)

    def render_stage(self, as_mount: bool = False) -> str:
        """Return the shell command that copies from the remote to the local place, empty if they are one.

        Parameters
        ----------
        as_mount
            Whether buckets are mounted where the command runs, and are to be copied as the folders that they are there.
        """
        return self._render(self.remote, self.local, as_mount)

    def render_unstage(self, as_mount: bool = False) -> str:
        """Return the shell command that copies from the local to the remote place, empty if they are one.

        Parameters
        ----------
        as_mount
            As of `render_stage`.
        """
        return self._render(self.local, self.remote, as_mount)

    def anchor(self) -> Staging[T]:
        """Return the same pair with the path of the remote place made absolute, for use in another folder."""
        place = self.remote.path
        if get_proto(place) == "local" and not place.startswith("file:"):
            place = os.path.abspath(place)
        return type(self)(self.local, type(self.remote)(place))

    @staticmethod
    def _copy(source: Any, destination: T) -> T:
        copied: T = destination if _is_one_place(source, destination) else source.copy_to(destination)
        return copied

    def _render(self, source: Any, destination: Any, as_mount: bool) -> str:
        if _is_one_place(source, destination):
            return ""
        command: str = source.shell_copy_to(destination.path, as_mount=as_mount)
        if isinstance(destination, File) and get_proto(destination.path) == "local":
            folder = os.path.dirname(local_path(destination.path))
            if folder:
                folder = shlex.quote(f"./{folder}" if folder.startswith("-") else folder)
                command = f"mkdir -p {folder} && {command}"
        # A shell that stops at failing commands overlooks those in front of "&&", but for a subshell.
        return f"({command})" if " && " in command else command

    @classmethod
    def parse_arg(cls, raw_type: type, arg: str) -> Any:
        raise ValueError("staged files can't be given on a command line; give the file and stage it in a task")

    def get_hash(self, data: bytes | None = None) -> str:
        return hash_struct([self.type_name, self.local.path, self.remote.path])

    def __repr__(self) -> str:
        return f"{type(self).__name__}(local={self.local!r}, remote={self.remote!r})"

    def __getstate__(self) -> dict[str, Any]:
        # The state of files that a script is yet to write is neither known nor part of the pair's identity.
        return {"local": _without_state(self.local), "remote": _without_state(self.remote)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.local, self.remote = state["local"], state["remote"]
        for place in (self.local, self.remote):
            place._hash = place._hash or None


class StagingFile(Staging[File]):
    """A file and the local place to copy it to.

    Examples
    --------
    >>> from redun import File
    >>> staged = File("s3://bucket/reads.fastq").stage("reads.fastq")
    >>> staged.local.path, staged.remote.path
    ('reads.fastq', 's3://bucket/reads.fastq')
    """

    __module__ = "redun.file"
    type_name = "redun.StagingFile"


class StagingDir(Staging[Dir]):
    """A directory and the local place to copy it to.

    Examples
    --------
    >>> from redun import Dir
    >>> Dir("s3://bucket/reads").stage("reads").local.path
    'reads'
    """

    __module__ = "redun.file"
    type_name = "redun.StagingDir"


def _is_one_place(source: File | Dir, destination: File | Dir) -> bool:
    if source.path == destination.path:
        return True
    paths = (source.path, destination.path)
    return all(get_proto(path) == "local" for path in paths) and len(set(map(_normalize, paths))) == 1


def _normalize(path: str) -> str:
    return os.path.normpath(local_path(path))


def _without_state(place: T) -> T:
    bare = type(place)(place.path)
    bare._hash = ""
    return bare


FileClasses.StagingFile = StagingFile
FileClasses.StagingDir = StagingDir
