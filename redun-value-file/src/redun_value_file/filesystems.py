"""Where the bytes of files are: one class per scheme of URLs.

A path without a scheme is a local one. What identifies the state of a file, and so what makes a workflow run again,
is its file system's `get_hash`.
"""

from __future__ import annotations

import shutil
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from difflib import get_close_matches
from importlib import import_module
from typing import IO, Any, ClassVar, NamedTuple, TypeVar

from redun.errors import RedunError
from redun_value_file.errors import naming_path
from redun_value_file.schemes import LOCAL, get_proto, join_path, local_path, relative_path
from redun_value_file.shell import copy_command
from redun_value_file.streams import TextStream

_BLOCK_SIZE = 1 << 20
_COPIED_AT_ONCE = 8


class FileState(NamedTuple):
    """A file that a listing found, and the address of its state.

    Examples
    --------
    >>> from redun import File
    >>> File("memory://example-state/a.txt").write("pear")
    >>> [state.path for state in get_filesystem("memory").scan("memory://example-state")]
    ['memory://example-state/a.txt']
    """

    path: str
    hash: str


class UnknownFileSystemError(RedunError, KeyError):
    """A path has a scheme that no file system is registered for."""

    def __str__(self) -> str:
        return str(self.args[0])


class FileSystem(ABC):
    """A kind of storage that files live in.

    Attributes
    ----------
    name : str
        The scheme of its URLs.
    is_remote : bool
        Whether to look at a file takes a request; several are made at once then.

    Examples
    --------
    >>> from redun import File
    >>> filesystem = get_filesystem(url="memory://example.txt")
    >>> File("memory://example.txt").write("pear")
    >>> filesystem.exists("memory://example.txt")
    True
    """

    name: ClassVar[str]
    is_remote: ClassVar[bool] = True

    def open(self, path: str, mode: str, **kwargs: Any) -> IO[Any]:
        """Open a file, with its folder made when it is to be written."""
        with naming_path(path):
            return self._open(path, mode, **kwargs)

    @abstractmethod
    def _open(self, path: str, mode: str, **kwargs: Any) -> IO[Any]:
        """Open a file."""

    @abstractmethod
    def exists(self, path: str) -> bool:
        """Whether there is a file or directory."""

    @abstractmethod
    def remove(self, path: str) -> None:
        """Delete a file; one that does not exist is fine."""

    @abstractmethod
    def touch(self, path: str, time: float | None = None) -> None:
        """Create a file or set its time of modification, in seconds since the epoch; default is now."""

    @abstractmethod
    def mkdir(self, path: str) -> None:
        """Create a directory with everything above it; one that exists is fine."""

    @abstractmethod
    def rmdir(self, path: str, recursive: bool = False) -> None:
        """Delete a directory, with everything in it if `recursive`."""

    @abstractmethod
    def get_hash(self, path: str) -> str:
        """Return the address of a file's state: equal as long as the file is to count as unchanged."""

    def iter_files(self, path: str) -> Iterator[str]:
        """Yield the paths of all files below a directory that are not hidden."""
        return filter(self.isfile, self.glob(join_path(path, "**")))

    def scan(self, path: str) -> Iterator[FileState]:
        """Yield the files that `iter_files` does, each with its `get_hash`; from one listing where that has them."""
        return (FileState(found, self.get_hash(found)) for found in self.iter_files(path))

    def scan_glob(self, pattern: str) -> Iterator[FileState]:
        """Yield the files that match a pattern, each with its `get_hash`; from one listing where that has them."""
        return (FileState(found, self.get_hash(found)) for found in self.glob(pattern) if self.isfile(found))

    def iter_file_hashes(self, path: str) -> Iterator[str]:
        """Yield the hashes of all files below a directory that are not hidden."""
        return (state.hash for state in self.scan(path))

    @abstractmethod
    def copy(self, src_path: str, dest_path: str) -> None:
        """Copy a file within this file system."""

    def put(self, local_path: str, path: str) -> None:
        """Copy a local file into this file system."""
        with open(local_path, "rb") as reader, self.open(path, "wb") as writer:
            shutil.copyfileobj(reader, writer, _BLOCK_SIZE)

    def get(self, path: str, local_path: str) -> None:
        """Copy a file out of this file system, to a local file that is written as it is."""
        with self.open(path, "rb") as reader, open(local_path, "wb") as writer:
            shutil.copyfileobj(reader, writer, _BLOCK_SIZE)

    def shell_copy(
        self, src_path: str | None, dest_path: str | None, recursive: bool = False, as_mount: bool = False
    ) -> str:
        """Return the shell command that copies between this file system and another place.

        Parameters
        ----------
        src_path, dest_path
            Paths or URLs, of which one may be local; None stands for standard input or output.
        recursive
            Whether to copy a directory with everything in it.
        as_mount
            Whether buckets are mounted where the command runs, and copied as the folders that they are there.
        """
        return copy_command(src_path, dest_path, recursive, as_mount)

    @abstractmethod
    def glob(self, pattern: str) -> Sequence[str]:
        """Return the paths that match a pattern, in which ``**`` stands for any number of directories."""

    @abstractmethod
    def isfile(self, path: str) -> bool:
        """Whether there is a file."""

    @abstractmethod
    def isdir(self, path: str) -> bool:
        """Whether there is a directory."""

    @abstractmethod
    def filesize(self, path: str) -> int:
        """Return the size of a file in bytes."""


