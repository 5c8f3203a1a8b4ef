"""What a store has to get right that lets the executions on it wait for each other's calls."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from typing import ClassVar

import pytest

from redun.backends.base import Backend
from redun.backends.sharing import LEASE_SECONDS, Share
from redun.testing.elsewhere import claim, run_visits
from redun.testing.gate import Gate
from redun.testing.handles import HandlesContract
from redun.testing.other_process import OtherProcess

_PAUSE = 0.05


class ClaimingContract(HandlesContract):
    """The part of the contract of stores that is about claims; `BackendContract` is the whole.

    Attributes
    ----------
    lease : float
        How long after its process was killed an execution may count as alive, in seconds.
    """

    lease: ClassVar[float] = LEASE_SECONDS + 10

    @pytest.fixture
    def announce(self, backend: Backend, open_backend: Callable[[], Backend], _shared: None) -> Callable[[str], Share]:
        """A function that begins an execution on the store, with an instance of its own, and returns its part."""

        def begin(execution_id: str) -> Share:
            share = open_backend().share(execution_id)
            assert share is not None, "a store is shared by all of its instances or by none"
            return share

        own = backend.share("an execution before")
        if own is None:
            pytest.skip("executions on this store do not know of one another (share)")
        own.leave()
        return begin

    def test_rivals_are_found(self, announce: Callable[[str], Share]) -> None:
        """An execution finds the others that are alive, not itself, from when they begin until they leave."""
        first = announce("first")
        found = [set(first.find_rivals())]

        second, third = announce("second"), announce("third")

        found += [set(share.find_rivals()) for share in (first, second, third)]
        second.leave()
        found += [set(first.find_rivals())]
        assert found == [set(), {"second", "third"}, {"first", "third"}, {"first", "second"}, {"third"}]

    def test_beats_are_seen(self, announce: Callable[[str], Share]) -> None:
        """An execution that was seen alive again has another mark for others than before."""
        first, second = announce("first"), announce("second")
        marks = [first.find_rivals()["second"]]

        for _ in range(3):
            second.beat()
            marks.append(first.find_rivals()["second"])

        assert marks == sorted(set(marks))

    @pytest.mark.parametrize("count", [1, 501, 3_000])
    def test_call_is_claimed_by_one(self, announce: Callable[[str], Share], count: int) -> None:
        """Of any number of calls each is granted to one execution, which may claim it again, and denied to others."""
        first, second = announce("first"), announce("second")
        keys = [f"{number:040x}" for number in range(count)]
        others = [f"{number:040x}" for number in range(count, count + 3)]

        granted = list(first.claim(keys)), list(first.claim(keys)), list(first.claim([]))
        denied = set(second.claim([*keys, *others])), set(first.claim(others))

        assert granted == ([], [], [])
        assert denied == (set(keys), set(others))

    @pytest.mark.parametrize("how", ["release", "leave"])
    def test_claims_can_be_given_up(self, announce: Callable[[str], Share], how: str) -> None:
        """A call is granted to another execution once it is released, or once the one that claimed it has left."""
        first, second = announce("first"), announce("second")
        first.claim(["a" * 40, "b" * 40])

        if how == "release":
            first.release(["a" * 40])
        else:
            first.leave()

        assert list(second.claim(["a" * 40])) == []
        assert list(second.claim(["b" * 40])) == (["b" * 40] if how == "release" else [])

    def test_processes_claim_at_once(
        self, announce: Callable[[str], Share], start_process: Callable[..., OtherProcess]
    ) -> None:
        """When executions claim the same calls at once, each call is granted to exactly one of them."""
        keys = [f"{number:040x}" for number in range(400)]

        with ExitStack() as stack:
            orders = {"forward": keys, "backward": keys[::-1], "forward too": keys}
            processes = [stack.enter_context(start_process(claim, name, order)) for name, order in orders.items()]
            ready = [process.hear() for process in processes]
            for process in processes:
                process.tell("go")
            granted = [json.loads(process.hear()) for process in processes]

        assert ready == ["ready"] * 3
        assert sorted(key for group in granted for key in group) == keys

    def test_claims_end_with_their_execution(
        self, announce: Callable[[str], Share], start_process: Callable[..., OtherProcess]
    ) -> None:
        """An execution whose process was killed is not seen alive before long, and its claims are granted to others."""
        share = announce("survivor")
        with start_process(claim, "killed", ["a" * 40]) as process:
            process.hear()
            process.tell("go")
            process.hear()
            before = set(share.find_rivals()), list(share.claim(["a" * 40]))
            process.kill()

        after = _wait_for(self.lease, lambda: [*share.find_rivals(), *share.claim(["a" * 40])])

        assert before == ({"killed"}, ["a" * 40])
        assert after == []

    @pytest.mark.usefixtures("announce")
    def test_call_is_waited_for(self, start_process: Callable[..., OtherProcess]) -> None:
        """A call that another execution is making is not made again; its result is waited for, other calls are made."""
        with ExitStack() as stack:
            shared, own = (stack.enter_context(closing(Gate("127.0.0.1", self.seconds))) for _ in range(2))
            first = stack.enter_context(start_process(run_visits, [shared.address], self.seconds))
            (maker,) = shared.admit(1)
            second = stack.enter_context(start_process(run_visits, [shared.address, own.address], self.seconds))
            (visitor,) = own.admit(1)
            maker.release("shared")
            visitor.release("own")
            shared.close()  # Whoever else came there fails.
            printed = [json.loads("".join(process.finish())) for process in (first, second)]

        assert printed == [[["shared"], 1], [["shared", "own"], 1]]


def _wait_for(seconds: float, ask: Callable[[], Sequence[str]]) -> Sequence[str]:
    """Ask until nothing is answered, at most for some seconds; return the last answer."""
    deadline = time.monotonic() + seconds
    while (answer := ask()) and time.monotonic() < deadline:
        time.sleep(_PAUSE)
    return answer
