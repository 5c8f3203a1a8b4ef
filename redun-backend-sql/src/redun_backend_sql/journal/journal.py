"""The journal of one open store."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from redun.backends.base import Batch
from redun_backend_sql.journal.batches import pack_batch
from redun_backend_sql.journal.segment import Segment


class Journal:
    """Batches that are not in the tables yet.

    Parameters
    ----------
    stem
        What the names of its files start with, folder included.
    """

    def __init__(self, stem: str) -> None:
        self.stem = stem
        self._current: Segment | None = None
        self._full: list[Segment] = []

    def append(self, batch: Batch) -> None:
        """Write a batch, and have it on the disk on return.

        Raises
        ------
        BackendError
            When that is impossible.
        """
        self._drop_inherited()
        if self._current is None:
            self._current = Segment(self.stem)
        self._current.append(pack_batch(batch))

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Forget all batches written before, if what happens inside succeeds: it brings them into the tables."""
        self._drop_inherited()
        if self._current is not None:
            self._full.append(self._current)
            self._current = None
        yield
        full, self._full = self._full, []
        for segment in full:
            segment.remove()

    def close(self) -> None:
        """Leave what is not in the tables to whoever opens the store next."""
        self._drop_inherited()
        for segment in (*self._full, *([self._current] if self._current is not None else ())):
            segment.leave()
        self._current, self._full = None, []

    def _drop_inherited(self) -> None:
        """Forget the files of the process that this one was forked from."""
        if self._current is not None and not self._current.is_mine:
            self._current = None
        self._full = [segment for segment in self._full if segment.is_mine]
