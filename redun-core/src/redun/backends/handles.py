"""The states of handles, as a store keeps them.

A handle stands for something outside, such as a database; its states form a graph. From a state that a call got, an
edge leads to the state that the call brought about, and from there to what later calls got of it. A state is *valid*
while what is outside contains what led to it. When a call is made again, or another one in its place, all states that
came from the one it got stop being valid: whatever gave them has to happen again.

Where handles are merged, edges lead from all of them to the first one, which then stands for all. Such an edge leads
from a state without a key to another one without a key, as no other edge below a call's argument does. What comes after
the merged state depends on all of them; the merged state itself does not.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from redun.values.codec import EncodedValue


class HandleRecord(NamedTuple):
    """A state of a handle.

    Attributes
    ----------
    hash, value
        Its address, and the value that stands for it.
    fullname, key
        What it is a state of, and which of the forks of its parent it is; an empty key if no fork led to it.
    is_valid
        Whether what is outside contains it.
    parents
        Addresses of the states that it came from, as far as they are recorded.
    """

    hash: str
    fullname: str
    value: EncodedValue
    key: str
    is_valid: bool
    parents: tuple[str, ...] = ()


@dataclass(slots=True)
class HandleChanges:
    """States of handles to be written, and recorded ones that are not valid any more; the latest word on each counts.

    Attributes
    ----------
    records
        States by their address. One that is recorded already changes whether it is valid, and gets further parents.
    invalid
        Addresses of recorded states that stop being valid.
    """

    records: dict[str, HandleRecord] = field(default_factory=dict)
    invalid: set[str] = field(default_factory=set)

    def add(self, record: HandleRecord) -> None:
        """Add what is known of a state now."""
        known = self.records.get(record.hash)
        if known is not None:
            record = record._replace(parents=tuple(dict.fromkeys((*known.parents, *record.parents))))
        self.records[record.hash] = record
        self.invalid.discard(record.hash)

    def invalidate(self, handle_hash: str) -> None:
        """Let a recorded state stop being valid."""
        known = self.records.get(handle_hash)
        if known is None:
            self.invalid.add(handle_hash)
        else:
            self.records[handle_hash] = known._replace(is_valid=False)

    def extend(self, later: HandleChanges) -> None:
        """Add later changes."""
        for record in later.records.values():
            self.add(record)
        for handle_hash in later.invalid:
            self.invalidate(handle_hash)

    def __len__(self) -> int:
        return len(self.records) + len(self.invalid)


class HandleLookups:
    """What a store is asked about states of handles. One that keeps none finds none: calls with handles run again."""

    def find_handles(self, handle_hashes: Sequence[str]) -> Mapping[str, bool]:
        """Return whether states are valid, for those of some states that are recorded."""
        return {}

    def find_states_after(self, handle_hashes: Sequence[str]) -> Collection[str]:
        """Return the valid states that came from some others, which are not among them unless they came from others.

        Edges between two states without a key are followed, but do not count: a state that is reached only by such an
        edge is left out. Cycles end.
        """
        return ()


def walk_states(
    roots: Iterable[str], list_children: Callable[[str], Iterable[str]], get_key: Callable[[str], str]
) -> set[str]:
    """Return the states that came from some others, valid or not, by the rule of `HandleLookups.find_states_after`.

    Parameters
    ----------
    roots
        Where to start.
    list_children
        Returns the states to which edges lead from one.
    get_key
        Returns the key of a state.
    """
    found: set[str] = set()
    visited: set[str] = set()
    stack = list(roots)
    while stack:
        parent = stack.pop()
        if parent in visited:
            continue
        visited.add(parent)
        for child in list_children(parent):
            if get_key(parent) or get_key(child):
                found.add(child)
            stack.append(child)
    return found
