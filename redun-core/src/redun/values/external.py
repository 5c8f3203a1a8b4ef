"""Values that stand for something outside of redun, such as a file, whose state may change at any time.

Such a value is identified by a state that it was in. Whoever needs to know whether that is its state still takes the
address of the state anew, of several values at once where looking takes long.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar, NamedTuple

from redun.values.base import Value


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

    @classmethod
    def take_hashes(cls, values: Sequence[ExternalValue]) -> Sequence[str | None]:
        """Return `take_hash` of several values of this class, None for those that can't be looked at.

        A class whose values take a request each overrides this to make several at once.
        """
        return [_take_or_none(value) for value in values]


class Watched(NamedTuple):
    """An external value, and the address of the state that it was used in."""

    value: ExternalValue
    hash: str


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
    distinct = {(type(item.value), item.value.describe_place(), item.hash): item for item in watched}
    by_class: dict[type[ExternalValue], list[Watched]] = {}
    for item in distinct.values():
        by_class.setdefault(type(item.value), []).append(item)
    changed = []
    for value_class, items in by_class.items():
        hashes = value_class.take_hashes([item.value for item in items])
        changed += [item.value.describe_place() for item, now in zip(items, hashes, strict=True) if now != item.hash]
    return list(dict.fromkeys(changed))


def _take_or_none(value: ExternalValue) -> str | None:
    try:
        return value.take_hash()
    except OSError:
        return None
