"""Objects of S3 as files. A file's state is its path as written and its ETag.

A directory is what the keys say that have its path and a slash in front; it exists while there are such keys. Objects
are written on this machine first and stored when they are complete, large ones in parts.
"""

from __future__ import annotations

import errno
import io
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import IO, Any

from redun.hashing import hash_struct
from redun_value_file.errors import RedunFileNotFoundError, RedunOSError
from redun_value_file.filesystems import FileState, FileSystem
from redun_value_file.remote import make_local
from redun_value_file.s3_client import get_client, naming_object
from redun_value_file.s3_read import ObjectReader
from redun_value_file.streams import open_pending

_BUFFER_SIZE = 1 << 20
_MAX_DELETED = 1_000
_MAGIC = re.compile(r"[*?\[]")
_PIECES = re.compile(r"\[!?\]?[^\]]*\]|.", re.DOTALL)
_WILD = {"*": "[^/]*", "**": "[^/]*", "?": "[^/]"}


class S3FileSystem(FileSystem):
    """The objects of S3 and of stores that speak its protocol."""

    name = "s3"

    def _open(self, path: str, mode: str, **kwargs: Any) -> IO[Any]:
        if any(letter in mode for letter in "wax+"):
            made = make_local(partial(self._fetch, path, mode))
            return open_pending(made, mode.replace("x", "w"), partial(self._store, path=path), **kwargs)
        size = max(kwargs.pop("buffering", -1), _BUFFER_SIZE)
        stream = io.BufferedReader(ObjectReader(path, *_split(path)), size)
        return stream if "b" in mode else io.TextIOWrapper(stream, **kwargs)

    def _fetch(self, path: str, mode: str, local: str) -> None:
        """Bring what a stream that changes an object needs of it."""
        if "x" in mode and self.isfile(path):
            raise FileExistsError(errno.EEXIST, "File exists", path)
        if "r" in mode or ("a" in mode and self.isfile(path)):
            self.get(path, local)

    def _store(self, local_path: str, path: str) -> bool:
        self.put(local_path, path)
        return True

    def put(self, local_path: str, path: str) -> None:
        bucket, key = _split(path)
        with naming_object(path):
            get_client().upload_file(local_path, bucket, key)

    def get(self, path: str, local_path: str) -> None:
        bucket, key = _split(path)
        with naming_object(path):
            get_client().download_file(bucket, key, local_path)

    def exists(self, path: str) -> bool:
        return self._look(path) is not None or self.isdir(path)

    def isfile(self, path: str) -> bool:
        return self._look(path) is not None

    def isdir(self, path: str) -> bool:
        bucket, key = _split(path)
        with naming_object(path):
            try:
                answer = get_client().list_objects_v2(Bucket=bucket, Prefix=_as_prefix(key), MaxKeys=1)
            except get_client().exceptions.NoSuchBucket:
                return False
        return bool(answer.get("Contents")) or not key

    def filesize(self, path: str) -> int:
        found = self._look(path)
        if found is None:
            raise RedunFileNotFoundError(errno.ENOENT, "there is no such object", path)
        return int(found["ContentLength"])

    def get_hash(self, path: str) -> str:
        return _hash_object(path, (self._look(path) or {}).get("ETag", ""))

    def remove(self, path: str) -> None:
        bucket, key = _split(path)
        with naming_object(path):
            get_client().delete_object(Bucket=bucket, Key=key)

    def touch(self, path: str, time: float | None = None) -> None:
        """Create an object or write it anew; a time of one's own can't be given."""
        if time is not None:
            raise RedunOSError(errno.EOPNOTSUPP, "the time of an object in S3 can't be set", path)
        bucket, key = _split(path)
        found = self._look(path)
        with naming_object(path):
            if found is None:
                get_client().put_object(Bucket=bucket, Key=key, Body=b"")
            else:
                source = {"Bucket": bucket, "Key": key}
                extra = {"MetadataDirective": "REPLACE", "Metadata": found.get("Metadata", {})}
                get_client().copy(source, bucket, key, ExtraArgs=extra)

    def mkdir(self, path: str) -> None:
        """Do nothing: a directory is there when there is something in it."""

    def rmdir(self, path: str, recursive: bool = False) -> None:
        bucket, key = _split(path)
        keys = [found["Key"] for found in self._list(path)]
        if not recursive and any(found != _as_prefix(key) for found in keys):
            raise RedunOSError(errno.ENOTEMPTY, "Directory not empty", path)
        with naming_object(path):
            for start in range(0, len(keys), _MAX_DELETED):
                batch = [{"Key": found} for found in keys[start : start + _MAX_DELETED]]
                answer = get_client().delete_objects(Bucket=bucket, Delete={"Objects": batch, "Quiet": True})
                if answer.get("Errors"):
                    problem = answer["Errors"][0]
                    text = f"{problem.get('Key')!r} can't be deleted: {problem.get('Message')}"
                    raise RedunOSError(errno.EIO, text, path)

    def iter_files(self, path: str) -> Iterator[str]:
        return (state.path for state in self.scan(path))

    def scan(self, path: str) -> Iterator[FileState]:
        root = path[: len(path) - len(_split(path)[1])]
        root = root if root.endswith("/") else f"{root}/"
        for found in self._list(path):
            if not found["Key"].endswith("/"):
                place = f"{root}{found['Key']}"
                yield FileState(place, _hash_object(place, found["ETag"]))

    def scan_glob(self, pattern: str) -> Iterator[FileState]:
        matches = _match_glob(pattern)
        return (state for state in self.scan(_find_root(pattern)) if matches(state.path))

    def glob(self, pattern: str) -> Sequence[str]:
        root, matches = _find_root(pattern), _match_glob(pattern)
        found: set[str] = set()
        for path in self.iter_files(root):
            while len(path) > len(root) and path not in found:
                found.add(path)
                path = path.rpartition("/")[0]
        return sorted(filter(matches, found))

    def copy(self, src_path: str, dest_path: str) -> None:
        (bucket, key), (dest_bucket, dest_key) = _split(src_path), _split(dest_path)
        if (bucket, key) == (dest_bucket, dest_key):
            return
        with naming_object(src_path):
            get_client().copy({"Bucket": bucket, "Key": key}, dest_bucket, dest_key)

    def _look(self, path: str) -> Mapping[str, Any] | None:
        """Return what a single request says about an object; None if there is none."""
        bucket, key = _split(path)
        if not key:
            return None
        try:
            with naming_object(path):
                answer: Mapping[str, Any] = get_client().head_object(Bucket=bucket, Key=key)
        except RedunFileNotFoundError:
            return None
        return answer

    def _list(self, path: str) -> Iterator[Mapping[str, Any]]:
        """Yield what the store says of every object below a directory, page by page."""
        bucket, key = _split(path)
        with naming_object(path):
            pages = get_client().get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=_as_prefix(key))
            for page in pages:
                yield from page.get("Contents", ())


