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
    """A file can't be read or written."""


class RedunFileNotFoundError(RedunOSError, FileNotFoundError):
    """A file does not exist."""


class RedunPermissionError(RedunOSError, PermissionError):
    """A file may not be read or written."""


class StagingError(RedunError, TypeError):
    """A script was given something else to copy than files with a local place."""


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
