"""What can be different from run to run."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple, NoReturn


class OnError(str, Enum):
    """What happens to the rest of an execution once its root can't succeed any more.

    ``DRAIN``: what runs is finished and recorded, nothing new starts. ``KEEP_GOING``: everything that does not depend
    on a failed call still runs; all failures are reported at the end. ``STOP``: what runs is stopped.
    """

    DRAIN = "drain"
    KEEP_GOING = "keep-going"
    STOP = "stop"

    @classmethod
    def _missing_(cls, value: object) -> NoReturn:
        raise ValueError(f"on_error={value!r} must be one of {', '.join(cls)}")


class RunSettings(NamedTuple):
    """What is special about one run.

    Attributes
    ----------
    cache
        Whether results of earlier executions are used.
    dryrun
        Whether calls that would run are listed instead, and nothing is recorded.
    on_error
        What a failure means for the rest.
    """

    cache: bool = True
    dryrun: bool = False
    on_error: OnError = OnError.DRAIN
