"""What is sent to the Pythons of workers: files that options name, and the code of the working folder."""

from __future__ import annotations

import atexit
import shutil
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

from redun.hashing import hash_bytes
from redun_executor_spark.errors import SparkError
from redun_executor_spark.options import SparkOptions
from redun_remote.code_package import find_code_files

_TIME = (1980, 1, 1, 0, 0, 0)


def find_files(options: SparkOptions) -> list[str]:
    """Return the files to send, the code package among them.

    Raises
    ------
    SparkError
        When a file is not there, or the code package has no files.
    CodePackageError
        When the code can't be packed.
    """
    missing = [path for path in options.py_files if "://" not in path and not Path(path).exists()]
    if missing:
        raise SparkError(f"option py_files names {missing[0]}, which does not exist")
    if not options.code_package:
        return list(options.py_files)
    folder = Path.cwd()
    files = find_code_files(folder, options)
    if not files:
        raise SparkError(f"the code package has no files: nothing in {folder} fits code_includes and code_excludes")
    return [*options.py_files, pack_modules(folder, files)]


def pack_modules(folder: Path, files: Sequence[str]) -> str:
    """Return the path of an archive that Python imports modules from; equal files make equal archives of one name."""
    made = Path(tempfile.mkdtemp(prefix="redun-code-"))
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    archive = made / "code.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        for name in files:
            info = zipfile.ZipInfo(name, _TIME)
            info.external_attr = 0o644 << 16
            packed.writestr(info, (folder / name).read_bytes())
    return str(archive.rename(made / f"redun-code-{hash_bytes(archive.read_bytes())[:12]}.zip"))
