"""What a user means by a key: from what was typed to the records that a command is about, or a sentence why not.

Every command takes the same keys. What it wants is said by the kinds of records; files are looked for where a key names
nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

from redun.errors import BackendError
from redun_backend_sql.database import Database
from redun_backend_sql.query import MAX_RECORDS, FileUse, Record, find_file, find_records
from redun_backend_sql.records import CallRow, ExecutionRow, FileRow, JobRow, TaskRow, ValueRow

Meant = Record | FileUse
T = TypeVar("T", bound=Meant)

RECORDS: tuple[type[Record], ...] = (ExecutionRow, JobRow, CallRow, TaskRow, ValueRow, FileRow)
"""The kinds of records."""

ANYTHING: tuple[type[Meant], ...] = (*RECORDS, FileUse)
"""The kinds of records, and uses of files by their paths."""

_NOUNS: Mapping[type, str] = {
    ExecutionRow: "execution",
    JobRow: "job",
    CallRow: "call",
    TaskRow: "task",
    ValueRow: "value",
    FileRow: "file",
    FileUse: "file",
}
_SHOWN = 3


class NothingFoundError(BackendError, LookupError):
    """Nothing of what was wanted is recorded under a key.

    Parameters
    ----------
    key
        What the user typed.
    kinds
        What it may name.
    wanted
        What was wanted of that, as in ``"job"``; None if that is what the key names.
    places
        What else could have been typed.
    """

    def __init__(
        self,
        key: str,
        kinds: Sequence[type] = ANYTHING,
        wanted: str | None = None,
        places: Sequence[str] = (),
    ) -> None:
        if wanted is None and set(RECORDS) - set(kinds):
            wanted = _join(dict.fromkeys(_NOUNS[kind] for kind in kinds), "or")
        names = [*places, "the start of an id"]
        names += ["a task's name"] if TaskRow in kinds else []
        names += ["a file's path"] if FileUse in kinds else []
        super().__init__(
            f"{f'no {wanted}' if wanted else 'nothing'} is recorded under {key!r}: give {_join(names, 'or')}; "
            "`redun log` lists the latest executions"
        )


class SeveralFoundError(BackendError, LookupError):
    """A key stands for more than one record where one was wanted.

    Parameters
    ----------
    key
        What the user typed.
    names
        What it stands for; some are shown.
    count
        How many these are, if that is not the number of their names.
    """

    def __init__(self, key: str, names: Sequence[str], count: str | None = None) -> None:
        shown = _join(names[:_SHOWN], "and") + (" among them" if len(names) > _SHOWN or count is not None else "")
        super().__init__(
            f"{key!r} stands for {count or len(names)} records, {shown}: give more of the one that is meant"
        )


def list_meant(database: Database, key: str, kinds: tuple[type[T], ...]) -> Sequence[T]:
    """Return what a user means by a key; nothing if nothing of the wanted kinds is recorded under it.

    Parameters
    ----------
    database
        The database.
    key
        What `find_records` takes, or the path of a file. A whole id does not stand for those that begin with it.
    kinds
        The wanted kinds. With `FileUse`, a key that names no record of the other kinds may be the path of a file.
    """
    found = [record for record in find_records(database, key) if isinstance(record, kinds)]
    if not found and FileUse in kinds:
        use = find_file(database, key)
        return [use] if isinstance(use, kinds) else []
    return [record for record in found if record[0] == key] or found


def find_meant(database: Database, key: str, kinds: tuple[type[T], ...]) -> Sequence[T]:
    """Return what a user means by a key; see `list_meant`.

    Raises
    ------
    NothingFoundError
        When nothing of the wanted kinds is recorded under it.
    """
    found = list_meant(database, key, kinds)
    if not found:
        raise NothingFoundError(key, kinds)
    return found


def find_one(database: Database, key: str, kinds: tuple[type[T], ...]) -> T:
    """Return the one record that a user means by a key; see `list_meant`.

    Raises
    ------
    NothingFoundError
        When nothing of the wanted kinds is recorded under it.
    SeveralFoundError
        When more than one record is.
    """
    return take_one(key, find_meant(database, key, kinds))


def take_one(key: str, found: Sequence[T]) -> T:
    """Return the only one of what was found under a key.

    Raises
    ------
    SeveralFoundError
        When there are more.
    """
    if len(found) > 1:
        many = f"{len(found)} or more" if len(found) >= MAX_RECORDS else None
        raise SeveralFoundError(key, [f"{_NOUNS[type(record)]} {record[0]}" for record in found], many)
    return found[0]


def _join(words: Iterable[str], last: str) -> str:
    """Return words as a sentence lists them."""
    *most, end = words
    return f"{', '.join(most)} {last} {end}" if most else end
