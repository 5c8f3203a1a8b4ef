"""Errors of files: the builtin ones, with the path in the message."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from redun.errors import RedunError


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
        raise kind(error.errno, error.strerror or str(error), path) from error
