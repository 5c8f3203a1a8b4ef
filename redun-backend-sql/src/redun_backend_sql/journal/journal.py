"""The journal of one open store."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from redun.backends.base import Batch
from redun.errors import BackendError
from redun.logging import logger
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
        self._is_off = False

    def append(self, batch: Batch) -> bool:
        """Write a batch, and have it on the disk on return; return whether it is there.

        Where no file can be made, do without, with a warning.

        Raises
        ------
        BackendError
            When the file can't be written any more, or a value is too large for it.
        """
        self._drop_inherited()
        if self._current is None and not self._is_off:
            try:
                self._current = Segment(self.stem)
            except BackendError as error:
                logger.warning("%s. If this run is killed, it may lose what finished in the last seconds.", error)
                self._is_off = True
        if self._current is None:
            return False
        content = pack_batch(batch)
        try:
            self._current.append(content)
        except BackendError:  # What is written behind a frame that is not whole would not be found.
            self._full.append(self._current)
            self._current = None
            raise
        return True

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
            try:
                segment.remove()
            except BackendError as error:  # To record it once more does no harm.
                logger.warning("%s. It is recorded again by whoever opens the database next.", error)
                segment.leave()

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
