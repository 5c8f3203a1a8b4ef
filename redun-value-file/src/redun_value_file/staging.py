"""Staging: a local and a remote place for the same content, and copying between them."""

from __future__ import annotations

from typing import Any, ClassVar, Generic, TypeVar

from redun.hashing import hash_struct
from redun.values.base import Value
from redun_value_file.file import Dir, File, FileClasses

T = TypeVar("T", File, Dir)


class Staging(Value, Generic[T]):
    """Base of pairs of a local and a remote place.

    Attributes
    ----------
    local, remote
        The places, two files or two directories.
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

    def render_stage(self) -> str:
        """Return the shell command that copies from the remote to the local place, empty if they are one."""
        return self._render(self.remote, self.local)

    def render_unstage(self) -> str:
        """Return the shell command that copies from the local to the remote place, empty if they are one."""
        return self._render(self.local, self.remote)

    @staticmethod
    def _copy(source: Any, destination: T) -> T:
        copied: T = destination if source.path == destination.path else source.copy_to(destination)
        return copied

    def _render(self, source: Any, destination: Any) -> str:
        return "" if source.path == destination.path else source.shell_copy_to(destination.path)

    @classmethod
    def parse_arg(cls, raw_type: type, arg: str) -> Any:
        raise ValueError("staged files can't be given on a command line; give the file and stage it in a task")

    def get_hash(self, data: bytes | None = None) -> str:
        return hash_struct([self.type_name, self.local.path, self.remote.path])

    def __repr__(self) -> str:
        return f"{type(self).__name__}(local={self.local!r}, remote={self.remote!r})"

    def __getstate__(self) -> dict[str, Any]:
        return {"local": self.local, "remote": self.remote}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.local, self.remote = state["local"], state["remote"]


class StagingFile(Staging[File]):
    """A file and the local place to copy it to."""

    __module__ = "redun.file"
    type_name = "redun.StagingFile"


class StagingDir(Staging[Dir]):
    """A directory and the local place to copy it to."""

    __module__ = "redun.file"
    type_name = "redun.StagingDir"


FileClasses.StagingFile = StagingFile
FileClasses.StagingDir = StagingDir