def _hash_object(path: str, etag: str) -> str:
    return hash_struct(["File", "s3", path, etag])


def _split(path: str) -> tuple[str, str]:
    """Return the bucket and the key of a URL."""
    bucket, _, key = path.partition("://")[2].partition("/")
    if not bucket:
        raise RedunOSError(errno.EINVAL, "a file in S3 is written s3://bucket/key", path)
    return bucket, key


def _as_prefix(key: str) -> str:
    return f"{key.rstrip('/')}/" if key else ""


def _find_root(pattern: str) -> str:
    """Return the directory below which everything is that can match a pattern."""
    bucket, key = _split(pattern)
    scheme = pattern.partition("://")[0]
    magic = _MAGIC.search(key)
    folder = (key[: magic.start()] if magic else key).rpartition("/")[0]
    return f"{scheme}://{bucket}/{folder}".rstrip("/")


def _match_glob(pattern: str) -> Callable[[str], object]:
    """Return what says whether a path matches a pattern, in which ``**`` stands for any number of directories."""
    scheme, _, place = pattern.partition("://")
    *folders, last = place.split("/")
    text = "".join("(?:[^/]+/)*" if part == "**" else f"{_translate(part)}/" for part in folders)
    text += "(?:[^/]+/)*[^/]+" if last == "**" else _translate(last)
    return re.compile(f"{re.escape(scheme)}://{text}", re.DOTALL).fullmatch


def _translate(part: str) -> str:
    """Return the regular expression of a pattern for one name."""
    pieces = _PIECES.findall(part)
    return "".join(_WILD.get(piece) or (_as_class(piece) if len(piece) > 1 else re.escape(piece)) for piece in pieces)


def _as_class(piece: str) -> str:
    inner = piece[1:-1].replace("\\", "\\\\").replace("[", "\\[")
    return f"[^{inner[1:]}]" if inner.startswith("!") else f"[{inner}]" if inner[0] != "^" else f"[\\{inner}]"
