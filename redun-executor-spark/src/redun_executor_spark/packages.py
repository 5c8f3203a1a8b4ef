"""What is sent to the Pythons of workers: files that options name, and the code of the working folder."""

from __future__ import annotations

import atexit
import shutil
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from redun.hashing import hash_bytes
from redun_executor_spark.errors import SparkError
from redun_executor_spark.options import SparkOptions

_TIME = (1980, 1, 1, 0, 0, 0)


def find_files(options: SparkOptions) -> list[str]:
    """Return the files to send, the code package among them.

    Raises
    ------
    SparkError
        When a file is not there, or the code package has no files.
    """
    missing = [path for path in options.py_files if "://" not in path and not Path(path).exists()]
    if missing:
        raise SparkError(f"option py_files names {missing[0]}, which does not exist")
    if not options.code_package:
        return list(options.py_files)
    return [*options.py_files, pack_code(Path.cwd(), options.code_includes, options.code_excludes)]


def pack_code(folder: Path, includes: Iterable[str], excludes: Iterable[str]) -> str:
    """Return the path of an archive with the files of a folder; equal files make equal archives of one name.

    Parameters
    ----------
    folder
        The folder.
    includes, excludes
        Patterns of paths in it, in which ``**`` stands for any number of folders.

    Raises
    ------
    SparkError
        When no file matches.
    """
    chosen = set(_match(folder, includes)) - set(_match(folder, excludes))
    if not chosen:
        raise SparkError(f"the code package has no files: nothing in {folder} matches {' '.join(includes)}")
    made = Path(tempfile.mkdtemp(prefix="redun-code-"))
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    archive = made / "code.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        for path in sorted(chosen):
            info = zipfile.ZipInfo(path.relative_to(folder).as_posix(), _TIME)
            info.external_attr = 0o644 << 16
            packed.writestr(info, path.read_bytes())
    named = archive.with_name(f"redun-code-{hash_bytes(archive.read_bytes())[:12]}.zip")
    archive.rename(named)
    return str(named)


def _match(folder: Path, patterns: Iterable[str]) -> Iterator[Path]:
    for pattern in patterns:
        for path in folder.glob(pattern):
            if path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts):
                yield path
