"""Errors of files: the builtin ones, with the path in the message."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager

from redun.errors import RedunError

_NUMBERS: dict[type, int] = {
    FileExistsError: errno.EEXIST,
    FileNotFoundError: errno.ENOENT,
    IsADirectoryError: errno.EISDIR,
    NotADirectoryError: errno.ENOTDIR,
    PermissionError: errno.EACCES,
}


class RedunOSError(RedunError, OSError):
    """A file can't be read or written.

    Examples
    --------
    >>> from redun import File
    >>> try:
    ...     File("/tmp").read()
    ... except RedunOSError as error:
    ...     print(type(error).__name__)
    RedunOSError
    """


class RedunFileNotFoundError(RedunOSError, FileNotFoundError):
    """A file does not exist.

    Examples
    --------
    >>> from redun import File
    >>> try:
    ...     File("memory://nowhere/at/all").read()
    ... except RedunFileNotFoundError as error:
    ...     print("missing")
    missing
    """


class RedunPermissionError(RedunOSError, PermissionError):
    """A file may not be read or written.

    Examples
    --------
    >>> issubclass(RedunPermissionError, PermissionError)
    True
    """


class StagingError(RedunError, TypeError):
    """A script was given something else to copy than files with a local place.

    Examples
    --------
    >>> from redun import File, script
    >>> try:
    ...     script("cat reads.fastq", inputs=[File("reads.fastq")])
    ... except StagingError as error:
    ...     print(error)
    script() got File('reads.fastq') as an input without a local place: write File('reads.fastq').stage(local_path)
    """


@contextmanager
def naming_path(path: str) -> Iterator[None]:
    """Turn errors of the operating system into those of redun, which name the path as the workflow wrote it."""
    try:
        yield
    except RedunOSError:
        raise
    except UnicodeEncodeError as error:
        raise RedunOSError(errno.EILSEQ, "the name is no text in UTF-8", path) from error
    except OSError as error:
        kind = RedunOSError
        if isinstance(error, FileNotFoundError):
            kind = RedunFileNotFoundError
        elif isinstance(error, PermissionError):
            kind = RedunPermissionError
        number = error.errno or _NUMBERS.get(type(error), errno.EIO)
        raise kind(number, error.strerror or _describe(error, number), path) from error


def _describe(error: OSError, number: int) -> str:
    """Return what an error says that has no text of the operating system; file systems of others raise such."""
    return os.strerror(number) if type(error) in _NUMBERS else str(error)
