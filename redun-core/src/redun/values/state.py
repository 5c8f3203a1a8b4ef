"""Values that stand for a state of something outside, such as a database, which calls bring from one state to the next.

What is outside can't be hashed, so its state is told by the calls that led to it. A value that goes into a call is
*forked* off the value that was passed: that is where the call starts from. One that comes out of a call gets the call
*applied* to it. The store keeps all states, which of them came from which, and which of them are valid, that is, which
what is outside still contains; see `redun.backends.handles` and `redun.scheduler.handles`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, NamedTuple, TypeVar

from redun.values.base import Value

S = TypeVar("S", bound="StateValue")


class State(NamedTuple):
    """One state, as the store knows it.

    Attributes
    ----------
    hash
        Its address, which is that of the value.
    fullname
        What it is a state of: a namespace and a name.
    key
        Which of the forks of one state it is; empty for a state that no fork led to.
    parent_hash
        The address of the state that it was forked off; empty for one that was not.
    parent
        That state itself, where this process knows it.
    """

    hash: str
    fullname: str
    key: str
    parent_hash: str = ""
    parent: StateValue | None = None


class StateValue(Value):
    """Base of values that stand for a state of something outside."""

    __slots__ = ()
    register: ClassVar[bool] = False

    def get_state(self) -> State:
        """Return the state that the value stands for."""
        raise NotImplementedError

    def fork(self: S, key: str) -> S:
        """Return the value for a state of its own from which something goes on, apart from what other keys lead to."""
        raise NotImplementedError

    def apply_call(self: S, call_hash: str) -> S:
        """Return the value for the state that a call leads to.

        Parameters
        ----------
        call_hash
            The address of the task applied to its arguments.
        """
        raise NotImplementedError

    def preprocess(self, preprocess_args: Mapping[str, Any]) -> Any:
        order = preprocess_args.get("call_order")
        return self if order is None else self.fork(self.get_state().key or str(order))

    def postprocess(self, postprocess_args: Mapping[str, Any]) -> Any:
        return self.apply_call(postprocess_args["pre_call_hash"])


def list_states(leaves: Iterable[Any]) -> list[StateValue]:
    """Return those of some leaves that stand for a state of something outside."""
    return [leaf for leaf in leaves if isinstance(leaf, StateValue)]
