"""Files that are either wholly there or not at all."""

from __future__ import annotations

import os
import secrets
import stat
import time
from contextlib import suppress
from pathlib import Path

_SUFFIX = ".tmp"
_LEFTOVER_SECONDS = 3600.0


def write_atomically(path: str | Path, data: bytes, *, overwrite: bool = True) -> bool:
    """Write a file under a temporary name, force it to disk, and give it its name.

    Parameters
    ----------
    path
        The file to write; its folder is created if need be.
    data
        The whole content.
    overwrite
        Whether to replace a file that exists already; what may be done with it, and by whom, stays as it is.

    Returns
    -------
    bool
        Whether the file was written; False when it existed and `overwrite` is False.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{os.getpid()}-{secrets.token_hex(4)}{_SUFFIX}")
    try:
        with open(temporary, "xb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        if overwrite:
            if path.exists():
                os.chmod(temporary, stat.S_IMODE(path.stat().st_mode))
            os.replace(temporary, path)
            return True
        try:
            os.link(temporary, path)
        except FileExistsError:
            return False
        return True
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def remove_leftovers(folder: str | Path) -> None:
    """Remove the temporary files of processes that were killed while they wrote files in a folder."""
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(".") and entry.name.endswith(_SUFFIX):
                with suppress(OSError):
                    if time.time() - entry.stat(follow_symlinks=False).st_mtime > _LEFTOVER_SECONDS:
                        os.unlink(entry.path)
