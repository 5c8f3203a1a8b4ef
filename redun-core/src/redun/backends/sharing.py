"""The contract for executions that use one store at the same time.

Each of them has a `Share` of the store. As long as it is alone it only looks, now and then, whether it still is. Once
another one is alive on the store, each call is claimed before it is made. A claim lasts until the call's result is
recorded or the call failed; it ends by itself when its execution is not seen alive any longer.

An execution that begins announces itself and then waits a moment for the others to notice. Noticing means: claim the
calls that are being made already, then be seen alive once more.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence


class Share(ABC):
    """One execution's part in a store that others may be using too. It is announced when this is made."""

    @abstractmethod
    def find_rivals(self) -> Mapping[str, float]:
        """Return the other executions that are alive on the store, each with a mark of when it was last seen alive.

        Asked several times a second, so it must be cheap when nothing has changed.
        """

    @abstractmethod
    def beat(self) -> None:
        """Be seen alive, and keep what is claimed. Called at least every `BEAT_SECONDS`."""

    @abstractmethod
    def claim(self, eval_hashes: Sequence[str]) -> Collection[str]:
        """Claim some calls by their addresses; return those that other live executions have claimed."""

    @abstractmethod
    def release(self, eval_hashes: Collection[str]) -> None:
        """Give up claims."""

    @abstractmethod
    def leave(self) -> None:
        """Note that the execution has ended, and give up all its claims."""


BEAT_SECONDS = 5.0
"""How often a live execution is seen alive."""

LEASE_SECONDS = 60.0
"""How long after it was last seen alive an execution counts as gone, when nothing else tells."""
