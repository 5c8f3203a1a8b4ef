"""What files, sets of files and directories share: they stand for what is at a place."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, ClassVar

from redun.values.external import ExternalValue, PlaceValue
from redun_value_file.filesystems import FileSystem, get_filesystem

if TYPE_CHECKING:
    from redun_value_file.file.directory import Dir
    from redun_value_file.file.file import File
    from redun_value_file.file.file_set import FileSet
    from redun_value_file.staging import StagingDir, StagingFile

_LOOKED_AT_ONCE = 16


class FileClasses:
    """The classes of one family of file values, so that what one of them makes belongs to the same family."""

    File: type[File]
    FileSet: type[FileSet]
    Dir: type[Dir]
    StagingFile: type[StagingFile]
    StagingDir: type[StagingDir]


class Located(PlaceValue):
    """Base of values that stand for what is at a place in some kind of storage.

    Attributes
    ----------
    filesystem : FileSystem
        Where the place is.
    is_immutable : bool
        Whether what is there is known by its place alone.
    """

    register = False
    __module__ = "redun.file"
    type_basename: ClassVar[str]
    is_immutable: ClassVar[bool] = False
    classes: ClassVar[type[FileClasses]] = FileClasses

    def __init__(self, place: str) -> None:
        self.filesystem: FileSystem = get_filesystem(url=place)
        self._hash: str | None = None

    def take_hash(self) -> str:
        return self._calc_hash()

    @classmethod
    def look_at_all(cls, values: Sequence[ExternalValue]) -> Sequence[str | None]:
        remote = [value for value in values if isinstance(value, Located) and value.filesystem.is_remote]
        if cls.is_immutable or len(remote) < 2:
            return super().look_at_all(values)
        with ThreadPoolExecutor(min(_LOOKED_AT_ONCE, len(remote))) as threads:
            return list(threads.map(cls.look, values))

    def _calc_hash(self) -> str:
        raise NotImplementedError


def as_text(path: str | os.PathLike[str]) -> str:
    """Return a path as text.

    Raises
    ------
    TypeError
        When it is bytes, or no path.
    """
    text = os.fspath(path)
    if not isinstance(text, str):
        raise TypeError(f"expected str or os.PathLike of str, not {text!r}; os.fsdecode makes one")
    return text
