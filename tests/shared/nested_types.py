"""Values and containers of all kinds that a walk through nested values meets."""

from dataclasses import dataclass, field
from typing import NamedTuple

from redun.values.base import Value


class Leaf(Value):
    """A value that any walk has to find."""

    def __init__(self, name="leaf"):
        self.name = name

    def __repr__(self):
        return self.name

    def __getstate__(self):
        return {"name": self.name}

    def __setstate__(self, state):
        self.name = state["name"]


class Pair(NamedTuple):
    first: object
    second: object


@dataclass
class Plain:
    a: object
    b: object = 2


@dataclass(frozen=True)
class Frozen:
    a: object
    total: object = field(init=False)

    def __post_init__(self):
        object.__setattr__(self, "total", [self.a])


@dataclass(frozen=True, slots=True)
class Slotted:
    a: object
    total: object = field(init=False, default=None)


@dataclass
class KeywordOnly:
    a: object = field(kw_only=True)
    unset: object = field(init=False, repr=False)


class Perishable(Value):
    """A value that says itself whether it is valid."""

    type_name = "nested_types.Perishable"
    register = False

    def __init__(self, fresh):
        self.fresh = fresh

    def is_valid(self):
        return self.fresh

    def __getstate__(self):
        return {"fresh": self.fresh}

    def __setstate__(self, state):
        self.fresh = state["fresh"]
