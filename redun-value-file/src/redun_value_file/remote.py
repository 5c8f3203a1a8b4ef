"""File systems of every scheme that fsspec knows.

A file is read where it is. One that is written is made on this machine first, and stored when it is complete: under
its own name in a store in which files appear as a whole, elsewhere under another name that is then changed.
"""

from __future__ import annotations

import errno
import os
import posixpath
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from io import TextIOWrapper
from secrets import token_hex
from tempfile import mkstemp
from typing import IO, Any

from redun.errors import RedunError
from redun_value_file.errors import RedunOSError, naming_path
from redun_value_file.filesystems import FileState, FileSystem
from redun_value_file.identity import hash_remote_file
from redun_value_file.schemes import join_path, split_chain
from redun_value_file.streams import open_pending

_WHOLE = {"abfs", "adl", "az", "gcs", "gs", "http", "https", "lakefs", "memory", "oci", "oss", "s3", "s3a", "tos"}
"""Schemes of stores in which a file that is put appears as a whole."""

_WRITING = "wax+"


class MissingLibraryError(RedunError, ImportError):
    """A scheme needs a library that is not installed."""


def make_filesystem_class(scheme: str) -> type[FileSystem] | None:
    """Return the class of the file systems of a scheme; None if fsspec does not know it."""
    import fsspec
    from fsspec.registry import registry

    if scheme not in fsspec.available_protocols() and scheme not in registry:
        return None
    return type(f"{scheme.title()}FileSystem", (FsspecFileSystem,), {"name": scheme})


