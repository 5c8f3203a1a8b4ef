"""The code of a workflow as one file, which workers unpack.

The same files give the same bytes, whoever packs them, when and where: members are sorted, and have no times, owners
or modes of their own but for being executable. The file is named by the address of its bytes, so it is uploaded once,
and a worker notices when it is damaged.
"""

from __future__ import annotations

import gzip
import io
import os
import subprocess
import tarfile
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from redun.hashing import hash_bytes
from redun_remote.errors import CodePackageError, ScratchError
from redun_remote.scratch import locate_code
from redun_remote.storage import exists, read_bytes, write_bytes

DEFAULT_INCLUDES = ("**/*.py",)
_SHOWN = 3
_MEGABYTE = 10**6
_EXECUTABLE = 0o100


@dataclass(frozen=True)
class CodeOptions:
    """What of a workflow's folder is sent to workers; base of the options of executors that send code."""

    code_package: bool = field(default=True, metadata={"help": "whether the workflow's code is sent to workers"})
    code_includes: tuple[str, ...] = field(
        default=DEFAULT_INCLUDES,
        metadata={"help": "patterns of the files to send, relative to the working directory"},
    )
    code_excludes: tuple[str, ...] = field(default=(), metadata={"help": "patterns of files not to send"})
    code_gitignore: bool = field(default=False, metadata={"help": "whether to leave out what git ignores"})
    code_max_size: float = field(
        default=100.0, metadata={"help": "how large the code may be before it is packed, in megabytes", "minimum": 0}
    )


def find_code_files(base: str | Path, options: CodeOptions) -> list[str]:
    """Return the files to send, relative to a folder, in order.

    Hidden folders, virtual environments and ``__pycache__`` are not looked into, unless a pattern names them.

    Raises
    ------
    CodePackageError
        When a pattern leads out of the folder, git can't be asked, or the files are larger than allowed.
    """
    folder = Path(base)
    for pattern in (*options.code_includes, *options.code_excludes):
        if os.path.isabs(pattern) or ".." in PurePosixPath(pattern).parts:
            raise CodePackageError(
                f"the code pattern {pattern!r} leads out of {folder.resolve()}; run the workflow from a folder "
                "that has all of its code"
            )
    included = {path for pattern in options.code_includes for path in _match(folder, pattern)}
    for pattern in options.code_excludes:
        included -= {path.relative_to(folder).as_posix() for path in folder.glob(pattern)}
        included -= {path for path in included if PurePosixPath(path).match(pattern)}
    if options.code_gitignore:
        included &= set(_list_of_git(folder))
    found = sorted(included)
    _check_size(folder, found, options.code_max_size)
    return found


def _match(folder: Path, pattern: str) -> Iterator[str]:
    """Yield the files that match a pattern, with those pruned that only ``**`` leads to."""
    named = set(PurePosixPath(pattern).parts)
    for path in folder.glob(pattern):
        relative = path.relative_to(folder)
        parents = [parent for parent in relative.parents if parent.name and parent.name not in named]
        if path.is_file() and not any(_is_pruned(folder / parent) for parent in parents):
            yield relative.as_posix()


def _is_pruned(folder: Path) -> bool:
    return folder.name.startswith(".") or folder.name == "__pycache__" or (folder / "pyvenv.cfg").exists()


