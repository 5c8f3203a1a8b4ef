"""The files of this machine.

A file that is written gets its name when it is complete, so that nobody finds half of it, not even after a kill.
"""

from __future__ import annotations

import errno
import glob
import os
import re
import shutil
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from secrets import token_hex
from typing import IO, Any

from redun_value_file.errors import RedunOSError, naming_path
from redun_value_file.filesystems import FileState, FileSystem
from redun_value_file.local_state import hash_local_file
from redun_value_file.schemes import LOCAL, local_path
from redun_value_file.streams import open_pending


class LocalFileSystem(FileSystem):
    """The files of this machine. A file's state is its path as written, its size and its time of modification."""

    name = LOCAL
    is_remote = False

    def _open(self, path: str, mode: str, **kwargs: Any) -> IO[Any]:
        path = local_path(path)
        if any(letter in mode for letter in "wax"):
            os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
        if "w" in mode and not kwargs.keys() - {"buffering", "encoding", "errors", "newline"}:
            target = os.path.realpath(path) if os.path.islink(path) else path
            pending = _make_beside(target)
            if pending is not None:
                made, handle = pending
                return open_pending(made, mode, partial(_replace, target=target), handle=handle, **kwargs)
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
            return hash_local_file(path, local_path(path), partial(os.stat, local_path(path)))

    def iter_files(self, path: str) -> Iterator[str]:
        return (entry_path for entry_path, _ in _walk(path, local_path(path)))

    def scan(self, path: str) -> Iterator[FileState]:
        for entry_path, entry in _walk(path, local_path(path)):
            with naming_path(entry_path):
                state = hash_local_file(entry_path, local_path(entry_path), entry.stat)
            yield FileState(entry_path, state)

    def copy(self, src_path: str, dest_path: str) -> None:
        source, destination = local_path(src_path), local_path(dest_path)
        with naming_path(dest_path):
            os.makedirs(os.path.dirname(destination) or ".", exist_ok=True)
            if os.path.exists(destination) and os.path.exists(source) and os.path.samefile(source, destination):
                return
        try:
            _copy_whole(source, os.path.realpath(destination))
        except shutil.SpecialFileError as error:
            raise RedunOSError(f"{src_path!r} is no regular file: {error}") from error
        except OSError as error:
            with naming_path(src_path if error.filename == source else dest_path):
                raise

    def glob(self, pattern: str) -> Sequence[str]:
        plain = local_path(pattern)
        scheme = pattern.removesuffix(plain)
        with naming_path(pattern):
            _check_listable(plain)
        return [f"{scheme}{path}" for path in sorted(glob.glob(plain, recursive=True))]

    def isfile(self, path: str) -> bool:
        return os.path.isfile(local_path(path))

    def isdir(self, path: str) -> bool:
        return os.path.isdir(local_path(path))

    def filesize(self, path: str) -> int:
        with naming_path(path):
            return os.path.getsize(local_path(path))


def _check_listable(pattern: str) -> None:
    """Raise an error if the folder below which a pattern matches may not be listed: it might hold anything."""
    magic = re.search(r"[*?\[]", pattern)
    folder = os.path.dirname(pattern[: magic.start()] if magic else pattern)
    with suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder or "."):
        pass


def _make_beside(target: str) -> tuple[str, int] | None:
    """Create a hidden file in the folder of a file to be written, with its permissions; return its path and handle.

    There is none for what is no regular file, such as a pipe, and in a folder in which no file may be made; both are
    written in place.
    """
    try:
        existing = os.stat(target)
    except FileNotFoundError:
        existing = None
    if existing is not None and not (stat.S_ISREG(existing.st_mode) and os.access(target, os.W_OK)):
        return None
    made = os.path.join(os.path.dirname(target), f".redun-{token_hex(8)}.part")
    try:
        handle = os.open(made, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o666)
    except OSError:
        return None
    if existing is not None:
        try:
            os.fchmod(handle, stat.S_IMODE(existing.st_mode))
        except OSError:
            os.close(handle)
            os.remove(made)
            return None
    return made, handle


def _replace(made: str, target: str) -> bool:
    with naming_path(target):
        os.replace(made, target)
    return False


def _copy_whole(source: str, target: str) -> None:
    """Copy a file to its place under another name, if one can be made there."""
    pending = _make_beside(target)
    if pending is None:
        shutil.copyfile(source, target)
        return
    made, handle = pending
    os.close(handle)
    try:
        shutil.copyfile(source, made)
        os.replace(made, target)
    except BaseException:
        os.remove(made)
        raise


def _walk(path: str, folder: str) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Yield every file below a folder that is not hidden, with its path as the folder's is written.

    Links to directories are followed, except to one that the link is in.
    """
    pending = [(path, folder, frozenset[tuple[int, int]]())]
    while pending:
        path, folder, above = pending.pop()
        with naming_path(path):
            try:
                status = os.stat(folder or ".")
                if (status.st_dev, status.st_ino) in above:
                    continue
                with os.scandir(folder or ".") as listing:
                    entries = sorted(listing, key=lambda entry: entry.name)
            except (FileNotFoundError, NotADirectoryError):
                continue
        above |= {(status.st_dev, status.st_ino)}
        folders = []
        for entry in entries:
            if entry.name.startswith("."):
                continue
            entry_path = os.path.join(path, entry.name)
            with naming_path(entry_path):
                if _is_there(entry.is_dir):
                    folders.append((entry_path, os.path.join(folder, entry.name), above))
                elif _is_there(entry.is_file):
                    yield entry_path, entry
        pending.extend(reversed(folders))


def _is_there(question: Callable[[], bool]) -> bool:
    """Ask whether something is a file or a directory; a link that leads to itself is neither."""
    try:
        return question()
    except OSError as error:
        if error.errno == errno.ELOOP:
            return False
        raise