class FsspecFileSystem(FileSystem):
    """The files of a scheme that fsspec knows."""

    def _open(self, path: str, mode: str, **kwargs: Any) -> IO[Any]:
        filesystem, place = self._find(path)
        if any(letter in mode for letter in _WRITING):
            made = make_local(lambda local: self._fetch(path, local, mode))
            return open_pending(made, mode.replace("x", "w"), partial(self._store, path=path), **kwargs)
        text = {name: kwargs.pop(name) for name in ("encoding", "errors", "newline") if name in kwargs}
        stream: Any = filesystem.open(place, "rb", **kwargs)
        with suppress(AttributeError):
            # An archive is closed when nobody refers to its file system any more.
            stream.keeps_open = filesystem
        return stream if "b" in mode else TextIOWrapper(stream, **text)

    def _fetch(self, path: str, local: str, mode: str) -> None:
        """Bring what a stream that changes a file needs of it."""
        if "x" in mode and self.exists(path):
            raise FileExistsError(errno.EEXIST, "File exists", path)
        if "r" in mode or ("a" in mode and self.exists(path)):
            self.get(path, local)

    def _store(self, local_path: str, path: str) -> bool:
        self.put(local_path, path)
        return True

    def put(self, local_path: str, path: str) -> None:
        with _naming(path):
            filesystem, place = self._find(path)
            if self.name in _WHOLE:
                filesystem.put_file(local_path, place)
                return
            folder = posixpath.dirname(place)
            with suppress(NotImplementedError, FileExistsError):
                filesystem.makedirs(folder, exist_ok=True)
            made = f"{folder}/.redun-{token_hex(8)}.part" if folder else f".redun-{token_hex(8)}.part"
            try:
                filesystem.put_file(local_path, made)
                filesystem.mv(made, place)
            except BaseException:
                with suppress(Exception):
                    filesystem.rm_file(made)
                raise

    def get(self, path: str, local_path: str) -> None:
        with _naming(path):
            filesystem, place = self._find(path)
            filesystem.get_file(place, local_path)

    def exists(self, path: str) -> bool:
        with _naming(path):
            filesystem, place = self._find(path)
            return bool(filesystem.exists(place))

    def remove(self, path: str) -> None:
        with _naming(path), suppress(FileNotFoundError):
            filesystem, place = self._find(path)
            filesystem.rm_file(place)

    def touch(self, path: str, time: float | None = None) -> None:
        """Create a file or write it anew; a time of one's own can't be given."""
        if time is not None:
            raise RedunOSError(errno.EOPNOTSUPP, f"the time of a file of scheme {self.name!r} can't be set", path)
        self.open(path, "ab").close()

    def mkdir(self, path: str) -> None:
        with _naming(path):
            filesystem, place = self._find(path)
            filesystem.makedirs(place, exist_ok=True)

    def rmdir(self, path: str, recursive: bool = False) -> None:
        with _naming(path):
            filesystem, place = self._find(path)
            if recursive:
                filesystem.rm(place, recursive=True)
            else:
                filesystem.rmdir(place)

    def get_hash(self, path: str) -> str:
        with _naming(path):
            return hash_remote_file(self.name, path, self._look(path))

    def scan(self, path: str) -> Iterator[FileState]:
        with _naming(path):
            filesystem, place = self._find(path)
            try:
                found = filesystem.find(place, detail=True)
            except FileNotFoundError:
                return
        prefix = f"{place.rstrip('/')}/"
        yield from self._tell({name: info for name, info in found.items() if name.startswith(prefix)}, path, place)

    def scan_glob(self, pattern: str) -> Iterator[FileState]:
        with _naming(pattern):
            filesystem, place = self._find(pattern)
            found = filesystem.glob(place, detail=True)
        yield from self._tell(found, pattern, place)

    def iter_files(self, path: str) -> Iterator[str]:
        return (state.path for state in self.scan(path))

    def copy(self, src_path: str, dest_path: str) -> None:
        (source, src_place), (destination, dest_place) = self._find(src_path), self._find(dest_path)
        if source is destination and self.name in _WHOLE:
            with _naming(src_path):
                if src_place != dest_place:
                    source.cp_file(src_place, dest_place)
            return
        made = make_local(partial(self.get, src_path))
        try:
            self.put(made, dest_path)
        finally:
            os.remove(made)

    def glob(self, pattern: str) -> Sequence[str]:
        with _naming(pattern):
            filesystem, place = self._find(pattern)
            return [_restore(name, pattern, place) for name in sorted(filesystem.glob(place))]

    def isfile(self, path: str) -> bool:
        with _naming(path):
            info = self._look(path)
            return info is not None and info.get("type") != "directory"

    def isdir(self, path: str) -> bool:
        with _naming(path):
            info = self._look(path)
            return info is not None and info.get("type") == "directory"

    def filesize(self, path: str) -> int:
        with _naming(path):
            filesystem, place = self._find(path)
            return int(filesystem.info(place)["size"])

    def _find(self, path: str) -> tuple[Any, str]:
        """Return the fsspec file system of a path, which forgets what it listed before, and the path inside it."""
        from fsspec.core import url_to_fs

        try:
            # An archive's file system keeps the table of contents that it found first.
            filesystem, place = url_to_fs(path, **({"skip_instance_cache": True} if split_chain(path)[1] else {}))
        except ImportError as error:
            raise MissingLibraryError(f"{path!r} can't be reached: {error}") from error
        filesystem.invalidate_cache()
        return filesystem, place

    def _look(self, path: str) -> Mapping[str, Any] | None:
        filesystem, place = self._find(path)
        try:
            info: Mapping[str, Any] = filesystem.info(place)
        except (FileNotFoundError, NotADirectoryError):
            return None
        return info

    def _tell(self, found: Mapping[str, Mapping[str, Any]], path: str, place: str) -> Iterator[FileState]:
        for name in sorted(found):
            info = found[name]
            if info.get("type") == "directory":
                continue
            restored = _restore(name, path, place)
            # What a web server lists are links, without what it says about each.
            is_told = not self.name.startswith("http")
            yield FileState(
                restored, hash_remote_file(self.name, restored, info) if is_told else self.get_hash(restored)
            )


def _restore(name: str, path: str, place: str) -> str:
    """Return the URL of a name that was listed, written as the URL that was asked about."""
    front, chained = split_chain(path)
    if not place:
        return join_path(path, name.lstrip("/"))
    at = front.rfind(place)
    return f"{front[:at]}{name}{chained}" if at >= 0 else f"{front.partition('://')[0]}://{name.lstrip('/')}{chained}"


@contextmanager
def _naming(path: str) -> Iterator[None]:
    """Turn errors into those of files; libraries of stores have some that are none of the operating system."""
    with naming_path(path):
        try:
            yield
        except (OSError, RedunError, NotImplementedError, TypeError, ValueError):
            raise
        except Exception as error:
            raise RedunOSError(errno.EIO, f"{type(error).__name__}: {error}", path) from error


def make_local(fill: Callable[[str], None]) -> str:
    """Create a file on this machine and let it be filled."""
    handle, made = mkstemp(prefix="redun-")
    os.close(handle)
    try:
        fill(made)
    except BaseException:
        os.remove(made)
        raise
    return made
