"""A call that does nothing, to find out whether an executor takes calls."""

from __future__ import annotations

import threading
from concurrent.futures import Future, TimeoutError
from typing import Any

from redun.executors.base import Call, settle
from redun.scheduler.setup import Executors
from redun.task import task


@task(namespace="redun", version="1")
def probe() -> str:
    """Return a word."""
    return "here"


class NoAnswerError(Exception):
    """An executor did not do in time what it was asked for."""


def probe_executor(executors: Executors, name: str, seconds: float) -> None:
    """Start an executor, let it make one call, and stop it.

    Parameters
    ----------
    executors
        The executors of a configuration.
    name
        Which.
    seconds
        How long it may take to start and to answer; what is still busy then is left behind.

    Raises
    ------
    NoAnswerError
        When it takes longer.
    Exception
        Whatever starting it or the call raises.
    """
    answer: Future[Any] = Future()
    thread = threading.Thread(target=_ask, args=(executors, name, answer), name=f"probe-{name}", daemon=True)
    thread.start()
    try:
        answer.result(seconds)
    except TimeoutError:
        if answer.done():
            raise
        raise NoAnswerError(f"it did not answer within {seconds:g} seconds") from None


def _ask(executors: Executors, name: str, answer: Future[Any]) -> None:
    try:
        executor = executors.start(name)
        try:
            result = executor.submit(_make_call(name)).result()
        finally:
            executor.stop()
    except BaseException as error:
        settle(answer, error=error)
    else:
        settle(answer, result)


def _make_call(executor: str) -> Call:
    options = {"executor": executor}
    return Call(probe.fullname, probe.func, (), {}, options, probe.hash, "0" * 32, __name__, False)
