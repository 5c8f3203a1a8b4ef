"""Files that are either wholly there or not at all."""

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path


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
    temporary = path.with_name(f".{os.getpid()}-{secrets.token_hex(4)}.tmp")
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
        temporary.unlink(missing_ok=True)
