"""Recording what killed processes left behind in journals."""

from __future__ import annotations

import fcntl
import glob
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, NamedTuple

from redun.backends.base import Batch
from redun.logging import logger
from redun_backend_sql.database import RefusedRowsError
from redun_backend_sql.journal.batches import unpack_batch
from redun_backend_sql.journal.frames import Damage, read_frames
from redun_backend_sql.journal.segment import SUFFIX, UNNAMED_SUFFIX, open_segments

DAMAGED_SUFFIX = ".damaged"
"""What is added to the names of journals that hold something unreadable, to keep it."""

MAX_RECORDS = 30_000
"""How many records are read before they are recorded."""

_UNNAMED_SECONDS = 60.0


class Content(NamedTuple):
    """What a journal holds.

    Attributes
    ----------
    path
        The file.
    is_owned
        Whether the process that writes it is alive.
    records
        How many records it holds; those of this very process are not counted.
    damage
        Where it stops making sense; None if all of it is sound.
    """

    path: Path
    is_owned: bool
    records: int
    damage: Damage | None


def list_journals(stem: str) -> list[Path]:
    """Return the journals of a database, by what their names start with; oldest first."""
    found = [Path(path).absolute() for path in glob.glob(f"{glob.escape(stem)}.*{SUFFIX}")]
    return sorted(found, key=_modified)


def list_damaged(stem: str) -> list[Path]:
    """Return the journals of a database that were set aside because they could not be read to their end."""
    found = glob.glob(f"{glob.escape(stem)}.*{SUFFIX}{DAMAGED_SUFFIX}")
    return [Path(path).absolute() for path in sorted(found)]


def recover(stem: str, record: Callable[[Batch], None]) -> int:
    """Record what the journals of killed processes hold and remove them; return how many records there were.

    Of several processes that try at once, one does it and the others wait for it.
    """
    total = 0
    for path in list_journals(stem):
        if path in open_segments:
            continue
        try:
            with _taking_over(path) as stream:
                if stream is not None:
                    total += _recover_one(path, stream, record)
        except OSError as error:  # To record a part of it twice does no harm.
            logger.warning("The journal %s of another run can't be recorded now: %s.", path, error.strerror or error)
    for unnamed in glob.glob(f"{glob.escape(stem)}.*{UNNAMED_SUFFIX}"):
        if time.time() - _modified(Path(unnamed)) > _UNNAMED_SECONDS:
            with suppress(OSError):  # Somebody else does it, at some time.
                Path(unnamed).unlink(missing_ok=True)
    if total:
        logger.info("Recorded %d record(s) that a run which was killed had left in its journal.", total)
    return total


def inspect(stem: str) -> Iterator[Content]:
    """Yield what the journals of a database hold, without changing anything."""
    for path in list_journals(stem):
        if path in open_segments:
            yield Content(path, True, 0, None)
            continue
        is_owned = _is_locked(path)
        with suppress(FileNotFoundError), open(path, "rb") as stream:
            records, damage = 0, None
            for content in _read_batches(stream):
                if isinstance(content, Damage):
                    damage = content
                else:
                    records += len(content)
            yield Content(path, is_owned, records, damage)


def _recover_one(path: Path, stream: BinaryIO, record: Callable[[Batch], None]) -> int:
    try:
        return _record_all(path, stream, record)
    except RefusedRowsError as error:
        kept = path.with_name(path.name + DAMAGED_SUFFIX)
        path.rename(kept)
        logger.warning(
            "The journal %s belongs to another state of the store: %s. It is kept as %s.", path, error, kept.name
        )
        return 0


def _record_all(path: Path, stream: BinaryIO, record: Callable[[Batch], None]) -> int:
    waiting, total, damage = Batch(), 0, None
    for content in _read_batches(stream):
        if isinstance(content, Damage):
            damage = content
            continue
        waiting.extend(content)
        total += len(content)
        if len(waiting) >= MAX_RECORDS:
            record(waiting)
            waiting = Batch()
    if waiting.tasks or len(waiting):
        record(waiting)
    if damage is None or damage.is_torn:
        path.unlink()
        return total
    kept = path.with_name(path.name + DAMAGED_SUFFIX)
    path.rename(kept)
    logger.warning(
        "The journal %s is damaged after %d bytes: what comes before is recorded; the file is kept as %s.",
        path,
        damage.offset,
        kept.name,
    )
    return total


def _read_batches(stream: BinaryIO) -> Iterator[Batch | Damage]:
    offset = 0
    for content in read_frames(stream):
        if isinstance(content, Damage):
            yield content
            return
        try:
            batch = unpack_batch(content)
        except ValueError:
            yield Damage(offset, os.fstat(stream.fileno()).st_size - offset, is_torn=False)
            return
        yield batch
        offset = stream.tell()


@contextmanager
def _taking_over(path: Path) -> Iterator[BinaryIO | None]:
    """Open a journal whose process is gone; None if the process is alive, or another one has recorded it.

    The second byte of the file is locked by whoever looks at the lock on the first one, so that of several such
    processes each waits for the one before it to be done.
    """
    try:
        stream = open(path, "r+b")  # noqa: SIM115
    except FileNotFoundError:
        yield None
        return
    with stream:
        fcntl.lockf(stream, fcntl.LOCK_EX, 1, 1)
        try:
            fcntl.lockf(stream, fcntl.LOCK_EX | fcntl.LOCK_NB, 1)
        except OSError:
            yield None
            return
        yield stream if os.fstat(stream.fileno()).st_nlink and path.exists() else None


def _is_locked(path: Path) -> bool:
    try:
        with open(path, "r+b") as stream:
            fcntl.lockf(stream, fcntl.LOCK_EX | fcntl.LOCK_NB, 1)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0
