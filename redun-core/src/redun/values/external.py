"""Values that stand for something outside of redun, such as a file, whose state may change at any time.

Such a value is identified by a state that it was in. Whoever needs to know whether that is its state still takes the
address of the state anew, of several values at once where looking takes long.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from threading import local
from typing import ClassVar, NamedTuple

from redun.values.base import Value

_local = local()


class ExternalValue(Value):
    """Base of values that stand for something outside, which may change while a task runs.

    When a task has run, its external arguments and results are looked at again. If one has changed since its hash was
    taken, nobody knows which state the result was made of: the execution uses it, and the cache does not.
    """

    register: ClassVar[bool] = False

    def describe_place(self) -> str:
        """Return where it is, for messages."""
        raise NotImplementedError(f"{type(self).__name__} must say where it is: implement describe_place")

    def get_known_hash(self) -> str | None:
        """Return the address of the state that the value is identified by; None while it is identified by none."""
        raise NotImplementedError(f"{type(self).__name__} must say its hash: implement get_known_hash")

    def take_hash(self) -> str:
        """Return the address of the state as it is now, and leave the one that the value is identified by.

        Raises
        ------
        OSError
            When it can't be looked at.
        """
        raise NotImplementedError(f"{type(self).__name__} must look at its state: implement take_hash")

    def look(self) -> str | None:
        """Return the address of the state as it is now, None if it can't be looked at; see `looking_at`."""
        looked: dict[_Place, str | None] | None = getattr(_local, "looked", None)
        if looked is not None and _locate(self) in looked:
            return looked[_locate(self)]
        try:
            return self.take_hash()
        except OSError:
            return None

    @classmethod
    def look_at_all(cls, values: Sequence[ExternalValue]) -> Sequence[str | None]:
        """Return `look` of several values of this class.

        A class whose values take a request each overrides this to make several at once.
        """
        return [value.look() for value in values]


class PlaceValue(ExternalValue):
    """Base of values that stand for what is at a place; their hash is computed when it is first asked for.

    Subclasses define `describe_place` and `take_hash`.
    """

    register: ClassVar[bool] = False
    _hash: str | None = None

    @property
    def hash(self) -> str:
        """The address of the state: when it was first asked for, or at the last `update_hash`."""
        if self._hash is None:
            self.update_hash()
        return self._hash or ""

    def get_hash(self, data: bytes | None = None) -> str:
        return self.hash

    def update_hash(self) -> None:
        """Take the state as it is now for the value's."""
        self._hash = self.take_hash()

    def is_valid(self) -> bool:
        """Whether the state is what it was; a value that was never hashed takes its state as it is now.

        What can't be looked at, such as a file in a folder that is closed now, is not valid.
        """
        try:
            if self._hash is None:
                self.update_hash()
                return True
        except OSError:
            return False
        return self._hash == self.look()

    def get_known_hash(self) -> str | None:
        return self._hash


class Watched(NamedTuple):
    """An external value, and the address of the state that it was used in."""

    value: ExternalValue
    hash: str


_Place = tuple[type[ExternalValue], str]

NOTHING_WATCHED: Sequence[Watched] = ()


def watch_arguments(leaves: Iterable[object]) -> Sequence[Watched]:
    """Return the external values among some leaves in the states by which they are identified."""
    return [Watched(leaf, leaf.get_hash()) for leaf in leaves if isinstance(leaf, ExternalValue)]


def watch_results(leaves: Iterable[object]) -> Sequence[Watched]:
    """Return the external values among some leaves whose states were taken already."""
    external = [leaf for leaf in leaves if isinstance(leaf, ExternalValue)]
    known = [(leaf, leaf.get_known_hash()) for leaf in external]
    return [Watched(leaf, value_hash) for leaf, value_hash in known if value_hash is not None]


def find_changed(watched: Iterable[Watched]) -> Sequence[str]:
    """Return the places of those external values that are not in the state any more that they were used in."""
    items = list(watched)
    now = _look_at([item.value for item in items])
    changed = [item.value.describe_place() for item in items if now[_locate(item.value)] != item.hash]
    return list(dict.fromkeys(changed))


@contextmanager
def looking_at(values: Iterable[ExternalValue]) -> Iterator[None]:
    """Look at external values together, and let what is asked about them in this block be answered from that."""
    _local.looked = _look_at(values)
    try:
        yield
    finally:
        _local.looked = None


def _look_at(values: Iterable[ExternalValue]) -> dict[_Place, str | None]:
    looked: dict[_Place, str | None] = getattr(_local, "looked", None) or {}
    distinct = {_locate(value): value for value in values}
    by_class: dict[type[ExternalValue], list[ExternalValue]] = {}
    for place, value in distinct.items():
        if place not in looked:
            by_class.setdefault(type(value), []).append(value)
    found = {place: looked[place] for place in distinct if place in looked}
    for value_class, group in by_class.items():
        found.update(zip(map(_locate, group), value_class.look_at_all(group), strict=True))
    return found


def _locate(value: ExternalValue) -> _Place:
    return type(value), value.describe_place()
