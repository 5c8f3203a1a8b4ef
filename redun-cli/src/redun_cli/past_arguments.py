"""Arguments that come from elsewhere than options: a file, or a job that was recorded.

Both are pickles, so that reading them runs whatever code they name: take them from people you trust.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from redun._exports import import_first_party
from redun.backends.base import Backend, JobCall
from redun.errors import RedunError
from redun.executors.transport import load_payload
from redun.task import Task
from redun.values.registry import get_type_registry


class PastArguments(NamedTuple):
    """Arguments by position and by name, some of which options may replace."""

    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = {}

    def list_names(self, task: Task[..., Any]) -> frozenset[str]:
        """Return the parameters of a task that these are the arguments of."""
        return frozenset((*list(task.signature.parameters)[: len(self.args)], *self.kwargs))

    def replace(self, task: Task[..., Any], given: Mapping[str, Any]) -> PastArguments:
        """Return the arguments with others, by name, in the places that they have here."""
        names = list(task.signature.parameters)
        args = tuple(given.get(name, value) for name, value in zip(names, self.args, strict=False))
        rest = {name: value for name, value in given.items() if name not in names[: len(self.args)]}
        return PastArguments((*args, *self.args[len(args) :]), {**self.kwargs, **rest})


def read_input(path: str) -> PastArguments:
    """Return the arguments in a file: the pickle of a pair of a sequence and a mapping.

    Raises
    ------
    RedunError
        When there is no such file, or something else in it.
    """
    try:
        args, kwargs = load_payload(_read_bytes(path))
        return PastArguments(tuple(args), dict(kwargs))
    except FileNotFoundError:
        raise RedunError(f"--input {path!r}: there is no such file") from None
    except Exception as error:  # Whatever a pickle that is none, or of something else, leads to.
        raise RedunError(f"--input {path!r} holds no pickled pair of arguments by position and by name: {error}") from (
            error
        )


def _read_bytes(path: str) -> bytes:
    if "://" not in path:
        return Path(path).read_bytes()
    filesystems = import_first_party("redun_value_file.filesystems", "redun-value-file", f"--input {path}")
    with filesystems.open_file(path, "rb") as stream:
        data: bytes = stream.read()
    return data


def find_job_call(backend: Backend, key: str) -> JobCall:
    """Return the call of a recorded job, or of an execution's workflow.

    Raises
    ------
    RedunError
        When there is none.
    """
    call = backend.find_job_call(key)
    if call is None:
        raise RedunError(
            f"no execution or job is recorded under {key!r}: give the start of an id; "
            "`redun log` lists the latest executions"
        )
    return call


def read_arguments(call: JobCall) -> PastArguments:
    """Return the arguments of a recorded call.

    Raises
    ------
    InvalidValueError
        When one of them can't be read here, because what defines its type is missing.
    """
    decode = get_type_registry().decode
    return PastArguments(
        tuple(decode(value.type_name, value.format, value.data) for value in call.args),
        {name: decode(value.type_name, value.format, value.data) for name, value in call.kwargs.items()},
    )
