"""Files, sets of files and directories as values.

A file is passed between tasks by path. Its hash is that of its state when it was passed or returned, so that a task
runs again when an input has changed, and a recorded result is void when an output is no longer what it was.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import IO, TYPE_CHECKING, Any, ClassVar
from weakref import ref

from redun.hashing import hash_struct
from redun.values.base import FileSubtype, Subtype, Value
from redun.values.external import ExternalValue
from redun_value_file.filesystems import (
    FileState,
    FileSystem,
    copy_many,
    copy_one,
    get_filesystem,
    open_file,
    shell_copy,
)
from redun_value_file.schemes import join_path, relative_path, split_chain

if TYPE_CHECKING:
    from redun_value_file.staging import StagingDir, StagingFile

_LOOKED_AT_ONCE = 16


class FileClasses:
    """The classes of one family of file values, so that what one of them makes belongs to the same family."""

    File: type[File]
    FileSet: type[FileSet]
    Dir: type[Dir]
    StagingFile: type[StagingFile]
    StagingDir: type[StagingDir]


class _Located(ExternalValue):
    """Base of values that stand for what is at a place; their hash is computed when it is first asked for.

    Attributes
    ----------
    filesystem : FileSystem
        Where the place is.
    is_immutable : bool
        Whether what is there is known by its place alone.
    """

    register = False
    __module__ = "redun.file"
    type_basename: ClassVar[str]
    is_immutable: ClassVar[bool] = False
    classes: ClassVar[type[FileClasses]] = FileClasses

    def __init__(self, place: str) -> None:
        self.filesystem: FileSystem = get_filesystem(url=place)
        self._hash: str | None = None

    @property
    def hash(self) -> str:
        """The address of the state: when it was first asked for, or at the last `update_hash`."""
        if self._hash is None:
            self.update_hash()
        return self._hash or ""

    def get_hash(self, data: bytes | None = None) -> str:
        return self.hash

    def update_hash(self) -> None:
        """Take the state as it is now for the value's."""
        self._hash = self._calc_hash()

    def is_valid(self) -> bool:
        """Whether the state is what it was; a value that was never hashed takes its state as it is now.

        What can't be looked at, such as a file in a folder that is closed now, is not valid.
        """
        try:
            if self._hash is None:
                self.update_hash()
                return True
        except OSError:
            return False
        return self._hash == self.look()

    def get_known_hash(self) -> str | None:
        return self._hash

    def take_hash(self) -> str:
        return self._calc_hash()

    @classmethod
    def look_at_all(cls, values: Sequence[ExternalValue]) -> Sequence[str | None]:
        remote = [value for value in values if isinstance(value, _Located) and value.filesystem.is_remote]
        if cls.is_immutable or len(remote) < 2:
            return super().look_at_all(values)
        with ThreadPoolExecutor(min(_LOOKED_AT_ONCE, len(remote))) as threads:
            return list(threads.map(cls.look, values))

    def _calc_hash(self) -> str:
        raise NotImplementedError


class File(_Located):
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
        self.path = _as_text(path)
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


class FileSet(_Located):
    """The files that match a pattern.

    Parameters
    ----------
    pattern
        A path with ``*``, ``?``, ``[...]`` and ``**``, which stands for any number of directories. Hidden files are
        matched by patterns that name the dot.

    Examples
    --------
    >>> from redun import File
    >>> for name in ("a.csv", "b.csv", "c.txt"):
    ...     File(f"memory://example-set/{name}").write(name)
    >>> [file.basename() for file in FileSet("memory://example-set/*.csv")]
    ['a.csv', 'b.csv']
    """

    __module__ = "redun.file"
    type_basename = "FileSet"
    type_name = "redun.FileSet"

    def __init__(self, pattern: str | os.PathLike[str]) -> None:
        self.pattern = _as_text(pattern)
        self._listing: Sequence[FileState] | None = None
        super().__init__(self.pattern)

    def files(self) -> list[File]:
        """Return the files that match now."""
        return list(self)

    def __iter__(self) -> Iterator[File]:
        for path in self.filesystem.glob(self.pattern):
            if self.filesystem.isfile(path):
                yield self.classes.File(path)

    def iter_subvalues(self) -> Iterable[Value]:
        """Return the files as they were when the hash was taken; the listing is the one that it was made of."""
        if self._listing is None:
            self._listing = list(self._list_states())
        return [self._make_file(state) for state in self._listing]

    def _make_file(self, state: FileState) -> File:
        file = self.classes.File(state.path)
        file._hash = state.hash
        return file

    def update_hash(self) -> None:
        self._listing = list(self._list_states())
        self._hash = self._hash_listing(self._listing)

    def _list_states(self) -> Iterable[FileState]:
        """List the files with the address of the state of each."""
        return self.filesystem.scan_glob(self.pattern)

    def _hash_listing(self, listing: Iterable[FileState]) -> str:
        return hash_struct([self.type_basename, self._place, *sorted(state.hash for state in listing)])

    def _calc_hash(self) -> str:
        return self._hash_listing(self._list_states())

    def describe_place(self) -> str:
        return self._place

    @property
    def _place(self) -> str:
        return self.pattern

    def __repr__(self) -> str:
        return f"{self.type_basename}(pattern={self.pattern}, hash={self._shown_hash})"

    @property
    def _shown_hash(self) -> str:
        # Not computed just to be shown: that reads a whole directory.
        return self._hash[:8] if self._hash else "unknown"

    def __getstate__(self) -> dict[str, Any]:
        return {"pattern": self.pattern, "hash": self.hash}

    def __setstate__(self, state: dict[str, Any]) -> None:
        FileSet.__init__(self, state["pattern"])
        self._hash = state["hash"]


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
        path = _as_text(path)
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


def _as_text(path: str | os.PathLike[str]) -> str:
    text = os.fspath(path)
    if not isinstance(text, str):
        raise TypeError(f"expected str or os.PathLike of str, not {text!r}; os.fsdecode makes one")
    return text


def _close_and_rehash(stream_ref: ref[IO[Any]], file: File) -> None:
    stream = stream_ref()
    if stream is not None and not stream.closed:
        type(stream).close(stream)
        file.update_hash()


FileClasses.File = File
FileClasses.FileSet = FileSet
FileClasses.Dir = Dir
