"""Bytes of values beside the database: one blob for each value, named by the value's address.

The layout is ``root/ab/cdef...``, the address split after two characters, and the blob is the serialised value as it
is. A blob appears as a whole: on a local disk it is written under a temporary name, forced to disk and renamed, and the
stores behind URLs show an object when all of it is there. What is in the way of reading a blob makes it absent; whether
its bytes are the right ones is for the reader to find out, who sets a wrong one aside under another name.
"""

from __future__ import annotations

import os
import re
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, NamedTuple

from redun.atomic import write_atomically
from redun.errors import BackendError, ConfigError
from redun.hashing import HASH_LENGTH
from redun.masking import mask_secrets

PREFIXES: Sequence[str] = tuple(f"{number:02x}" for number in range(256))
"""The first two characters that addresses can have."""

_PREFIX_LENGTH = 2
_SET_ASIDE = ".damaged"
_BLOB = re.compile(rf"[0-9a-f]{{{HASH_LENGTH - _PREFIX_LENGTH}}}")
_LEFTOVER = re.compile(rf"\..*\.tmp|[0-9a-f]{{{HASH_LENGTH - _PREFIX_LENGTH}}}{re.escape(_SET_ASIDE)}")
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*(://|::)")
_FILE_URL = "file://"
_WRITERS = 8
_MODIFIED = ("mtime", "LastModified", "last_modified", "updated", "modified", "created")


class Blob(NamedTuple):
    """What a listing of the value store says about one of its files.

    Attributes
    ----------
    name
        The path below the root.
    value_hash
        The address that it is named by; None for a leftover: a temporary file, or a blob that was set aside.
    size
        In bytes.
    modified
        When it was written, in seconds since the epoch; None where the storage does not tell.
    """

    name: str
    value_hash: str | None
    size: int
    modified: float | None


class ValueStore(ABC):
    """Where the bytes of large values are.

    Attributes
    ----------
    name
        How messages call it; never holds a password.
    """

    name: str

    def locate(self, value_hash: str) -> str:
        """Return where a value's blob is, for people."""
        return f"{self.name}/{name_blob(value_hash)}"

    @abstractmethod
    def read(self, value_hashes: Sequence[str]) -> Mapping[str, bytes]:
        """Return the blobs that are there, by address. One that this user can't read counts as absent.

        Raises
        ------
        BackendError
            When a storage behind a URL can't be reached, or refuses.
        """

    @abstractmethod
    def write(self, blobs: Mapping[str, bytes]) -> None:
        """Write blobs in place of those that are there; when it returns, they outlast a crash of the machine.

        Raises
        ------
        BackendError
            When any of them can't be written.
        """

    def find_missing(self, value_hashes: Sequence[str]) -> Collection[str]:
        """Return those blobs that are not there, where that is cheap to see; by default none."""
        return ()

    @abstractmethod
    def set_aside(self, value_hash: str) -> None:
        """Give a wrong blob another name, so that its value counts as absent; nothing happens where that fails."""

    @abstractmethod
    def list_blobs(self, prefix: str) -> Sequence[Blob]:
        """Return the blobs and leftovers among the values whose address starts with two characters.

        Raises
        ------
        BackendError
            When they can't be listed.
        """

    @abstractmethod
    def remove(self, names: Iterable[str]) -> None:
        """Remove files by their name in a listing; those that are gone are fine.

        Raises
        ------
        BackendError
            When one can't be removed.
        """

    def _explain(self, action: str, error: Exception) -> BackendError:
        return BackendError(
            f"the value store {self.name} can't be {action}: {mask_secrets(str(error)) or type(error).__name__}; check "
            "[backend] value_store_path, that it may be read and written, and that there is room"
        )


class LocalValueStore(ValueStore):
    """A value store in a folder.

    Parameters
    ----------
    root
        The folder; it is made when the first blob is written.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.name = str(root)

    def read(self, value_hashes: Sequence[str]) -> Mapping[str, bytes]:
        found: dict[str, bytes] = {}
        for value_hash in value_hashes:
            try:
                found[value_hash] = Path(self.root, name_blob(value_hash)).read_bytes()
            except OSError:  # Absent, not for this user, or on a broken disk: the value has to be made again.
                continue
        return found

    def write(self, blobs: Mapping[str, bytes]) -> None:
        paths = {Path(self.root, name_blob(value_hash)): data for value_hash, data in blobs.items()}
        try:
            if len(paths) == 1:
                for path, data in paths.items():
                    write_atomically(path, data)
            else:  # Several threads, because waiting for the disk is most of the work.
                with ThreadPoolExecutor(min(_WRITERS, len(paths))) as pool:
                    list(pool.map(write_atomically, paths, paths.values()))
            for folder in {path.parent for path in paths} | {self.root, self.root.parent}:
                _force_to_disk(folder)
        except OSError as error:
            raise self._explain("written", error) from error

    def find_missing(self, value_hashes: Sequence[str]) -> Collection[str]:
        return [key for key in value_hashes if not os.path.exists(Path(self.root, name_blob(key)))]

    def set_aside(self, value_hash: str) -> None:
        path = Path(self.root, name_blob(value_hash))
        try:
            os.replace(path, f"{path}{_SET_ASIDE}")
        except OSError:
            return

    def list_blobs(self, prefix: str) -> Sequence[Blob]:
        found: list[Blob] = []
        try:
            with os.scandir(self.root / prefix) as entries:
                for entry in entries:
                    status = entry.stat(follow_symlinks=False)
                    found.extend(_read_entry(prefix, entry.name, status.st_size, status.st_mtime))
        except FileNotFoundError:  # No folder, or a file that was temporary.
            return found
        except OSError as error:
            raise self._explain("listed", error) from error
        return found

    def remove(self, names: Iterable[str]) -> None:
        try:
            for name in names:
                Path(self.root, name).unlink(missing_ok=True)
        except OSError as error:
            raise self._explain("changed", error) from error


class UrlValueStore(ValueStore):
    """A value store in whatever fsspec has a file system for.

    Parameters
    ----------
    url
        The URL of its root.

    Raises
    ------
    ConfigError
        When nothing installed knows the URL.
    """

    def __init__(self, url: str) -> None:
        self.name = mask_secrets(url.rstrip("/"))
        try:
            from fsspec.core import url_to_fs
        except ImportError:
            raise ConfigError(
                f"[backend] value_store_path = {self.name!r} needs fsspec: pip install 'redun-backend-sql[remote]'"
            ) from None
        try:
            self._files, root = url_to_fs(url)
        except (ImportError, ValueError) as error:
            problem = mask_secrets(str(error))
            raise ConfigError(f"[backend] value_store_path = {self.name!r} can't be used: {problem}") from error
        self._root: str = root.rstrip("/")

    def read(self, value_hashes: Sequence[str]) -> Mapping[str, bytes]:
        if not value_hashes:
            return {}
        paths = {self._path(name_blob(value_hash)): value_hash for value_hash in value_hashes}
        try:
            found: Mapping[str, Any] = self._files.cat(list(paths), on_error="return")
            for result in found.values():
                if isinstance(result, Exception) and not isinstance(result, FileNotFoundError):
                    raise result
        except Exception as error:  # The storage is away or closed to us; making everything again is no answer to that.
            raise self._explain("read", error) from error
        return {paths[path]: data for path, data in found.items() if isinstance(data, bytes)}

    def write(self, blobs: Mapping[str, bytes]) -> None:
        paths = {self._path(name_blob(value_hash)): data for value_hash, data in blobs.items()}
        try:
            try:
                self._files.pipe(paths)
            except FileNotFoundError:  # A storage with folders.
                for folder in {path.rpartition("/")[0] for path in paths}:
                    self._files.makedirs(folder, exist_ok=True)
                self._files.pipe(paths)
        except Exception as error:  # Whatever a foreign file system raises.
            raise self._explain("written", error) from error

    def set_aside(self, value_hash: str) -> None:
        path = self._path(name_blob(value_hash))
        try:
            self._files.mv(path, f"{path}{_SET_ASIDE}")
        except Exception:  # Of whatever kind, the value counts as absent all the same.
            return

    def list_blobs(self, prefix: str) -> Sequence[Blob]:
        try:
            self._files.invalidate_cache()
            infos = self._files.find(self._path(prefix), maxdepth=1, detail=True)
        except FileNotFoundError:
            return []
        except Exception as error:
            raise self._explain("listed", error) from error
        return [
            blob
            for path, info in infos.items()
            for blob in _read_entry(prefix, path.rpartition("/")[2], int(info["size"] or 0), _read_time(info))
        ]

    def remove(self, names: Iterable[str]) -> None:
        paths = [self._path(name) for name in names]
        try:
            self._files.rm(paths)
        except FileNotFoundError:  # Some are gone; which ones are not is to be found out.
            for path in filter(self._files.exists, paths):
                self._files.rm(path)
        except Exception as error:
            raise self._explain("changed", error) from error

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}"


def open_value_store(location: str, config_dir: str | None) -> ValueStore:
    """Return the value store at a place.

    Parameters
    ----------
    location
        A folder, or a URL.
    config_dir
        What a relative folder is relative to.

    Raises
    ------
    ConfigError
        When nothing installed knows the URL.
    """
    if location.startswith(_FILE_URL):
        return LocalValueStore(Path(location.removeprefix(_FILE_URL)))
    if _URL.match(location):
        return UrlValueStore(location)
    return LocalValueStore(Path(config_dir or ".", os.path.expanduser(location)))


def name_blob(value_hash: str) -> str:
    """Return the path of a value's blob below the root of the store.

    Examples
    --------
    >>> name_blob("0123456789012345678901234567890123456789")
    '01/23456789012345678901234567890123456789'
    """
    return f"{value_hash[:_PREFIX_LENGTH]}/{value_hash[_PREFIX_LENGTH:]}"


def _read_entry(prefix: str, name: str, size: int, modified: float | None) -> Iterable[Blob]:
    """Yield what a file of the store is; files that somebody else put there are passed over."""
    if _BLOB.fullmatch(name):
        yield Blob(f"{prefix}/{name}", prefix + name, size, modified)
    elif _LEFTOVER.fullmatch(name):
        yield Blob(f"{prefix}/{name}", None, size, modified)


def _read_time(info: Mapping[str, Any]) -> float | None:
    for key in _MODIFIED:
        value = info.get(key)
        if isinstance(value, int | float):
            return float(value)
        if isinstance(value, datetime):
            return (value if value.tzinfo else value.replace(tzinfo=timezone.utc)).timestamp()
    return None


def _force_to_disk(folder: Path) -> None:
    """Force the names in a folder to disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