def _list_of_git(folder: Path) -> Iterable[str]:
    """Return the files that git does not ignore, tracked or not."""
    command = ["git", "-C", str(folder), "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    try:
        done = subprocess.run(command, capture_output=True, check=True)
    except FileNotFoundError:
        raise CodePackageError("code_gitignore = true needs the program git, which is not installed") from None
    except subprocess.CalledProcessError as error:
        problem = error.stderr.decode(errors="replace").strip()
        raise CodePackageError(f"code_gitignore = true, and git can't list {folder.resolve()}: {problem}") from None
    return [os.fsdecode(name) for name in done.stdout.split(b"\0") if name]


def _check_size(folder: Path, found: Sequence[str], allowed: float) -> None:
    sizes = {path: (folder / path).stat().st_size for path in found}
    total = sum(sizes.values())
    if total > allowed * _MEGABYTE:
        largest = sorted(sizes, key=lambda path: -sizes[path])[:_SHOWN]
        shown = ", ".join(f"{path} ({sizes[path] / _MEGABYTE:.1f} MB)" for path in largest)
        raise CodePackageError(
            f"the code in {folder.resolve()} has {total / _MEGABYTE:.1f} MB in {len(found)} files, more than "
            f"code_max_size = {allowed:g}; the largest are {shown}: set code_includes, code_excludes or code_gitignore"
        )


def pack_code(base: str | Path, files: Iterable[str]) -> bytes:
    """Return files of a folder as an archive whose bytes depend on their names, contents and executability alone."""
    packed = io.BytesIO()
    # The name and the time that gzip would write are left out.
    with (
        gzip.GzipFile(filename="", fileobj=packed, mode="wb", compresslevel=6, mtime=0) as compressed,
        tarfile.open(fileobj=compressed, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        for name in sorted(files):
            path = Path(base, name)
            content = path.read_bytes()
            member = tarfile.TarInfo(name)
            member.size = len(content)
            member.mode = 0o755 if path.stat().st_mode & _EXECUTABLE else 0o644
            archive.addfile(member, io.BytesIO(content))
    return packed.getvalue()


def upload_code(scratch: str, data: bytes) -> str:
    """Put a code package into a scratch space, unless it is there, and return its path."""
    path = locate_code(scratch, hash_bytes(data))
    if not exists(path):
        write_bytes(path, data)
    return path


class CodeSource:
    """The code of this workflow in a scratch space, packed and uploaded when it is first asked for.

    Parameters
    ----------
    scratch
        The scratch space.
    options
        What to pack.
    base
        The folder with the code; the working directory by default.
    """

    def __init__(self, scratch: str, options: CodeOptions, base: str | None = None) -> None:
        self._scratch = scratch
        self._options = options
        self._base = base
        self._lock = threading.Lock()
        self._path: str | None = None

    def provide(self) -> str | None:
        """Return the path of the code package; None if no code is to be sent. From any thread.

        Raises
        ------
        CodePackageError
            When the code can't be packed.
        OSError
            When it can't be uploaded.
        """
        if not self._options.code_package:
            return None
        with self._lock:
            if self._path is None:
                base = self._base or os.getcwd()
                self._path = upload_code(self._scratch, pack_code(base, find_code_files(base, self._options)))
            return self._path


def unpack_code(path: str, folder: str | Path) -> None:
    """Unpack a code package into a folder.

    Raises
    ------
    ScratchError
        When it is missing, denied or damaged, or has members that would land outside of the folder.
    """
    try:
        data = read_bytes(path)
    except OSError as error:
        raise ScratchError(f"the code package {path} can't be read: {error}") from error
    if hash_bytes(data) != PurePosixPath(path).name.partition(".")[0]:
        raise ScratchError(f"the code package {path} is damaged: its content does not fit its name; remove it")
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:gz") as archive:
            for member in archive:
                _unpack_member(archive, member, Path(folder), path)
    except (tarfile.TarError, EOFError, gzip.BadGzipFile) as error:
        raise ScratchError(f"the code package {path} is damaged: {error}") from error


def _unpack_member(archive: tarfile.TarFile, member: tarfile.TarInfo, folder: Path, path: str) -> None:
    name = PurePosixPath(member.name)
    stream = archive.extractfile(member)
    if stream is None or name.is_absolute() or ".." in name.parts:
        raise ScratchError(f"the code package {path} is not one of redun: {member.name!r} is no file below its folder")
    target = folder / name
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(stream.read())
    target.chmod(0o755 if member.mode & _EXECUTABLE else 0o644)
