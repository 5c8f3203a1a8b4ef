"""The files that match a pattern as a value: its hash is made of their states, as one listing tells them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from redun.hashing import hash_struct
from redun.values.base import Value
from redun_value_file.file.file import File
from redun_value_file.file.located import Located, as_text
from redun_value_file.filesystems import FileState


class FileSet(Located):
    """The files that match a pattern.

    Parameters
    ----------
    pattern
        A path with ``*``, ``?``, ``[...]`` and ``**``, which stands for any number of directories. Hidden files are
        matched by patterns that name the dot.

    Examples
    --------
    >>> from redun import File
    >>> for name in ("a.csv", "b.csv", "c.txt"):
    ...     File(f"memory://example-set/{name}").write(name)
    >>> [file.basename() for file in FileSet("memory://example-set/*.csv")]
    ['a.csv', 'b.csv']
    """

    __module__ = "redun.file"
    type_basename = "FileSet"
    type_name = "redun.FileSet"

    def __init__(self, pattern: str | os.PathLike[str]) -> None:
        self.pattern = as_text(pattern)
        self._listing: Sequence[FileState] | None = None
        super().__init__(self.pattern)

    def files(self) -> list[File]:
        """Return the files that match now."""
        return list(self)

    def __iter__(self) -> Iterator[File]:
        for path in self.filesystem.glob(self.pattern):
            if self.filesystem.isfile(path):
                yield self.classes.File(path)

    def iter_subvalues(self) -> Iterable[Value]:
        """Return the files as they were when the hash was taken; the listing is the one that it was made of."""
        if self._listing is None:
            self._listing = list(self._list_states())
        return [self._make_file(state) for state in self._listing]

    def _make_file(self, state: FileState) -> File:
        file = self.classes.File(state.path)
        file._hash = state.hash
        return file

    def update_hash(self) -> None:
        self._listing = list(self._list_states())
        self._hash = self._hash_listing(self._listing)

    def _list_states(self) -> Iterable[FileState]:
        """List the files with the address of the state of each."""
        return self.filesystem.scan_glob(self.pattern)

    def _hash_listing(self, listing: Iterable[FileState]) -> str:
        return hash_struct([self.type_basename, self._place, *sorted(state.hash for state in listing)])

    def _calc_hash(self) -> str:
        return self._hash_listing(self._list_states())

    def describe_place(self) -> str:
        return self._place

    @property
    def _place(self) -> str:
        return self.pattern

    def __repr__(self) -> str:
        return f"{self.type_basename}(pattern={self.pattern}, hash={self._shown_hash})"

    @property
    def _shown_hash(self) -> str:
        # Not computed just to be shown: that reads a whole directory.
        return self._hash[:8] if self._hash else "unknown"

    def __getstate__(self) -> dict[str, Any]:
        return {"pattern": self.pattern, "hash": self.hash}

    def __setstate__(self, state: dict[str, Any]) -> None:
        FileSet.__init__(self, state["pattern"])
        self._hash = state["hash"]
