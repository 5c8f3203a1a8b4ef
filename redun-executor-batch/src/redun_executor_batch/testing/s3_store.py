"""Buckets of objects in a folder: one file per object, a line that describes it and its content.

What is in the folder when the store is made is in the store, so that a store outlives its process.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import threading
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from redun_executor_batch.testing.wire import ServiceError


@dataclass(frozen=True)
class StoredObject:
    """What is known of an object.

    Attributes
    ----------
    key : str
        Its name in the bucket.
    etag : str
        The digest of its content, in quotation marks.
    size : int
        Its length in bytes.
    modified : float
        When it was written, in seconds since 1970.
    headers : Mapping[str, str]
        Headers that it was written with and is read with, such as its type.
    place : Path
        The file.
    offset : int
        Where its content begins in the file.
    """

    key: str
    etag: str
    size: int
    modified: float
    headers: Mapping[str, str]
    place: Path
    offset: int

    def read(self, start: int = 0, stop: int | None = None) -> bytes:
        """Return the content, or a part of it."""
        stop = self.size if stop is None else stop
        with open(self.place, "rb") as stream:
            stream.seek(self.offset + start)
            return stream.read(max(stop - start, 0))


class ObjectStore:
    """Buckets, their objects, and uploads in parts.

    Parameters
    ----------
    folder
        Where everything is kept.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.RLock()
        self._uploads: dict[str, tuple[str, str, Mapping[str, str], dict[int, StoredObject]]] = {}
        self._parts = folder / ".parts"
        shutil.rmtree(self._parts, ignore_errors=True)
        self._parts.mkdir(parents=True)
        self._buckets = {
            place.name: {found.key: found for found in map(_open, place.iterdir()) if found is not None}
            for place in folder.iterdir()
            if place.is_dir() and place != self._parts
        }

    def buckets(self) -> Sequence[str]:
        """Return the names of the buckets."""
        with self._lock:
            return sorted(self._buckets)

    def create_bucket(self, bucket: str) -> None:
        """Make a bucket; one that is there stays."""
        with self._lock:
            (self._folder / bucket).mkdir(exist_ok=True)
            self._buckets.setdefault(bucket, {})

    def delete_bucket(self, bucket: str) -> None:
        """Remove a bucket that is empty."""
        with self._lock:
            if self._find(bucket):
                raise ServiceError("BucketNotEmpty", "The bucket you tried to delete is not empty", 409)
            shutil.rmtree(self._folder / bucket)
            del self._buckets[bucket]

    def list(self, bucket: str, prefix: str, after: str) -> Sequence[StoredObject]:
        """Return the objects whose keys have a prefix and come after a key, in the order of keys."""
        with self._lock:
            found = [item for key, item in self._find(bucket).items() if key.startswith(prefix) and key > after]
        return sorted(found, key=lambda item: item.key.encode())

    def get(self, bucket: str, key: str) -> StoredObject:
        """Return what is known of an object."""
        with self._lock:
            found = self._find(bucket).get(key)
        if found is None:
            raise ServiceError("NoSuchKey", "The specified key does not exist.", 404)
        return found

    def put(
        self,
        bucket: str,
        key: str,
        content: bytes,
        headers: Mapping[str, str],
        only_if_new: bool = False,
        etag: str | None = None,
    ) -> StoredObject:
        """Write an object."""
        place = self._folder / bucket / hashlib.sha256(key.encode()).hexdigest()
        with self._lock:
            objects = self._find(bucket)
            if only_if_new and key in objects:
                raise ServiceError("PreconditionFailed", "At least one of the preconditions did not hold", 412)
            objects[key] = _write(place, key, content, headers, etag)
            return objects[key]

    def delete(self, bucket: str, key: str) -> None:
        """Remove an object, if it is there."""
        with self._lock:
            found = self._find(bucket).pop(key, None)
            if found is not None:
                found.place.unlink()

    def start_upload(self, bucket: str, key: str, headers: Mapping[str, str]) -> str:
        """Begin an upload in parts and return its id."""
        upload_id = uuid.uuid4().hex
        with self._lock:
            self._find(bucket)
            self._uploads[upload_id] = (bucket, key, headers, {})
        return upload_id

    def put_part(self, upload_id: str, number: int, content: bytes) -> str:
        """Write a part of an upload and return its ETag."""
        with self._lock:
            parts = self._find_upload(upload_id)[3]
            parts[number] = _write(self._parts / f"{upload_id}.{number}", str(number), content, {}, None)
            return parts[number].etag

    def complete_upload(self, upload_id: str, numbers: Sequence[int]) -> StoredObject:
        """Make an object of the parts of an upload."""
        with self._lock:
            bucket, key, headers, parts = self._find_upload(upload_id)
            if list(numbers) != sorted(set(numbers)):
                raise ServiceError("InvalidPartOrder", "The list of parts was not in ascending order.")
            if not numbers or any(number not in parts for number in numbers):
                raise ServiceError("InvalidPart", "One or more of the specified parts could not be found.")
            chosen = [parts[number] for number in numbers]
            digest = hashlib.md5(b"".join(bytes.fromhex(part.etag[1:-1]) for part in chosen), usedforsecurity=False)
            content = b"".join(part.read() for part in chosen)
            made = self.put(bucket, key, content, headers, etag=f'"{digest.hexdigest()}-{len(chosen)}"')
            self.abort_upload(upload_id)
            return made

    def abort_upload(self, upload_id: str) -> None:
        """Forget an upload."""
        with self._lock:
            for part in self._find_upload(upload_id)[3].values():
                part.place.unlink()
            del self._uploads[upload_id]

    def _find(self, bucket: str) -> dict[str, StoredObject]:
        try:
            return self._buckets[bucket]
        except KeyError:
            raise ServiceError("NoSuchBucket", "The specified bucket does not exist", 404) from None

    def _find_upload(self, upload_id: str) -> tuple[str, str, Mapping[str, str], dict[int, StoredObject]]:
        try:
            return self._uploads[upload_id]
        except KeyError:
            raise ServiceError("NoSuchUpload", "The specified upload does not exist.", 404) from None


def _write(place: Path, key: str, content: bytes, headers: Mapping[str, str], etag: str | None) -> StoredObject:
    etag = etag or f'"{hashlib.md5(content, usedforsecurity=False).hexdigest()}"'
    described: dict[str, Any] = {
        "key": key,
        "etag": etag,
        "size": len(content),
        "modified": time.time(),
        "headers": dict(headers),
    }
    line = json.dumps(described).encode() + b"\n"
    hidden = place.with_name(f".{uuid.uuid4().hex}")
    hidden.write_bytes(line + content)
    os.replace(hidden, place)
    return StoredObject(**described, place=place, offset=len(line))


def _open(place: Path) -> StoredObject | None:
    """Return the object in a file; None for one that was not written to its end."""
    if place.name.startswith("."):
        place.unlink()
        return None
    with open(place, "rb") as stream:
        line = stream.readline()
    described: dict[str, Any] = json.loads(line)
    return StoredObject(**described, place=place, offset=len(line))