F = TypeVar("F", bound=type[FileSystem])

_OWN = {LOCAL: "redun_value_file.local:LocalFileSystem", "s3": "redun_value_file.s3:S3FileSystem"}
_BY_FSSPEC = ("az", "ftp", "gs", "http", "https", "memory")

_classes: dict[str, type[FileSystem]] = {}
_instances: dict[str, FileSystem] = {}


def register_filesystem(filesystem: F) -> F:
    """Register a class of file systems under its name, the scheme of its URLs. A class decorator.

    Examples
    --------
    >>> from redun_value_file.local import LocalFileSystem
    >>> @register_filesystem
    ... class TapeFileSystem(LocalFileSystem):
    ...     name = "tape"
    >>> get_filesystem_class(url="tape://1/data.csv").__name__
    'TapeFileSystem'
    """
    _classes[filesystem.name] = filesystem
    _instances.pop(filesystem.name, None)
    return filesystem


def list_filesystems() -> list[str]:
    """Return the names of the file systems that come with redun or were registered.

    Others that fsspec knows, such as ``github`` or ``sftp``, can be used without being listed.

    Examples
    --------
    >>> "local" in list_filesystems()
    True
    """
    return sorted({*_classes, *_OWN, *_BY_FSSPEC})


def shell_copy(src_path: str | None, dest_path: str | None, recursive: bool = False, as_mount: bool = False) -> str:
    """Return the shell command that copies between any two places.

    Parameters
    ----------
    src_path, dest_path
        Paths or URLs; None stands for standard input or output.
    recursive
        Whether to copy a directory with everything in it.
    as_mount
        Whether buckets are mounted where the command runs, and copied as the folders that they are there.

    Examples
    --------
    >>> shell_copy("s3://bucket/my reads.gz", "reads.gz")
    "aws s3 cp --no-progress 's3://bucket/my reads.gz' reads.gz"
    >>> shell_copy("s3://bucket/a", "gs://bucket/a")
    '(aws s3 cp --no-progress s3://bucket/a -) | (gsutil cp - gs://bucket/a)'
    """
    remote = [path for path in (src_path, dest_path) if path is not None and get_proto(path) != LOCAL]
    source, destination = get_filesystem(url=src_path), get_filesystem(url=dest_path)
    if len(remote) < 2 or source is destination:
        filesystem = get_filesystem(url=remote[0]) if remote else source
        return filesystem.shell_copy(src_path, dest_path, recursive, as_mount)
    if recursive:
        return copy_command(src_path, dest_path, recursive, as_mount)
    reading = source.shell_copy(src_path, None, as_mount=as_mount)
    return f"({reading}) | ({destination.shell_copy(None, dest_path, as_mount=as_mount)})"


def get_filesystem(proto: str | None = None, url: str | None = None) -> FileSystem:
    """Return the file system of a scheme or of a URL.

    Raises
    ------
    KeyError
        When no file system has the scheme.

    Examples
    --------
    >>> get_filesystem("local").exists("/nowhere/at/all")
    False
    """
    name = proto or get_proto(url)
    if name not in _instances:
        _instances[name] = get_filesystem_class(name, url)()
    return _instances[name]


def get_filesystem_class(proto: str | None = None, url: str | None = None) -> type[FileSystem]:
    """Return the class of the file system of a scheme or of a URL; raises KeyError as `get_filesystem`.

    Examples
    --------
    >>> get_filesystem_class(url="/tmp/data.csv").name
    'local'
    """
    name = proto or get_proto(url)
    if name not in _classes:
        _classes[name] = _import_class(name, url)
    return _classes[name]


