"""What ``redun doctor`` finds: one line for each thing that was looked at.

Every distribution offers the checks that it can make itself, through the hook ``redun_checks``: functions that take a
`redun.workspace.Workspace` and yield findings. A check changes nothing, and what it raises is a finding as well.
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple


class State(str, Enum):
    """How it is with something: ``OK``, ``WARNING`` for what may surprise, ``PROBLEM`` for what does not work."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


class Finding(NamedTuple):
    """What is to be said about one thing.

    Attributes
    ----------
    state
        How it is.
    subject
        The thing.
    text
        What was found.
    advice
        What to do about it, if there is anything to do.
    """

    state: State
    subject: str
    text: str
    advice: str = ""
