"""What a store that keeps the states of handles has to get right about them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import pytest

from redun.backends.base import Backend, Batch
from redun.backends.handles import HandleLookups, HandleRecord
from redun.hashing import hash_struct
from redun.testing.journaling import JournalingContract
from redun.testing.samples import ODD_TEXTS
from redun.values.codec import EncodedValue

_MERGED: Mapping[str, Sequence[str]] = {
    "conn": (),
    "conn/0": ("conn",),
    "conn/1": ("conn",),
    "a": ("conn/0", "b"),
    "b": ("conn/1", "a"),
    "a/0": ("a",),
    "c": ("a/0",),
}
"""States with those they came from: two parallel calls, merged both ways, and a call after that. Forks have a slash."""


def _hash(name: str) -> str:
    return hash_struct(["state", name])


def make_state(name: str, is_valid: bool = True, parents: Sequence[str] = (), fullname: str = "test.h") -> HandleRecord:
    """Return the record of a state of a handle; what is after a slash in its name is its key."""
    value = EncodedValue(_hash(name), "test.Handle", "text/plain", name.encode())
    return HandleRecord(_hash(name), fullname, value, name.rpartition("/")[2] if "/" in name else "", is_valid,
                        tuple(map(_hash, parents)))  # fmt: skip


def make_states(*states: HandleRecord, invalid: Sequence[str] = ()) -> Batch:
    """Return a batch of states, and of others by name that stop being valid."""
    batch = Batch()
    for state in states:
        batch.handles.add(state)
    for name in invalid:
        batch.handles.invalidate(_hash(name))
    return batch


class HandlesContract(JournalingContract):
    """The part of the contract of stores that is about handles; `BackendContract` is the whole."""

    @pytest.fixture
    def remembering(self, backend: Backend) -> Backend:
        """An open store that keeps the states of handles."""
        if type(backend).find_handles is HandleLookups.find_handles:
            pytest.skip("this store keeps no states of handles (find_handles)")
        return backend

    def test_states_are_found(self, remembering: Backend, reader: Callable[[Backend], Backend]) -> None:
        """States are found, valid or not, whatever they are called, by whoever opens the store; unknown ones not."""
        states = [make_state(name, name != "?", fullname=name) for name in ODD_TEXTS]

        remembering.record(make_states(*states))

        found = reader(remembering).find_handles([*(state.hash for state in states), "0" * 40])
        assert dict(found) == {state.hash: state.is_valid for state in states}

    def test_latest_word_on_a_state_counts(self, remembering: Backend, successor: Callable[[Backend], Backend]) -> None:
        """Whether a state is valid is what was recorded last, in one batch or in several; repeating changes nothing."""
        remembering.record(make_states(*map(make_state, ("ended", "revived", "both"))))
        remembering.record(make_states(invalid=["ended", "revived", "never there"]))
        together = make_states(make_state("both"), make_state("new"), invalid=["both"])
        together.extend(make_states(make_state("revived"), invalid=["new"]))

        for _ in range(2):
            remembering.record(together)

        names = ("ended", "revived", "both", "new", "never there")
        found = successor(remembering).find_handles(list(map(_hash, names)))
        assert dict(found) == {_hash("ended"): False, _hash("revived"): True, _hash("both"): False, _hash("new"): False}

    @pytest.mark.parametrize(
        ("start", "expected"),
        [
            ("conn", ["conn/0", "conn/1", "a", "b", "a/0", "c"]),
            ("conn/0", ["a", "a/0", "c"]),
            ("conn/1", ["b", "a/0", "c"]),
            ("a/0", ["c"]),
            ("c", []),
        ],
    )
    def test_states_after_another_are_found(
        self, remembering: Backend, successor: Callable[[Backend], Backend], start: str, expected: Sequence[str]
    ) -> None:
        """What came from a state is found along all edges; a merged state does not itself depend on the others."""
        remembering.record(make_states(*map(make_state, _MERGED)))
        remembering.record(make_states(*(make_state(name, True, parents) for name, parents in _MERGED.items())))
        remembering.record(make_states(make_state("elsewhere/0", True, ["c"]), invalid=["elsewhere/0"]))

        found = successor(remembering).find_states_after([_hash(start)])

        assert sorted(found) == sorted(map(_hash, expected))

    def test_any_number_of_states_is_found(self, remembering: Backend, successor: Callable[[Backend], Backend]) -> None:
        """Thousands of states are asked about at once, and a state with a thousand steps after it is no problem."""
        chain = [make_state(f"{number}/x", True, [f"{number - 1}/x"] * (number > 0)) for number in range(1_000)]
        others = [make_state(f"other {number}") for number in range(2_000)]

        remembering.record(make_states(*chain, *others))

        store = successor(remembering)
        assert len(store.find_handles([state.hash for state in (*chain, *others)])) == 3_000
        assert len(store.find_states_after([chain[0].hash, *(state.hash for state in others)])) == 999

    def test_journaled_states_are_found_once_recorded(
        self, remembering: Backend, successor: Callable[[Backend], Backend]
    ) -> None:
        """States that were journaled and then recorded are as the last word on them was."""
        if remembering.journal_delay is None:
            pytest.skip("this store has no journal (journal_delay)")
        whole = Batch()
        for batch in (make_states(make_state("a"), make_state("b")), make_states(invalid=["a"])):
            remembering.journal(batch)
            whole.extend(batch)

        remembering.record(whole)

        found = successor(remembering).find_handles([_hash("a"), _hash("b")])
        assert dict(found) == {_hash("a"): False, _hash("b"): True}
