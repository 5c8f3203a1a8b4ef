"""Reading objects of S3 as streams: what is asked for is fetched, from where it is asked for."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

from redun_value_file.s3_client import get_client, naming_object

_MAX_BROKEN = 5


class ObjectReader(io.RawIOBase):
    """An object as a raw stream that can be sought in. All that is read of it is of one state of the object.

    Parameters
    ----------
    path
        The URL.
    bucket, key
        What it stands for.

    Raises
    ------
    RedunOSError
        When it can't be read, also when it changes while it is read.
    """

    def __init__(self, path: str, bucket: str, key: str) -> None:
        self._path, self._bucket, self._key = path, bucket, key
        self._body: Any = None  # Whatever happens, it is closed in the end.
        with naming_object(path):
            answer = get_client().get_object(Bucket=bucket, Key=key)
        self._body = answer["Body"]
        self._size: int = answer["ContentLength"]
        self._etag: str = answer["ETag"]
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        position = base + offset
        if position < 0:
            raise ValueError(f"a position can't be negative: {position}")
        if position != self._position:
            self._drop_body()
            self._position = position
        return position

    def readinto(self, buffer: Any) -> int:
        """Read into a buffer what comes next, and return how much that is; nothing at the end."""
        if self._position >= self._size or not len(buffer):
            return 0
        with naming_object(self._path):
            data = _reading_again(lambda: self._fetch(len(buffer)), self._drop_body)
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)

    def _fetch(self, size: int) -> bytes:
        if self._body is None:
            answer = get_client().get_object(
                Bucket=self._bucket, Key=self._key, Range=f"bytes={self._position}-", IfMatch=self._etag
            )
            self._body = answer["Body"]
        data: bytes = self._body.read(size)
        return data

    def _drop_body(self) -> None:
        if self._body is not None:
            self._body.close()
            self._body = None

    def close(self) -> None:
        if not self.closed:
            self._drop_body()
        super().close()


def _reading_again(read: Callable[[], bytes], forget: Callable[[], None]) -> bytes:
    """Read, again after the connection broke."""
    from botocore.exceptions import HTTPClientError, IncompleteReadError

    for attempt in range(_MAX_BROKEN):
        try:
            return read()
        except (HTTPClientError, IncompleteReadError):
            forget()
            if attempt == _MAX_BROKEN - 1:
                raise
    raise AssertionError("unreachable")
