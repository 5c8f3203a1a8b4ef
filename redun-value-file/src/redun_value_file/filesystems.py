"""Where the bytes of files are: one class per scheme of URLs.

A path without a scheme is a local one. What identifies the state of a file, and so what makes a workflow run again,
is its file system's `get_hash`.
"""

from __future__ import annotations

import glob
import os
import re
import shlex
import shutil
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from typing import IO, Any, ClassVar, TypeVar

from redun.errors import RedunError
from redun.hashing import hash_struct
from redun_value_file.errors import RedunOSError, naming_path

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]+)://")
_MISSING = -1


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
    """

    name: ClassVar[str]

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

    @abstractmethod
    def iter_files(self, path: str) -> Iterator[str]:
        """Yield the paths of all files below a directory that are not hidden."""

    @abstractmethod
    def copy(self, src_path: str, dest_path: str) -> None:
        """Copy a file within this file system."""

    @abstractmethod
    def shell_copy(self, src_path: str | None, dest_path: str | None, recursive: bool = False) -> str:
        """Return the shell command that copies a file; None stands for standard input or output."""

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

_classes: dict[str, type[FileSystem]] = {}
_instances: dict[str, FileSystem] = {}


def register_filesystem(filesystem: F) -> F:
    """Register a class of file systems under its name, the scheme of its URLs. A class decorator."""
    _classes[filesystem.name] = filesystem
    _instances.pop(filesystem.name, None)
    return filesystem


def list_filesystems() -> list[str]:
    """Return the names of all file systems."""
    return sorted(_classes)


def get_proto(url: str | None = None) -> str:
    """Return the scheme of a URL, ``"local"`` for a plain path.

    Examples
    --------
    >>> get_proto("s3://bucket/key"), get_proto("data/a.txt"), get_proto("file:///tmp/a.txt")
    ('s3', 'local', 'local')
    """
    match = _SCHEME.match(url or "")
    proto = match.group(1).lower() if match else "local"
    return "local" if proto == "file" else proto


def get_filesystem(proto: str | None = None, url: str | None = None) -> FileSystem:
    """Return the file system of a scheme or of a URL.

    Raises
    ------
    KeyError
        When no file system has the scheme.
    """
    name = proto or get_proto(url)
    if name not in _instances:
        _instances[name] = get_filesystem_class(name, url)()
    return _instances[name]


def get_filesystem_class(proto: str | None = None, url: str | None = None) -> type[FileSystem]:
    """Return the class of the file system of a scheme or of a URL; raises KeyError as `get_filesystem`."""
    name = proto or get_proto(url)
    if name not in _classes:
        near = get_close_matches(name, _classes, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(list_filesystems())}"
        wanted = f"for {url!r}: {name!r} is not known" if url else f"for {name!r}"
        raise UnknownFileSystemError(f"there is no file system {wanted}; {hint}")
    return _classes[name]


@register_filesystem
class LocalFileSystem(FileSystem):
    """The files of this machine. A file's state is its path as written, its size and its time of modification."""

    name = "local"

    def _open(self, path: str, mode: str, **kwargs: Any) -> IO[Any]:
        path = local_path(path)
        if any(letter in mode for letter in "wax"):
            os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
        return open(path, mode, **kwargs)

    def exists(self, path: str) -> bool:
        return os.path.exists(local_path(path))

    def remove(self, path: str) -> None:
        with naming_path(path):
            try:
                os.remove(local_path(path))
            except FileNotFoundError:
                return

    def touch(self, path: str, time: float | None = None) -> None:
        self.open(path, "ab").close()
        with naming_path(path):
            os.utime(local_path(path), None if time is None else (time, time))

    def mkdir(self, path: str) -> None:
        with naming_path(path):
            os.makedirs(local_path(path), exist_ok=True)

    def rmdir(self, path: str, recursive: bool = False) -> None:
        with naming_path(path):
            if recursive:
                shutil.rmtree(local_path(path))
            else:
                os.rmdir(local_path(path))

    def get_hash(self, path: str) -> str:
        with naming_path(path):
            try:
                status = os.stat(local_path(path))
            except (FileNotFoundError, NotADirectoryError):
                return hash_struct(["File", "local", path, _MISSING, str(_MISSING)])
            return hash_struct(["File", "local", path, status.st_size, str(status.st_mtime)])

    def iter_files(self, path: str) -> Iterator[str]:
        return filter(self.isfile, self.glob(os.path.join(glob.escape(path), "**")))

    def copy(self, src_path: str, dest_path: str) -> None:
        source, destination = local_path(src_path), local_path(dest_path)
        with naming_path(dest_path):
            os.makedirs(os.path.dirname(destination) or ".", exist_ok=True)
        try:
            shutil.copyfile(source, destination)
        except shutil.SameFileError:
            return
        except shutil.SpecialFileError as error:
            raise RedunOSError(f"{src_path!r} is no regular file: {error}") from error
        except OSError as error:
            with naming_path(dest_path if error.filename == destination else src_path):
                raise

    def shell_copy(self, src_path: str | None, dest_path: str | None, recursive: bool = False) -> str:
        if src_path is None and dest_path is None:
            raise ValueError("a copy needs at least one path; the other may be standard input or output")
        if src_path is None:
            return f"cat > {_quote(dest_path)}"
        if dest_path is None:
            return f"cat {_quote(src_path)}"
        return f"cp {'-r ' if recursive else ''}{_quote(src_path)} {_quote(dest_path)}"

    def glob(self, pattern: str) -> Sequence[str]:
        plain = local_path(pattern)
        scheme = pattern.removesuffix(plain)
        return [f"{scheme}{path}" for path in sorted(glob.glob(plain, recursive=True))]

    def isfile(self, path: str) -> bool:
        return os.path.isfile(local_path(path))

    def isdir(self, path: str) -> bool:
        return os.path.isdir(local_path(path))

    def filesize(self, path: str) -> int:
        with naming_path(path):
            return os.path.getsize(local_path(path))


def local_path(path: str) -> str:
    """Return a local path without its scheme, if it has one."""
    return path[len("file://") :] if path[:7].lower() == "file://" else path


def _quote(path: str | None) -> str:
    """Quote a path for a shell, so that one that starts with a dash is no option."""
    plain = local_path(path or "")
    return shlex.quote(f"./{plain}" if plain.startswith("-") else plain)
