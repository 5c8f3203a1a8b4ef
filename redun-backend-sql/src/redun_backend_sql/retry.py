"""Trying again what a database refused for a reason that passes.

A collision with another writer is over at once, so a few tries are enough. A server that is away may be restarting,
so it is waited for: a run that has done hours of work should not end because of that.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import TypeVar

from redun.logging import logger

T = TypeVar("T")


class Trouble(Enum):
    """Why something may be tried again.

    ``COLLISION``: another process was in the way. ``UNREACHED``: no server has ever answered. ``AWAY``: a server that
    did answer does not any more, or has no room.
    """

    COLLISION = "collision"
    UNREACHED = "unreached"
    AWAY = "away"


@dataclass(frozen=True)
class Retries:
    """How often something is tried again, and after which pauses.

    Attributes
    ----------
    count
        How often; never if it is 0.
    backoff, backoff_max
        The first pause in seconds, which doubles each time, and the longest. Pauses vary by up to a half, so that
        processes that failed together do not come back together.
    patience
        How many seconds a server that is away is waited for at least, however often that is.

    Examples
    --------
    >>> Retries(count=2, patience=0).is_over(Trouble.COLLISION, done=2, seconds=0.1)
    True
    >>> Retries(count=2, patience=60).is_over(Trouble.AWAY, done=6, seconds=31.5)
    False
    """

    count: int = 3
    backoff: float = 1.0
    backoff_max: float = 60.0
    patience: float = 60.0

    def is_over(self, trouble: Trouble, done: int, seconds: float) -> bool:
        """Whether enough was tried, after some retries and some seconds."""
        is_patient = trouble is Trouble.AWAY and self.count > 0 and seconds < self.patience
        return done >= self.count and not is_patient

    def pause(self, done: int) -> float:
        """Return how many seconds to wait before the next retry, after some retries."""
        longest = min(self.backoff * 2.0 ** min(done, 32), self.backoff_max)
        return longest * random.uniform(0.5, 1.0)  # noqa: S311

    def run(
        self,
        action: Callable[[], T],
        judge: Callable[[Exception], Trouble | None],
        explain: Callable[[Exception], Exception],
        sleep: Callable[[float], object] = time.sleep,
    ) -> T:
        """Return what an action returns in the end.

        Parameters
        ----------
        action
            What to do, as often as needed: it must do no harm when it is done twice.
        judge
            Says of an exception why to try again, or None where that is useless.
        explain
            Makes of an exception the one that is reported, and raised when trying again is of no use any more.
        sleep
            Lets some seconds pass.
        """
        start, done = time.monotonic(), 0
        while True:
            try:
                return action()
            except Exception as error:
                trouble, explained = judge(error), explain(error)
                if trouble is None or self.is_over(trouble, done, time.monotonic() - start):
                    if explained is error:
                        raise
                    raise explained from error
                pause = self.pause(done)
                logger.warning("%s; trying again in %.1f s", explained, pause)
            sleep(pause)
            done += 1


NEVER = Retries(count=0)
"""Nothing is tried again."""
