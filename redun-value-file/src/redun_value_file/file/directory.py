"""A directory as a value: a set of files that can be made, filled, copied and removed."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from redun.values.base import FileSubtype, Subtype
from redun_value_file.file.file import File
from redun_value_file.file.file_set import FileSet
from redun_value_file.file.located import as_text
from redun_value_file.filesystems import FileState, copy_many, shell_copy
from redun_value_file.schemes import join_path, relative_path, split_chain

if TYPE_CHECKING:
    from redun_value_file.staging import StagingDir


class Dir(FileSet):
    """A directory with everything in it.

    Parameters
    ----------
    path
        A local path or a URL; a ``/`` at the end is dropped.

    Attributes
    ----------
    path : str
        The path.

    Examples
    --------
    >>> from redun import File
    >>> folder = Dir("memory://example-dir")
    >>> folder.file("a.txt").write("pear")
    >>> folder.file("below/b.txt").write("fig")
    >>> sorted(file.basename() for file in folder)
    ['a.txt', 'b.txt']
    """

    __module__ = "redun.file"
    type_basename = "Dir"
    type_name = "redun.Dir"

    def __init__(self, path: str | os.PathLike[str]) -> None:
        path = as_text(path)
        self.path = path.rstrip("/") or path
        super().__init__(join_path(path, "**") if split_chain(path)[1] else f"{path.rstrip('/')}/**")

    def __iter__(self) -> Iterator[File]:
        return (self.classes.File(path) for path in self.filesystem.iter_files(self.path))

    def exists(self) -> bool:
        """Whether the directory exists."""
        return self.filesystem.exists(self.path)

    def mkdir(self) -> None:
        """Create the directory with everything above it; one that exists is fine."""
        self.filesystem.mkdir(self.path)
        self.update_hash()

    def rmdir(self, recursive: bool = False) -> None:
        """Delete the directory, with everything in it if `recursive`."""
        self.filesystem.rmdir(self.path, recursive)
        self.update_hash()

    def file(self, rel_path: str) -> File:
        """Return a file of the directory, which need not exist."""
        return self.classes.File(join_path(self.path, rel_path))

    def rel_path(self, path: str) -> str:
        """Return a path relative to the directory.

        Raises
        ------
        ValueError
            When it is not below the directory.
        """
        return relative_path(path, self.path)

    def copy_to(self, dest_dir: Dir, skip_if_exists: bool = False) -> Dir:
        """Copy all files to another directory, and return that one."""
        pairs = [(file, dest_dir.file(self.rel_path(file.path))) for file in self]
        copy_many([(file.path, dest.path) for file, dest in pairs if not (skip_if_exists and dest.exists())])
        dest_dir.update_hash()
        return dest_dir

    def shell_copy_to(self, dest_path: str, as_mount: bool = False) -> str:
        """Return the shell command that copies everything in the directory to another one, which may exist.

        Parameters
        ----------
        dest_path
            A path or URL.
        as_mount
            Whether buckets are mounted where the command runs, and copied as the folders that they are there.
        """
        return shell_copy(self.path, dest_path, recursive=True, as_mount=as_mount)

    def stage(self, local: str | None = None) -> StagingDir:
        """Pair the directory with a local place to copy it to: a path, default its name."""
        return self.classes.StagingDir(self.classes.Dir(local or os.path.basename(split_chain(self.path)[0])), self)

    def get_subtype(self) -> Subtype | None:
        return FileSubtype(self.path)

    @property
    def _place(self) -> str:
        return self.path

    def _list_states(self) -> Iterable[FileState]:
        return self.filesystem.scan(self.path)

    def __repr__(self) -> str:
        return f"{self.type_basename}(path={self.path}, hash={self._shown_hash})"

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path, "hash": self.hash}

    def __setstate__(self, state: dict[str, Any]) -> None:
        Dir.__init__(self, state["path"])
        self._hash = state["hash"]
