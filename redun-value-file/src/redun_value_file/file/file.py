"""A file as a value: its content can be read and written, and its hash is that of its state."""

from __future__ import annotations

import os
from functools import partial
from typing import IO, TYPE_CHECKING, Any
from weakref import ref

from redun.values.base import FileSubtype, Subtype
from redun_value_file.file.located import Located, as_text
from redun_value_file.filesystems import copy_one, open_file, shell_copy
from redun_value_file.schemes import split_chain

if TYPE_CHECKING:
    from redun_value_file.staging import StagingFile


class File(Located):
    """A file.

    Parameters
    ----------
    path
        A local path or a URL. The path counts as it is written: a relative and an absolute path to one file are two
        values.

    Attributes
    ----------
    path : str
        The path.
    hash : str
        The address of its state.

    Examples
    --------
    >>> file = File("/tmp/redun-example.txt")
    >>> _ = file.write("hello")
    >>> file.read(), file.size()
    ('hello', 5)
    >>> file.remove()
    """

    __module__ = "redun.file"
    type_basename = "File"
    type_name = "redun.File"

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = as_text(path)
        super().__init__(self.path)

    def open(self, mode: str = "r", encoding: str | None = None, **kwargs: Any) -> IO[Any]:
        """Open the file. When a stream that may write is closed, the hash is taken anew.

        Parameters
        ----------
        mode
            As of the builtin `open`.
        encoding
            The encoding of text; default is that of the file system.
        **kwargs
            Whatever else the file system's streams have; with an encoding, ``newline`` and ``errors`` of text streams.

        Raises
        ------
        RedunFileNotFoundError, RedunPermissionError, RedunOSError
            As the builtin errors they are subclasses of.
        ValueError
            When an encoding is given for a binary mode.
        """
        stream = open_file(self.path, mode, encoding, **kwargs)
        if any(letter in mode for letter in "wax+"):
            # The stream must not refer to itself: one that is dropped is to be flushed at once.
            stream.close = partial(_close_and_rehash, ref(stream), self)  # type: ignore[method-assign]
        return stream

    def read(self, mode: str = "r", encoding: str | None = None) -> Any:
        """Return the whole content, text or, with mode ``"rb"``, bytes."""
        with self.open(mode, encoding=encoding) as stream:
            return stream.read()

    def readlines(self, mode: str = "r") -> list[Any]:
        """Return the lines of the content."""
        with self.open(mode) as stream:
            return stream.readlines()

    def write(self, data: Any, mode: str = "w", encoding: str | None = None) -> None:
        """Replace the content; with mode ``"a"`` append to it, with a ``"b"`` write bytes."""
        with self.open(mode, encoding=encoding) as stream:
            stream.write(data)

    def exists(self) -> bool:
        """Whether the file exists."""
        return self.filesystem.exists(self.path)

    def remove(self) -> None:
        """Delete the file; one that does not exist is fine."""
        self.filesystem.remove(self.path)
        self._hash = None

    def touch(self, time: float | None = None) -> None:
        """Create the file or set its time of modification, in seconds since the epoch; default is now."""
        self.filesystem.touch(self.path, time)
        self.update_hash()

    def isfile(self) -> bool:
        """Whether the path is that of a file."""
        return self.filesystem.isfile(self.path)

    def isdir(self) -> bool:
        """Whether the path is that of a directory."""
        return self.filesystem.isdir(self.path)

    def size(self) -> int:
        """Return the size in bytes."""
        return self.filesystem.filesize(self.path)

    def basename(self) -> str:
        """Return the last part of the path."""
        return os.path.basename(split_chain(self.path)[0])

    def dirname(self) -> str:
        """Return the path without its last part."""
        place, chained = split_chain(self.path)
        return f"{os.path.dirname(place)}{chained}"

    def copy_to(self, dest_file: File, skip_if_exists: bool = False) -> File:
        """Copy the content to another file, and return that one.

        Parameters
        ----------
        dest_file
            The file to write.
        skip_if_exists
            Whether to leave a file that exists as it is.
        """
        if not (skip_if_exists and dest_file.exists()):
            copy_one(self.path, dest_file.path)
        dest_file.update_hash()
        return dest_file

    def shell_copy_to(self, dest_path: str | None, as_mount: bool = False) -> str:
        """Return the shell command that copies the file to a path, or, for None, to standard output.

        Parameters
        ----------
        dest_path
            A path or URL.
        as_mount
            Whether buckets are mounted where the command runs, and copied as the folders that they are there.
        """
        return shell_copy(self.path, dest_path, as_mount=as_mount)

    def stage(self, local: str | None = None) -> StagingFile:
        """Pair the file with a local place to copy it to: a path, a folder with ``/`` at its end, default its name."""
        if local is None:
            local = self.basename()
        elif local.endswith("/"):
            local += self.basename()
        return self.classes.StagingFile(self.classes.File(local), self)

    def get_subtype(self) -> Subtype | None:
        return FileSubtype(self.path)

    def describe_place(self) -> str:
        return self.path

    def _calc_hash(self) -> str:
        return self.filesystem.get_hash(self.path)

    def __repr__(self) -> str:
        try:
            shown = self.hash[:8]
        except OSError:
            shown = "unknown"
        return f"{self.type_basename}(path={self.path}, hash={shown})"

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path, "hash": self.hash}

    def __setstate__(self, state: dict[str, Any]) -> None:
        File.__init__(self, state["path"])
        self._hash = state["hash"]


def _close_and_rehash(stream_ref: ref[IO[Any]], file: File) -> None:
    stream = stream_ref()
    if stream is not None and not stream.closed:
        type(stream).close(stream)
        file.update_hash()