def _import_class(name: str, url: str | None) -> type[FileSystem]:
    if name in _OWN:
        module, _, attribute = _OWN[name].partition(":")
        found: type[FileSystem] = getattr(import_module(module), attribute)
        return found
    from redun_value_file.remote import make_filesystem_class

    made = make_filesystem_class(name)
    if made is not None:
        return made
    known = list_filesystems()
    near = get_close_matches(name, known, 1)
    hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known)}, and what fsspec knows"
    wanted = f"for {url!r}: {name!r} is not known" if url else f"for {name!r}"
    raise UnknownFileSystemError(f"there is no file system {wanted}; {hint}")


def copy_file(src_path: str | None, dest_path: str | None, recursive: bool = False) -> None:
    """Copy between any two places.

    Parameters
    ----------
    src_path, dest_path
        Paths or URLs; None stands for standard input or output.
    recursive
        Whether to copy a directory; what is in it is put into the destination, also if that exists.

    Raises
    ------
    ValueError
        When both are None, or one of them is and a directory is to be copied.

    Examples
    --------
    >>> with open_file("memory://example-from.txt", "w") as stream:
    ...     _ = stream.write("pear")
    >>> copy_file("memory://example-from.txt", "memory://example-to.txt")
    >>> open_file("memory://example-to.txt").read()
    'pear'
    """
    if recursive and (src_path is None or dest_path is None):
        raise ValueError("a directory can't be copied from standard input or to standard output")
    if src_path is None and dest_path is None:
        raise ValueError("a copy needs at least one path; the other may be standard input or output")
    if src_path is None:
        with get_filesystem(url=dest_path).open(str(dest_path), "wb") as writer:
            shutil.copyfileobj(sys.stdin.buffer, writer, _BLOCK_SIZE)
    elif dest_path is None:
        with get_filesystem(url=src_path).open(src_path, "rb") as reader:
            shutil.copyfileobj(reader, sys.stdout.buffer, _BLOCK_SIZE)
        sys.stdout.buffer.flush()
    elif recursive:
        found = list(get_filesystem(url=src_path).iter_files(src_path))
        copy_many([(path, join_path(dest_path, relative_path(path, src_path))) for path in found])
    else:
        copy_one(src_path, dest_path)


def copy_one(src_path: str, dest_path: str) -> None:
    """Copy a file between any two file systems."""
    source, destination = get_filesystem(url=src_path), get_filesystem(url=dest_path)
    if source is destination:
        source.copy(src_path, dest_path)
    elif source.name == LOCAL:
        with naming_path(src_path), open(local_path(src_path), "rb"):
            pass
        destination.put(local_path(src_path), dest_path)
    else:
        with source.open(src_path, "rb") as reader, destination.open(dest_path, "wb") as writer:
            shutil.copyfileobj(reader, writer, _BLOCK_SIZE)


def copy_many(pairs: Sequence[tuple[str, str]]) -> None:
    """Copy files, given as pairs of source and destination; several at once where each of them takes requests."""
    is_local = all(get_proto(path) == LOCAL for pair in pairs[:1] for path in pair)
    if is_local or len(pairs) < 2:
        for source, destination in pairs:
            copy_one(source, destination)
        return
    with ThreadPoolExecutor(_COPIED_AT_ONCE) as threads:
        for done in [threads.submit(copy_one, source, destination) for source, destination in pairs]:
            done.result()


def open_file(path: str, mode: str = "r", encoding: str | None = None, **kwargs: Any) -> IO[Any]:
    """Open a file of any file system, as `redun.File.open` does.

    Examples
    --------
    >>> with open_file("memory://example-open.txt", "w") as stream:
    ...     _ = stream.write("pear")
    >>> open_file("memory://example-open.txt").read()
    'pear'
    """
    filesystem = get_filesystem(url=path)
    if encoding is None:
        return filesystem.open(path, mode, **kwargs)
    if "b" in mode:
        raise ValueError("a file opened in binary mode has no encoding")
    text = {name: kwargs.pop(name) for name in ("newline", "errors") if name in kwargs}
    binary = filesystem.open(path, mode.replace("t", "") + "b", **kwargs)
    return TextStream(binary, encoding=encoding, **text)


def glob_file(pattern: str) -> list[str]:
    """Return the paths that match a pattern, in any file system.

    Examples
    --------
    >>> with open_file("memory://example-glob/a.csv", "w") as stream:
    ...     _ = stream.write("1")
    >>> glob_file("memory://example-glob/*.csv")
    ['memory://example-glob/a.csv']
    """
    return list(get_filesystem(url=pattern).glob(pattern))
